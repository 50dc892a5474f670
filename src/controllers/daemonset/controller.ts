// DaemonSets: one pod on every node that is meant to have it.
import {
  controllerRevisions,
  type DaemonSet,
  daemonSets as daemonSetType,
  labelSelector,
  nodes as nodeType,
  objectKey,
  type Pod,
  pods as podType,
} from "#api";
import { type Controller, type Requeue, referenceTo, watchFor, watchMapped, watchOwned } from "#client";
import type { ControllerContext } from "../context.ts";
import { claim, planClaims } from "../shared/claim.ts";
import { indexOrphans } from "../shared/orphans.ts";
import { isNamespaceTerminating, OwnWrites } from "../shared/own-writes.ts";
import { ownersOfPods, PodWrites, watchPods } from "../shared/owned-pods.ts";
import { hashOf, planRevision, type RevisionOwner, Revisions, revisionHashLabel, surplusRevisions } from "../shared/revisions.ts";
import { slowStart } from "../shared/slow-start.ts";
import { planDaemonSet } from "./plan.ts";

/** Pause before a failed daemon pod is replaced: 1 s, doubling to 15 minutes, by DaemonSet and node. */
const firstPauseMs = 1_000;
const longestPauseMs = 900_000;

export function daemonSetController({ client, clock, events, informers }: ControllerContext): Controller {
  const owners = informers.informer(daemonSetType);
  const nodes = informers.informer(nodeType);
  const pods = informers.informer(podType);
  const revisionInformer = informers.informer(controllerRevisions);
  const revisions = new Revisions(client, revisionInformer);
  const orphansOf = indexOrphans(pods);
  const ownWrites = new OwnWrites({ informer: owners, client, type: daemonSetType });
  const podWrites = new PodWrites({ informer: pods, client, events });
  const failures = new Map<string, { count: number; untilMs: number; uid: string }>();

  const reconcile = async (key: string, signal: AbortSignal): Promise<Requeue | void> => {
    await ownWrites.settled(key, signal);
    await podWrites.settled(key, signal);
    await revisions.settled(key, signal);
    const daemonSet = owners.get(key);
    if (daemonSet === undefined) {
      podWrites.forget(key);
      for (const name of [...failures.keys()]) if (name.startsWith(`${key} `)) failures.delete(name);
      return;
    }
    const selector = labelSelector(daemonSet.spec.selector);
    const owner: RevisionOwner<DaemonSet> = {
      type: daemonSetType,
      object: daemonSet,
      template: daemonSet.spec.template,
      selector,
      collisionCount: daemonSet.status?.collisionCount ?? 0,
      hashLabel: revisionHashLabel,
    };
    const known = await revisions.of(key, owner);
    const current = await revisions.apply(key, planRevision(owner, known), signal);
    if (current === undefined) {
      const status = {
        currentNumberScheduled: 0,
        desiredNumberScheduled: 0,
        numberMisscheduled: 0,
        numberReady: 0,
        ...daemonSet.status,
        collisionCount: owner.collisionCount + 1,
      };
      ownWrites.wrote(key, await client.update(daemonSetType, { ...daemonSet, status }, { subresource: "status", signal }));
      return;
    }
    const claims = planClaims(daemonSet, selector, [
      ...pods.byIndex("owner", daemonSet.metadata.uid),
      ...orphansOf(daemonSet.metadata.namespace ?? ""),
    ]);
    const claimed = await claim(client, daemonSetType, daemonSet, podType, claims);
    if (claims.adopt.length > 0) for (const pod of claimed) podWrites.wrote(key, pod);
    const { living, leaving } = podWrites.split(key, claimed);
    const now = clock.monotonic();
    const plan = planDaemonSet({
      daemonSet,
      nodes: nodes.list(),
      pods: [...living, ...leaving],
      hash: hashOf(current, revisionHashLabel),
      nowMs: clock.now(),
      mayRetry: (node) => (failures.get(`${key} ${node}`)?.untilMs ?? 0) <= now,
    });
    const about = referenceTo(daemonSetType, daemonSet);
    let retryMs: number | undefined;
    for (const { node, pod } of plan.ended) {
      const failed = pod.status?.phase === "Failed";
      const entry = `${key} ${node}`;
      const last = failures.get(entry);
      if (last?.uid !== pod.metadata.uid) {
        if (failed)
          events.event(about, {
            type: "Warning",
            reason: "FailedDaemonPod",
            message: `Found failed daemon pod ${objectKey(pod)} on node ${node}, will try to kill it`,
          });
        else
          events.event(about, {
            type: "Normal",
            reason: "SucceededDaemonPod",
            message: `Found succeeded daemon pod ${objectKey(pod)} on node ${node}, will try to delete it`,
          });
        // A pod that ran for long before it failed does not count with the failures before it.
        const fresh = last === undefined || now - last.untilMs > longestPauseMs;
        const count = fresh ? 0 : last.count + 1;
        failures.set(entry, {
          count,
          untilMs: now + (count === 0 ? 0 : Math.min(firstPauseMs * 2 ** (count - 1), longestPauseMs)),
          uid: pod.metadata.uid,
        });
      }
      const leftMs = (failures.get(entry)?.untilMs ?? 0) - now;
      if (!plan.remove.includes(pod)) retryMs = Math.min(retryMs ?? Number.POSITIVE_INFINITY, Math.max(1, leftMs));
    }
    await Promise.all(plan.remove.map((pod) => podWrites.remove(key, pod, about, signal)));
    const { error } = await slowStart(
      plan.create.length,
      (index) => podWrites.create(key, plan.create[index] as Pod, about, signal), // index < create.length
    );
    const used = new Set(living.map((pod) => pod.metadata.labels?.[revisionHashLabel]));
    const live = new Set(
      [current, ...known.filter((revision) => used.has(hashOf(revision, revisionHashLabel)))].map(
        ({ metadata }) => metadata.name,
      ),
    );
    await revisions.remove(key, surplusRevisions(known, live, daemonSet.spec.revisionHistoryLimit ?? 10), signal);
    if (plan.status !== undefined)
      ownWrites.wrote(
        key,
        await client.update(daemonSetType, { ...daemonSet, status: plan.status }, { subresource: "status", signal }),
      );
    if (error !== undefined && !isNamespaceTerminating(error)) throw error;
    const waits = [plan.requeueAfterMs, retryMs].filter((wait) => wait !== undefined);
    if (waits.length > 0) return { requeueAfterMs: Math.min(...waits) };
  };

  return {
    name: "daemonset-controller",
    workers: 2,
    sources: [
      watchFor(owners),
      watchPods(
        pods,
        ownersOfPods(owners, (owner) => labelSelector(owner.spec.selector)),
      ),
      watchOwned(revisionInformer, daemonSetType),
      watchMapped(nodes, (node, before) => {
        const relevant = (one: typeof node | undefined): string => JSON.stringify([one?.metadata.labels, one?.spec?.taints]);
        const gone = nodes.get(node.metadata.name) === undefined;
        return !gone && before !== undefined && relevant(node) === relevant(before) ? [] : owners.list().map(objectKey);
      }),
    ],
    reconcile,
  };
}
