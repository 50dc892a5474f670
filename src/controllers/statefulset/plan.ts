// What a StatefulSet does next: which ordinal is created, deleted or replaced, in order, and its status. Pure.
import {
  type PersistentVolumeClaim,
  type Pod,
  type PodTemplateSpec,
  type StatefulSet,
  type StatefulSetStatus,
  type Stored,
  scaledValue,
  semanticEqual,
  statefulSets,
} from "#api";
import { controllerReference } from "#client";
import { podFromTemplate } from "../replicaset/plan.ts";
import { availableAtMs, isAvailable, isReady, isTerminating } from "../shared/pods.ts";
import { revisionHashLabel } from "../shared/revisions.ts";

export interface StatefulFacts {
  readonly set: Stored<StatefulSet>;
  /** Pods that the set controls. */
  readonly pods: readonly Stored<Pod>[];
  /** Names and templates of the revision in use and of the one to come; the same when nothing is being rolled out. */
  readonly current: { readonly name: string; readonly template: PodTemplateSpec };
  readonly update: { readonly name: string; readonly template: PodTemplateSpec };
  readonly nowMs: number;
}

export interface StatefulPlan {
  readonly create: readonly { readonly pod: Pod; readonly claims: readonly PersistentVolumeClaim[] }[];
  readonly remove: readonly Stored<Pod>[];
  readonly status: StatefulSetStatus | undefined;
  readonly requeueAfterMs: number | undefined;
}

const startOrdinal = (set: StatefulSet): number => set.spec.ordinals?.start ?? 0;
const replicasOf = (set: StatefulSet): number => set.spec.replicas ?? 1;

export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const name = pod.metadata.name ?? "";
  const prefix = `${set.metadata.name}-`;
  const rest = name.slice(prefix.length);
  return name.startsWith(prefix) && /^(0|[1-9]\d*)$/.test(rest) ? Number(rest) : undefined;
}

const isRunningAndReady = (pod: Pod): boolean => pod.status?.phase === "Running" && isReady(pod);
const ended = (pod: Pod): boolean => pod.status?.phase === "Failed" || pod.status?.phase === "Succeeded";
const revisionOf = (pod: Pod): string => pod.metadata.labels?.[revisionHashLabel] ?? "";

export function planStatefulSet(facts: StatefulFacts): StatefulPlan {
  const { set, nowMs } = facts;
  const steps = set.metadata.deletionTimestamp === undefined ? stepsOf(facts) : { create: [], remove: [] };
  const { status, nextMs } = statusOf(facts);
  return {
    create: steps.create.map((ordinal) => ({ pod: newPod(facts, ordinal), claims: claimsOf(set, ordinal) })),
    remove: steps.remove,
    status: semanticEqual(status, set.status ?? {}) ? undefined : status,
    requeueAfterMs: nextMs === undefined ? undefined : Math.max(1, nextMs - nowMs),
  };
}

/** Ordered: one thing at a time, upwards when creating, downwards when deleting. Parallel: all at once (updates excepted). */
function stepsOf(facts: StatefulFacts): { readonly create: readonly number[]; readonly remove: readonly Stored<Pod>[] } {
  const { set, pods, nowMs } = facts;
  const ordered = set.spec.podManagementPolicy !== "Parallel";
  const minReady = set.spec.minReadySeconds ?? 0;
  const first = startOrdinal(set);
  const end = first + replicasOf(set);
  const byOrdinal = new Map<number, Stored<Pod>>();
  const condemned: (readonly [number, Stored<Pod>])[] = [];
  for (const pod of pods) {
    const ordinal = ordinalOf(set, pod);
    if (ordinal === undefined) continue;
    if (ordinal >= first && ordinal < end) byOrdinal.set(ordinal, pod);
    else condemned.push([ordinal, pod]);
  }
  condemned.sort(([a], [b]) => b - a);
  const healthy = (pod: Pod | undefined): boolean => pod !== undefined && isRunningAndReady(pod) && !isTerminating(pod);

  const create: number[] = [];
  const remove: Stored<Pod>[] = [];
  for (let ordinal = first; ordinal < end; ordinal++) {
    const pod = byOrdinal.get(ordinal);
    if (pod === undefined) create.push(ordinal);
    // The name must be free before its successor can have it.
    else if (ended(pod) && !isTerminating(pod)) remove.push(pod);
    if (ordered && !(pod !== undefined && healthy(pod) && isAvailable(pod, minReady, nowMs))) return { create, remove };
  }
  if (create.length > 0 || remove.length > 0) if (ordered) return { create, remove };

  // Scaling down, the highest first; while one below is unhealthy only that one may go.
  const firstUnhealthy =
    [...byOrdinal].sort(([a], [b]) => a - b).find(([, pod]) => !healthy(pod))?.[1] ??
    [...condemned].reverse().find(([, pod]) => !healthy(pod))?.[1];
  for (const [, pod] of condemned) {
    if (isTerminating(pod)) {
      if (ordered) return { create, remove };
      continue;
    }
    if (ordered && !isRunningAndReady(pod) && pod !== firstUnhealthy) return { create, remove };
    remove.push(pod);
    if (ordered) return { create, remove };
  }

  if (set.spec.updateStrategy?.type === "OnDelete") return { create, remove };
  const { partition = 0, maxUnavailable = 1 } = set.spec.updateStrategy?.rollingUpdate ?? {};
  const limit = Math.max(1, scaledValue(maxUnavailable, replicasOf(set), true));
  let unavailable =
    [...byOrdinal.values()].filter((pod) => !(healthy(pod) && isAvailable(pod, minReady, nowMs))).length + create.length;
  const doomed = new Set(remove);
  for (let ordinal = end - 1; ordinal >= first + partition; ordinal--) {
    const pod = byOrdinal.get(ordinal);
    if (pod === undefined || revisionOf(pod) === facts.update.name || isTerminating(pod) || doomed.has(pod)) {
      // Upwards only when what was replaced is well again.
      if (ordered && limit === 1 && pod !== undefined && !(healthy(pod) && isAvailable(pod, minReady, nowMs))) break;
      continue;
    }
    const counted = !(healthy(pod) && isAvailable(pod, minReady, nowMs));
    if (!counted && unavailable >= limit) break;
    remove.push(pod);
    if (!counted) unavailable++;
    if (limit === 1) break;
  }
  return { create, remove };
}

