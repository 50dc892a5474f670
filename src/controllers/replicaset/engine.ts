// The loop behind ReplicaSets and ReplicationControllers: claim pods, create or delete, write the status.
import {
  type ApiObject,
  type Pod,
  type PodTemplateSpec,
  pods as podType,
  type ReplicaSetStatus,
  type ResourceType,
  type Selector,
  type Stored,
} from "#api";
import { type Controller, controllerOf, controllerReference, type Requeue, referenceTo, watchFor } from "#client";
import type { ControllerContext } from "../context.ts";
import { claim, planClaims } from "../shared/claim.ts";
import { indexOrphans } from "../shared/orphans.ts";
import { isNamespaceTerminating, OwnWrites } from "../shared/own-writes.ts";
import { ownersOfPods, PodWrites, watchPods } from "../shared/owned-pods.ts";
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
  const { client, clock, events, log } = context;
  const owners = context.informers.informer(kind.type);
  const pods = context.informers.informer(podType);
  const orphansOf = indexOrphans(pods);
  const podWrites = new PodWrites({ informer: pods, client, events });
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
    const { living, leaving } = podWrites.split(key, claimed);

    const failure = metadata.deletionTimestamp === undefined ? await manage(key, owner, wanted, living, signal) : undefined;
    const { status, requeueAfterMs } = planReplicaStatus(wanted, [...living, ...leaving], failure?.condition, clock.now());
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
    if (plan.create > 0 || plan.remove.length > 0) {
      const [want, have] = [wanted.replicas, living.length];
      log.debug("not as wanted", { key, want, have, create: plan.create, remove: plan.remove.length });
    }
    if (plan.create > 0) {
      const template = podFromTemplate(wanted.template, { namespace: owner.metadata.namespace ?? "", name: owner.metadata.name });
      const pod = { ...template, metadata: { ...template.metadata, ownerReferences: [controllerReference(kind.type, owner)] } };
      const { error } = await slowStart(plan.create, () => podWrites.create(key, pod, about, signal));
      return error === undefined ? undefined : { condition: { reason: "FailedCreate", message: text(error) }, error };
    }
    if (plan.remove.length === 0) return undefined;
    const ranked = plan.remove.length === living.length ? plan : planReplicas(wanted, living, relatedPods(owner), clock.now());
    const results = await Promise.allSettled(ranked.remove.map((pod) => podWrites.remove(key, pod, about, signal)));
    const failed = results.find((result) => result.status === "rejected");
    return failed === undefined
      ? undefined
      : { condition: { reason: "FailedDelete", message: text(failed.reason) }, error: failed.reason };
  };

  /** Pods of all owners under the same controller (the ReplicaSets of one Deployment), for spreading deletions over nodes. */
  const relatedPods = (owner: Stored<T>): readonly Pod[] => {
    const controller = controllerOf(owner);
    const siblings = controller === undefined ? [owner] : owners.byIndex("owner", controller.uid);
    return siblings.flatMap((sibling) => pods.byIndex("owner", sibling.metadata.uid));
  };

  return {
    name: kind.controller,
    sources: [watchFor(owners), watchPods(pods, ownersOfPods(owners, kind.selector))],
    reconcile,
  };
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
const text = (error: unknown): string => (error instanceof Error ? error.message : String(error));
