// StatefulSets: pods with names that last, created and replaced in order, each with its own claims.
import {
  type ControllerRevision,
  controllerRevisions,
  isAlreadyExists,
  labelSelector,
  objectKey,
  type PersistentVolumeClaim,
  type Pod,
  persistentVolumeClaims,
  pods as podType,
  type StatefulSet,
  type Stored,
  statefulSets as statefulSetType,
} from "#api";
import { type Controller, controllerOf, type Requeue, referenceTo, watchFor, watchMapped, watchOwned } from "#client";
import type { ControllerContext } from "../context.ts";
import { claim, planClaims } from "../shared/claim.ts";
import { indexOrphans } from "../shared/orphans.ts";
import { isNamespaceTerminating, OwnWrites } from "../shared/own-writes.ts";
import { ownersOfPods, type PodWords, PodWrites, watchPods } from "../shared/owned-pods.ts";
import {
  planRevision,
  type RevisionOwner,
  Revisions,
  revisionHashLabel,
  surplusRevisions,
  templateOf,
} from "../shared/revisions.ts";
import { ordinalOf, planStatefulSet } from "./plan.ts";

export function statefulSetController({ client, clock, events, informers }: ControllerContext): Controller {
  const owners = informers.informer(statefulSetType);
  const pods = informers.informer(podType);
  const claims = informers.informer(persistentVolumeClaims);
  const revisionInformer = informers.informer(controllerRevisions);
  const revisions = new Revisions(client, revisionInformer);
  const orphansOf = indexOrphans(pods);
  const ownWrites = new OwnWrites({ informer: owners, client, type: statefulSetType });
  const podWrites = new PodWrites({ informer: pods, client, events, words });

  const reconcile = async (key: string, signal: AbortSignal): Promise<Requeue | void> => {
    await ownWrites.settled(key, signal);
    await podWrites.settled(key, signal);
    await revisions.settled(key, signal);
    const set = owners.get(key);
    if (set === undefined) return podWrites.forget(key);
    const selector = labelSelector(set.spec.selector);
    const owner: RevisionOwner<StatefulSet> = {
      type: statefulSetType,
      object: set,
      template: set.spec.template,
      selector,
      collisionCount: set.status?.collisionCount ?? 0,
      hashLabel: "controller.kubernetes.io/hash",
    };
    const known = await revisions.of(key, owner);
    const update = await revisions.apply(key, planRevision(owner, known), signal);
    if (update === undefined) {
      const status = { replicas: 0, ...set.status, collisionCount: owner.collisionCount + 1 };
      ownWrites.wrote(key, await client.update(statefulSetType, { ...set, status }, { subresource: "status", signal }));
      return;
    }
    const current = known.find(({ metadata }) => metadata.name === set.status?.currentRevision) ?? update;

    const candidates = [...pods.byIndex("owner", set.metadata.uid), ...orphansOf(set.metadata.namespace ?? "")];
    const plannedClaims = planClaims(
      set,
      selector,
      candidates.filter((pod) => ordinalOf(set, pod) !== undefined || controllerOf(pod) !== undefined),
    );
    const claimed = await claim(client, statefulSetType, set, podType, plannedClaims);
    if (plannedClaims.adopt.length > 0) for (const pod of claimed) podWrites.wrote(key, pod);
    const { living, leaving } = podWrites.split(key, claimed);
    const plan = planStatefulSet({
      set,
      pods: [...living, ...leaving],
      current: templated(current),
      update: templated(update),
      nowMs: clock.now(),
    });

    const about = referenceTo(statefulSetType, set);
    for (const pod of plan.remove) await podWrites.remove(key, pod, about, signal);
    for (const { pod, claims: wanted } of plan.create) {
      for (const one of wanted) await ensureClaim(one, pod, set, signal);
      try {
        await podWrites.create(key, pod, about, signal);
      } catch (error) {
        if (isNamespaceTerminating(error)) return;
        throw error;
      }
    }
    if (plan.status !== undefined)
      ownWrites.wrote(
        key,
        await client.update(statefulSetType, { ...set, status: plan.status }, { subresource: "status", signal }),
      );
    const used = new Set([
      current.metadata.name,
      update.metadata.name,
      ...living.map((pod) => pod.metadata.labels?.[revisionHashLabel] ?? ""),
    ]);
    await revisions.remove(key, surplusRevisions(known, used, set.spec.revisionHistoryLimit ?? 10), signal);
    if (plan.requeueAfterMs !== undefined) return { requeueAfterMs: plan.requeueAfterMs };
  };

  const ensureClaim = async (
    wanted: PersistentVolumeClaim,
    pod: Pod,
    set: Stored<StatefulSet>,
    signal: AbortSignal,
  ): Promise<void> => {
    const existing = claims.get(objectKey(wanted));
    if (existing?.metadata.deletionTimestamp !== undefined)
      throw new Error(`Cannot create pod "${pod.metadata.name}": its claim "${wanted.metadata.name}" is being deleted`);
    if (existing !== undefined) return;
    try {
      await client.create(persistentVolumeClaims, wanted, { signal });
      const message = `create Claim ${wanted.metadata.name} Pod ${pod.metadata.name} in StatefulSet ${set.metadata.name} success`;
      events.event(referenceTo(statefulSetType, set), { type: "Normal", reason: "SuccessfulCreate", message });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  };

  return {
    name: "statefulset-controller",
    sources: [
      watchFor(owners),
      watchPods(
        pods,
        ownersOfPods(owners, (owner) => labelSelector(owner.spec.selector)),
      ),
      watchOwned(revisionInformer, statefulSetType),
      // Claims are looked up, not waited for; the informer only has to be there.
      watchMapped(claims, () => []),
    ],
    reconcile,
  };
}

const words: PodWords = (done, pod, owner, error) =>
  `${done} Pod ${pod} in StatefulSet ${owner} ${error === undefined ? "successful" : `failed error: ${error}`}`;

const templated = (revision: ControllerRevision) => ({ name: revision.metadata.name ?? "", template: templateOf(revision) });
