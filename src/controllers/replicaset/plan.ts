// How many pods a ReplicaSet or ReplicationController creates or deletes, and its status: pure.
import {
  type Pod,
  type PodTemplateSpec,
  type ReplicaSetCondition,
  type ReplicaSetStatus,
  type Stored,
  semanticEqual,
} from "#api";
import { rfc3339 } from "#client";
import { findCondition, withoutCondition } from "../shared/conditions.ts";
import { availableAtMs, isActive, isReady, isTerminating } from "../shared/pods.ts";
import { deletionOrder } from "./rank.ts";

/** Upstream's burst: at most so many creates or deletes in one reconcile. */
export const burst = 500;

export interface Wanted {
  readonly replicas: number;
  readonly minReadySeconds: number;
  readonly template: PodTemplateSpec;
  readonly generation: number;
  /** Of the stored status, for conditions and comparison. */
  readonly status: ReplicaSetStatus | undefined;
  /** ReplicationControllers do not report it. */
  readonly countsTerminating: boolean;
}

export interface ReplicaPlan {
  readonly create: number;
  readonly remove: readonly Stored<Pod>[];
}

/** `pods` are all pods the owner controls; `related` those of its siblings too (they share nodes). */
export function planReplicas(wanted: Wanted, pods: readonly Stored<Pod>[], related: readonly Pod[], nowMs: number): ReplicaPlan {
  const active = pods.filter(isActive);
  const surplus = active.length - wanted.replicas;
  if (surplus <= 0) return { create: Math.min(-surplus, burst), remove: [] };
  const doubledUp = new Map<string, number>();
  for (const pod of related) {
    const node = pod.spec.nodeName ?? "";
    if (isActive(pod) && node !== "") doubledUp.set(node, (doubledUp.get(node) ?? 0) + 1);
  }
  const count = Math.min(surplus, burst);
  // All of them go: no order to work out.
  return { create: 0, remove: count === active.length ? active : deletionOrder(active, doubledUp, nowMs).slice(0, count) };
}

export interface Failure {
  readonly reason: "FailedCreate" | "FailedDelete";
  readonly message: string;
}

export interface StatusPlan {
  /** Undefined when the stored one is right. */
  readonly status: ReplicaSetStatus | undefined;
  /** When the next pod becomes available. */
  readonly requeueAfterMs: number | undefined;
}

export function planReplicaStatus(
  wanted: Wanted,
  pods: readonly Stored<Pod>[],
  failure: Failure | undefined,
  nowMs: number,
): StatusPlan {
  const labels = Object.entries(wanted.template.metadata?.labels ?? {});
  let replicas = 0;
  let fullyLabeledReplicas = 0;
  let readyReplicas = 0;
  let availableReplicas = 0;
  let terminatingReplicas = 0;
  let nextMs = Number.POSITIVE_INFINITY;
  for (const pod of pods) {
    if (isTerminating(pod)) {
      if (pod.status?.phase !== "Succeeded" && pod.status?.phase !== "Failed") terminatingReplicas++;
      continue;
    }
    if (!isActive(pod)) continue;
    replicas++;
    if (labels.every(([key, value]) => pod.metadata.labels?.[key] === value)) fullyLabeledReplicas++;
    if (!isReady(pod)) continue;
    readyReplicas++;
    const at = availableAtMs(pod, wanted.minReadySeconds);
    if (at === undefined) continue;
    if (at <= nowMs) availableReplicas++;
    else nextMs = Math.min(nextMs, at);
  }
  const status: ReplicaSetStatus = {
    replicas,
    ...nonZero({ fullyLabeledReplicas, readyReplicas, availableReplicas }),
    ...(wanted.countsTerminating ? { terminatingReplicas } : {}),
    observedGeneration: wanted.generation,
    ...conditionsAfter(wanted.status?.conditions, failure, nowMs),
  };
  return {
    status: semanticEqual(status, wanted.status ?? {}) ? undefined : status,
    requeueAfterMs: nextMs === Number.POSITIVE_INFINITY ? undefined : nextMs - nowMs,
  };
}

function conditionsAfter(
  old: readonly ReplicaSetCondition[] | undefined,
  failure: Failure | undefined,
  nowMs: number,
): { readonly conditions?: readonly ReplicaSetCondition[] } {
  const present = findCondition(old, "ReplicaFailure");
  if (failure === undefined) {
    const rest = withoutCondition(old, "ReplicaFailure");
    return rest.length === 0 ? {} : { conditions: rest };
  }
  if (present !== undefined) return { conditions: old };
  return {
    conditions: [...(old ?? []), { type: "ReplicaFailure", status: "True", ...failure, lastTransitionTime: rfc3339(nowMs) }],
  };
}

/** Counts that upstream leaves out of the JSON when they are 0. */
function nonZero(counts: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}

/** The pod that a template stands for; the server adds the random end of its name. */
export const podFromTemplate = (
  template: PodTemplateSpec,
  owner: { readonly namespace: string; readonly name: string },
): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    namespace: owner.namespace,
    generateName: `${owner.name}-`,
    ...(template.metadata?.labels === undefined ? {} : { labels: template.metadata.labels }),
    ...(template.metadata?.annotations === undefined ? {} : { annotations: template.metadata.annotations }),
    ...(template.metadata?.finalizers === undefined ? {} : { finalizers: template.metadata.finalizers }),
  },
  spec: template.spec ?? { containers: [] },
});
