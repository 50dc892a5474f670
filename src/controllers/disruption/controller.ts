// PodDisruptionBudgets: keeps their status, from which the eviction subresource grants or refuses.
import {
  deployments as deploymentType,
  labelSelector,
  objectKey,
  type Pod,
  podDisruptionBudgets,
  pods as podType,
  type ResourceType,
  replicaSets,
  replicationControllers,
  type Stored,
  selectorMatches,
  statefulSets,
} from "#api";
import { type Controller, controllerOf, objectPath, type Requeue, watchFor, watchMapped } from "#client";
import type { ControllerContext } from "../context.ts";
import type { Discover } from "../shared/discovery.ts";
import { OwnWrites } from "../shared/own-writes.ts";
import { planBudget } from "./plan.ts";

export function disruptionController({ client, clock, informers }: ControllerContext, discover: Discover): Controller {
  const budgets = informers.informer(podDisruptionBudgets);
  const pods = informers.informer(podType);
  const sets = informers.informer(replicaSets);
  const deployments = informers.informer(deploymentType);
  const controllers = informers.informer(replicationControllers);
  const stateful = informers.informer(statefulSets);
  const writes = new OwnWrites({ informer: budgets, client, type: podDisruptionBudgets });

  /** What a pod's controller wants: uid of the controller and its replicas. Undefined: the pod has none. */
  const scaleOf = async (pod: Stored<Pod>): Promise<{ readonly uid: string; readonly replicas: number } | undefined> => {
    const owner = controllerOf(pod);
    if (owner === undefined) return undefined;
    const key = `${pod.metadata.namespace}/${owner.name}`;
    const is = (type: ResourceType): boolean =>
      owner.kind === type.kind &&
      owner.apiVersion.split("/").length === (type.group === "" ? 1 : 2) &&
      owner.apiVersion.startsWith(type.group);
    if (is(replicaSets)) {
      const set = sets.get(key);
      if (set?.metadata.uid !== owner.uid) throw new Error(`replicasets.apps "${owner.name}" not found`);
      const parent = controllerOf(set);
      const deployment = parent?.kind === "Deployment" ? deployments.get(`${pod.metadata.namespace}/${parent.name}`) : undefined;
      return deployment === undefined
        ? { uid: set.metadata.uid, replicas: set.spec.replicas ?? 1 }
        : { uid: deployment.metadata.uid, replicas: deployment.spec.replicas ?? 1 };
    }
    if (is(statefulSets) || is(replicationControllers)) {
      const found = is(statefulSets) ? stateful.get(key) : controllers.get(key);
      if (found?.metadata.uid !== owner.uid) throw new Error(`${owner.kind} "${owner.name}" not found`);
      return { uid: owner.uid, replicas: found.spec?.replicas ?? 1 };
    }
    // Anything with a scale subresource.
    const { resources } = await discover();
    const group = owner.apiVersion.includes("/") ? owner.apiVersion.slice(0, owner.apiVersion.indexOf("/")) : "";
    const type = resources.find((resource) => resource.kind === owner.kind && resource.group === group);
    if (type === undefined) throw new Error(`no matches for kind "${owner.kind}" in version "${owner.apiVersion}"`);
    const reply = await client.send({
      method: "GET",
      path: objectPath(type, { namespace: pod.metadata.namespace, name: owner.name }, "scale"),
      query: {},
    });
    const scale = "object" in reply ? (reply.object as { spec?: { replicas?: number } }) : {};
    return { uid: owner.uid, replicas: scale.spec?.replicas ?? 0 };
  };

  const reconcile = async (key: string, signal: AbortSignal): Promise<Requeue | void> => {
    await writes.settled(key, signal);
    const budget = budgets.get(key);
    if (budget === undefined || budget.metadata.deletionTimestamp !== undefined) return writes.forget(key);
    const selector = labelSelector(budget.spec?.selector);
    const selected = pods.list(budget.metadata.namespace).filter((pod) => selectorMatches(selector, pod.metadata.labels));
    const scale = await expectedScale(selected);
    const plan = planBudget({ budget, pods: selected, expectedScale: () => scale, nowMs: clock.now() });
    if (plan.status !== undefined)
      writes.wrote(
        key,
        await client.update(podDisruptionBudgets, { ...budget, status: plan.status }, { subresource: "status", signal }),
      );
    if (plan.requeueAfterMs !== undefined) return { requeueAfterMs: plan.requeueAfterMs };
  };

  const expectedScale = async (selected: readonly Stored<Pod>[]): Promise<number | { readonly error: string }> => {
    const scales = new Map<string, number>();
    try {
      for (const pod of selected) {
        const owner = controllerOf(pod);
        if (owner === undefined || scales.has(`pod owner ${owner.uid}`)) continue;
        const scale = await scaleOf(pod);
        scales.set(`pod owner ${owner.uid}`, 0);
        if (scale !== undefined) scales.set(scale.uid, scale.replicas);
      }
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) };
    }
    return [...scales.values()].reduce((sum, replicas) => sum + replicas, 0);
  };

  const budgetsOf = (pod: Stored<Pod>): readonly string[] =>
    budgets
      .list(pod.metadata.namespace)
      .filter((budget) => selectorMatches(labelSelector(budget.spec?.selector), pod.metadata.labels))
      .map(objectKey);
  const inNamespaceOf = ({ metadata }: { readonly metadata: { readonly namespace?: string } }): readonly string[] =>
    budgets.list(metadata.namespace).map(objectKey);
  return {
    name: "disruption-controller",
    sources: [
      watchFor(budgets),
      watchMapped(pods, (pod, before) => [...new Set([...budgetsOf(pod), ...(before === undefined ? [] : budgetsOf(before))])]),
      watchMapped(deployments, (now, before) => (now.spec.replicas === before?.spec.replicas ? [] : inNamespaceOf(now))),
      watchMapped(sets, (now, before) => (now.spec.replicas === before?.spec.replicas ? [] : inNamespaceOf(now))),
      watchMapped(stateful, (now, before) => (now.spec?.replicas === before?.spec?.replicas ? [] : inNamespaceOf(now))),
      watchMapped(controllers, (now, before) => (now.spec?.replicas === before?.spec?.replicas ? [] : inNamespaceOf(now))),
    ],
    reconcile,
  };
}