function statusOf({ set, pods, current, update, nowMs }: StatefulFacts): {
  readonly status: StatefulSetStatus;
  readonly nextMs: number | undefined;
} {
  const minReady = set.spec.minReadySeconds ?? 0;
  let [replicas, ready, available, currentReplicas, updated] = [0, 0, 0, 0, 0];
  let nextMs: number | undefined;
  for (const pod of pods) {
    if (ordinalOf(set, pod) === undefined || ended(pod)) continue;
    replicas++;
    if (isRunningAndReady(pod)) {
      ready++;
      const at = availableAtMs(pod, minReady);
      if (at !== undefined && at <= nowMs) available++;
      else if (at !== undefined) nextMs = Math.min(nextMs ?? at, at);
    }
    if (isTerminating(pod)) continue;
    if (revisionOf(pod) === current.name) currentReplicas++;
    if (revisionOf(pod) === update.name) updated++;
  }
  const complete =
    updated === replicas &&
    ready === replicas &&
    replicas === replicasOf(set) &&
    set.spec.updateStrategy?.type !== "OnDelete" &&
    (set.spec.updateStrategy?.rollingUpdate?.partition ?? 0) === 0;
  const nonZero = (counts: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
  return {
    nextMs,
    status: {
      replicas,
      // Absent would mean "not known" to clients that wait for it.
      availableReplicas: available,
      ...nonZero({ readyReplicas: ready, currentReplicas: complete ? updated : currentReplicas, updatedReplicas: updated }),
      currentRevision: complete ? update.name : current.name,
      updateRevision: update.name,
      observedGeneration: set.metadata.generation ?? 0,
      collisionCount: set.status?.collisionCount ?? 0,
      ...(set.status?.conditions === undefined ? {} : { conditions: set.status.conditions }),
    },
  };
}

/** Below the partition, and for those not yet reached by the rollout, a lost pod comes back as it was. */
function usesCurrent({ set, pods, current }: StatefulFacts, ordinal: number): boolean {
  const strategy = set.spec.updateStrategy;
  if (strategy?.type === "OnDelete") return false;
  const partition = strategy?.rollingUpdate?.partition;
  if (partition !== undefined && partition !== 0) return ordinal < startOrdinal(set) + partition;
  // Counted now: the stored status may still count the pod whose place is to be filled.
  const untouched = pods.filter(
    (pod) => ordinalOf(set, pod) !== undefined && !isTerminating(pod) && !ended(pod) && revisionOf(pod) === current.name,
  ).length;
  return ordinal < startOrdinal(set) + untouched;
}

const claimName = (template: PersistentVolumeClaim, set: StatefulSet, ordinal: number): string =>
  `${template.metadata.name}-${set.metadata.name}-${ordinal}`;

function claimsOf(set: Stored<StatefulSet>, ordinal: number): readonly PersistentVolumeClaim[] {
  return (set.spec.volumeClaimTemplates ?? []).map((template) => ({
    ...template,
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: {
      ...template.metadata,
      namespace: set.metadata.namespace,
      name: claimName(template, set, ordinal),
      labels: { ...template.metadata.labels, ...set.spec.selector.matchLabels },
      // whenDeleted: Delete makes the claim go with the set.
      ...(set.spec.persistentVolumeClaimRetentionPolicy?.whenDeleted === "Delete"
        ? { ownerReferences: [{ ...controllerReference(statefulSets, set), blockOwnerDeletion: false }] }
        : {}),
    },
  }));
}

function newPod(facts: StatefulFacts, ordinal: number): Pod {
  const { set } = facts;
  const revision = facts.current.name !== facts.update.name && usesCurrent(facts, ordinal) ? facts.current : facts.update;
  const pod = podFromTemplate(revision.template, { namespace: set.metadata.namespace ?? "", name: set.metadata.name });
  const name = `${set.metadata.name}-${ordinal}`;
  const templates = set.spec.volumeClaimTemplates ?? [];
  const own = templates.map((template) => ({
    name: template.metadata.name ?? "",
    persistentVolumeClaim: { claimName: claimName(template, set, ordinal), readOnly: false },
  }));
  const { generateName: _generateName, ...metadata } = pod.metadata;
  return {
    ...pod,
    metadata: {
      ...metadata,
      name,
      labels: {
        ...metadata.labels,
        "statefulset.kubernetes.io/pod-name": name,
        "apps.kubernetes.io/pod-index": String(ordinal),
        [revisionHashLabel]: revision.name,
      },
      ownerReferences: [controllerReference(statefulSets, set)],
    },
    spec: {
      ...pod.spec,
      hostname: name,
      ...((set.spec.serviceName ?? "") === "" ? {} : { subdomain: set.spec.serviceName }),
      ...(own.length === 0
        ? {}
        : { volumes: [...(pod.spec.volumes ?? []).filter((volume) => !own.some((mine) => mine.name === volume.name)), ...own] }),
    },
  };
}
