// Deployments: claims its ReplicaSets, plans, and carries the plan out.
import {
  type Deployment,
  deployments,
  isAlreadyExists,
  isNotFound,
  labelSelector,
  objectKey,
  pods as podType,
  type ReplicaSet,
  replicaSets as replicaSetType,
  type Stored,
  selectorMatches,
} from "#api";
import { type Controller, controllerOf, isControlledBy, type Requeue, referenceTo, watchFor, watchMapped } from "#client";
import type { ControllerContext } from "../context.ts";
import { claim, planClaims } from "../shared/claim.ts";
import { indexOrphans } from "../shared/orphans.ts";
import { isNamespaceTerminating, OwnWrites, wasRefused } from "../shared/own-writes.ts";
import { afterCollision, creationFailed, planDeployment, type ReplicaSetWrite, selectsEverything } from "./plan.ts";
import { sameTemplate } from "./replica-sets.ts";

export function deploymentController(context: ControllerContext): Controller {
  const { client, clock, events } = context;
  const owners = context.informers.informer(deployments);
  const sets = context.informers.informer(replicaSetType);
  const pods = context.informers.informer(podType);
  const orphansOf = indexOrphans(sets);
  const ownWrites = new OwnWrites({ informer: owners, client, type: deployments });
  const setWrites = new OwnWrites({ informer: sets, client, type: replicaSetType });

  const reconcile = async (key: string, signal: AbortSignal): Promise<Requeue | void> => {
    await ownWrites.settled(key, signal);
    await setWrites.settled(key, signal);
    const deployment = owners.get(key);
    if (deployment === undefined) return setWrites.forget(key);
    const about = referenceTo(deployments, deployment);
    if (selectsEverything(deployment)) {
      events.event(about, {
        type: "Warning",
        reason: "SelectingAll",
        message: "This deployment is selecting all pods. A non-empty selector is required.",
      });
      return;
    }
    const candidates = [...sets.byIndex("owner", deployment.metadata.uid), ...orphansOf(deployment.metadata.namespace ?? "")];
    const claims = planClaims(deployment, labelSelector(deployment.spec.selector), candidates);
    const owned = await claim(client, deployments, deployment, replicaSetType, claims);
    if (claims.adopt.length > 0) for (const set of owned) setWrites.wrote(key, set);
    const { living } = setWrites.living(key, owned);

    const plan = planDeployment({
      deployment,
      replicaSets: living,
      pods: () => living.flatMap((set) => pods.byIndex("owner", set.metadata.uid)),
      nowMs: clock.now(),
    });
    for (const write of plan.writes) if (!(await apply(key, deployment, write, signal))) return;
    await writeDeployment(key, deployment, plan.revision, plan.status, signal);
    if (plan.requeueAfterMs !== undefined) return { requeueAfterMs: plan.requeueAfterMs };
  };

  /** False: the rest of the plan does not hold any more. */
  const apply = async (
    key: string,
    deployment: Stored<Deployment>,
    write: ReplicaSetWrite,
    signal: AbortSignal,
  ): Promise<boolean> => {
    switch (write.kind) {
      case "create":
        return create(key, deployment, write, signal);
      case "update":
        setWrites.wrote(key, await client.update(replicaSetType, write.object, { signal }));
        break;
      case "delete":
        setWrites.deleted(key, write.object.metadata.uid);
        await client
          .delete(replicaSetType, write.object.metadata, { preconditions: { uid: write.object.metadata.uid }, signal })
          .catch((error: unknown) => {
            if (!isNotFound(error)) throw error;
          });
        return true;
      default:
        return write satisfies never;
    }
    if (write.event !== undefined)
      events.event(referenceTo(deployments, deployment), { type: "Normal", reason: "ScalingReplicaSet", message: write.event });
    return true;
  };

  const create = async (
    key: string,
    deployment: Stored<Deployment>,
    write: ReplicaSetWrite & { kind: "create" },
    signal: AbortSignal,
  ): Promise<boolean> => {
    const about = referenceTo(deployments, deployment);
    const name = write.object.metadata.name ?? "";
    try {
      setWrites.wrote(key, await client.create(replicaSetType, write.object, { signal }));
      if (write.event !== undefined) events.event(about, { type: "Normal", reason: "ScalingReplicaSet", message: write.event });
      return true;
    } catch (error) {
      if (isNamespaceTerminating(error)) return false;
      if (isAlreadyExists(error)) {
        // Either our own create whose answer was lost, or another template with the same hash.
        const existing = await client.get(replicaSetType, { namespace: deployment.metadata.namespace, name }, { signal });
        setWrites.wrote(key, existing);
        if (isControlledBy(existing, deployment) && sameTemplate(existing.spec.template ?? {}, deployment.spec.template))
          throw new Error(`ReplicaSet "${name}" was there already`);
        await writeDeployment(key, deployment, undefined, afterCollision(deployment), signal);
        return false;
      }
      if (!wasRefused(error)) throw error;
      const message = error instanceof Error ? error.message : String(error);
      events.event(about, {
        type: "Warning",
        reason: "ReplicaSetCreateError",
        message: `Failed to create new replica set "${name}": ${message}`,
      });
      await writeDeployment(key, deployment, undefined, creationFailed(deployment, name, message, clock.now()), signal);
      throw error;
    }
  };

  const writeDeployment = async (
    key: string,
    deployment: Stored<Deployment>,
    revision: string | undefined,
    status: Deployment["status"],
    signal: AbortSignal,
  ): Promise<void> => {
    let current = deployment;
    if (revision !== undefined) {
      const annotations = { ...current.metadata.annotations, "deployment.kubernetes.io/revision": revision };
      current = await client.update(deployments, { ...current, metadata: { ...current.metadata, annotations } }, { signal });
      ownWrites.wrote(key, current);
    }
    if (status !== undefined)
      ownWrites.wrote(key, await client.update(deployments, { ...current, status }, { subresource: "status", signal }));
  };

  return {
    name: "deployment-controller",
    sources: [
      watchFor(owners),
      watchMapped(sets, (set, before) => [...new Set([...ownersOf(set), ...(before === undefined ? [] : ownersOf(before))])]),
      // Recreate waits for the last old pod to be gone.
      watchMapped(pods, (pod) => {
        const set = controllerOf(pod);
        const parent = set?.kind === "ReplicaSet" ? sets.get(`${pod.metadata.namespace}/${set.name}`) : undefined;
        const keys = parent === undefined ? [] : ownersOf(parent);
        return keys.filter((key) => owners.get(key)?.spec.strategy?.type === "Recreate");
      }),
    ],
    reconcile,
  };

  function ownersOf(set: Stored<ReplicaSet>): readonly string[] {
    const controller = controllerOf(set);
    const namespace = set.metadata.namespace ?? "";
    if (controller !== undefined) {
      const owner = owners.get(`${namespace}/${controller.name}`);
      return owner !== undefined && isControlledBy(set, owner) ? [objectKey(owner)] : [];
    }
    if (set.metadata.deletionTimestamp !== undefined || set.metadata.labels === undefined) return [];
    return owners
      .list(namespace)
      .filter((owner) => selectorMatches(labelSelector(owner.spec.selector), set.metadata.labels))
      .map(objectKey);
  }
}
