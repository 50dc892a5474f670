// The loop behind ReplicaSets and ReplicationControllers: claim pods, create or delete, write the status.
import {
  type ApiObject,
  isNotFound,
  objectKey,
  type Pod,
  type PodTemplateSpec,
  pods as podType,
  type ReplicaSetStatus,
  type ResourceType,
  type Selector,
  type Stored,
  selectorMatches,
} from "#api";
import {
  type Controller,
  controllerOf,
  controllerReference,
  type Informer,
  isControlledBy,
  type Requeue,
  referenceTo,
  watchFor,
  watchMapped,
} from "#client";
import type { ControllerContext } from "../context.ts";
import { claim, planClaims } from "../shared/claim.ts";
import { indexOrphans } from "../shared/orphans.ts";
import { isNamespaceTerminating, OwnWrites, wasRefused } from "../shared/own-writes.ts";
import { slowStart } from "../shared/slow-start.ts";
import { type Failure, planReplicaStatus, planReplicas, podFromTemplate, type Wanted } from "./plan.ts";

/** What differs between the two kinds. */
export interface ReplicaKind<T extends ApiObject> {
  readonly controller: string;
  readonly type: ResourceType<T>;
  selector(owner: T): Selector;
  spec(owner: T): { readonly replicas?: number; readonly minReadySeconds?: number; readonly template?: PodTemplateSpec };
  status(owner: T): ReplicaSetStatus | undefined;
  withStatus(owner: Stored<T>, status: ReplicaSetStatus): T;
  readonly countsTerminating: boolean;
}

export function replicaController<T extends ApiObject>(kind: ReplicaKind<T>, context: ControllerContext): Controller {
  const { client, clock, events } = context;
  const owners = context.informers.informer(kind.type);
  const pods = context.informers.informer(podType);
  const orphansOf = indexOrphans(pods);
  const podWrites = new OwnWrites({ informer: pods, client, type: podType });
  const ownWrites = new OwnWrites({ informer: owners, client, type: kind.type });

  const reconcile = async (key: string, signal: AbortSignal): Promise<Requeue | void> => {
    await ownWrites.settled(key, signal);
    await podWrites.settled(key, signal);
    const owner = owners.get(key);
    if (owner === undefined) return podWrites.forget(key);
    const { metadata } = owner;
    const wanted = wantedOf(kind, owner);

    const candidates = [...pods.byIndex("owner", metadata.uid), ...orphansOf(metadata.namespace ?? "")];
    const claims = planClaims(owner, kind.selector(owner), candidates);
    const claimed = await claim(client, kind.type, owner, podType, {
      ...claims,
      adopt: claims.adopt.filter((pod) => !isFinishedPhase(pod)),
    });
    for (const pod of claims.adopt)
      podWrites.wrote(key, claimed.find(({ metadata: { uid } }) => uid === pod.metadata.uid) ?? pod);
    const { living, dying } = podWrites.living(key, claimed);

    const failure = metadata.deletionTimestamp === undefined ? await manage(key, owner, wanted, living, signal) : undefined;
    const counted = [...living, ...dying.map(asTerminating)];
    const { status, requeueAfterMs } = planReplicaStatus(wanted, counted, failure?.condition, clock.now());
    if (status !== undefined)
      ownWrites.wrote(key, await client.update(kind.type, kind.withStatus(owner, status), { subresource: "status", signal }));
    if (failure !== undefined && !isNamespaceTerminating(failure.error)) throw failure.error;
    if (requeueAfterMs !== undefined) return { requeueAfterMs };
  };

  /** Creates or deletes; a failure is returned, for the condition comes before the retry. */
  const manage = async (
    key: string,
    owner: Stored<T>,
    wanted: Wanted,
    living: readonly Stored<Pod>[],
    signal: AbortSignal,
  ): Promise<{ readonly condition: Failure; readonly error: unknown } | undefined> => {
    const plan = planReplicas(wanted, living, [], clock.now());
    const about = referenceTo(kind.type, owner);
    if (plan.create > 0) {
      const template = podFromTemplate(wanted.template, { namespace: owner.metadata.namespace ?? "", name: owner.metadata.name });
      const pod = { ...template, metadata: { ...template.metadata, ownerReferences: [controllerReference(kind.type, owner)] } };
      const { error } = await slowStart(plan.create, async () => {
        try {
          const created = await client.create(podType, pod, { signal });
          podWrites.wrote(key, created);
          events.event(about, { type: "Normal", reason: "SuccessfulCreate", message: `Created pod: ${created.metadata.name}` });
        } catch (error) {
          if (!wasRefused(error)) podWrites.unsure(key);
          if (!isNamespaceTerminating(error))
            events.event(about, { type: "Warning", reason: "FailedCreate", message: `Error creating: ${text(error)}` });
          throw error;
        }
      });
      return error === undefined ? undefined : { condition: { reason: "FailedCreate", message: text(error) }, error };
    }
    if (plan.remove.length === 0) return undefined;
    const ranked = plan.remove.length === living.length ? plan : planReplicas(wanted, living, relatedPods(owner), clock.now());
    const results = await Promise.allSettled(ranked.remove.map((pod) => remove(key, pod, about, signal)));
    const failed = results.find((result) => result.status === "rejected");
    return failed === undefined
      ? undefined
      : { condition: { reason: "FailedDelete", message: text(failed.reason) }, error: failed.reason };
  };

  const remove = async (
    key: string,
    pod: Stored<Pod>,
    about: ReturnType<typeof referenceTo>,
    signal: AbortSignal,
  ): Promise<void> => {
    const { namespace, name, uid } = pod.metadata;
    podWrites.deleted(key, uid);
    try {
      await client.delete(podType, { namespace, name }, { preconditions: { uid }, signal });
      events.event(about, { type: "Normal", reason: "SuccessfulDelete", message: `Deleted pod: ${name}` });
    } catch (error) {
      if (isNotFound(error)) return;
      if (wasRefused(error)) podWrites.notDeleted(key, uid);
      else podWrites.unsure(key);
      events.event(about, { type: "Warning", reason: "FailedDelete", message: `Error deleting: ${text(error)}` });
      throw error;
    }
  };

  /** Pods of all owners under the same controller (the ReplicaSets of one Deployment), for spreading deletions over nodes. */
  const relatedPods = (owner: Stored<T>): readonly Pod[] => {
    const controller = controllerOf(owner);
    const siblings = controller === undefined ? [owner] : owners.byIndex("owner", controller.uid);
    return siblings.flatMap((sibling) => pods.byIndex("owner", sibling.metadata.uid));
  };

  return {
    name: kind.controller,
    sources: [
      watchFor(owners),
      watchMapped(pods, (pod, before) => [
        ...new Set([...ownersOf(kind, owners, pod), ...(before === undefined ? [] : ownersOf(kind, owners, before))]),
      ]),
    ],
    reconcile,
  };
}

/** The controlling owner's key; of an orphan, those of every owner that might adopt it. */
function ownersOf<T extends ApiObject>(kind: ReplicaKind<T>, owners: Informer<T>, pod: Stored<Pod>): readonly string[] {
  const controller = controllerOf(pod);
  const namespace = pod.metadata.namespace ?? "";
  if (controller !== undefined) {
    const owner = owners.get(`${namespace}/${controller.name}`);
    return owner !== undefined && isControlledBy(pod, owner) ? [objectKey(owner)] : [];
  }
  if (pod.metadata.deletionTimestamp !== undefined || pod.metadata.labels === undefined) return [];
  return owners
    .list(namespace)
    .filter((owner) => selectorMatches(kind.selector(owner), pod.metadata.labels))
    .map(objectKey);
}

function wantedOf<T extends ApiObject>(kind: ReplicaKind<T>, owner: Stored<T>): Wanted {
  const spec = kind.spec(owner);
  return {
    replicas: spec.replicas ?? 1,
    minReadySeconds: spec.minReadySeconds ?? 0,
    template: spec.template ?? {},
    generation: owner.metadata.generation ?? 0,
    status: kind.status(owner),
    countsTerminating: kind.countsTerminating,
  };
}

const isFinishedPhase = (pod: Pod): boolean => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
const asTerminating = (pod: Stored<Pod>): Stored<Pod> => ({
  ...pod,
  metadata: { ...pod.metadata, deletionTimestamp: pod.metadata.creationTimestamp },
});
const text = (error: unknown): string => (error instanceof Error ? error.message : String(error));
