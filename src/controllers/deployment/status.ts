// The Deployment's status and conditions, with upstream's reasons and texts: pure.
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from "#api";
import { rfc3339 } from "#client";
import { findCondition, withoutCondition } from "../shared/conditions.ts";
import { actualOf, availableOf, type Bounds, replicasOf, sum } from "./replica-sets.ts";

type Conditions = readonly DeploymentCondition[] | undefined;

export function countReplicas(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
): DeploymentStatus {
  const availableReplicas = sum(all, availableOf);
  const counts = {
    replicas: sum(all, actualOf),
    updatedReplicas: newSet === undefined ? 0 : actualOf(newSet),
    readyReplicas: sum(all, (set) => set.status?.readyReplicas ?? 0),
    availableReplicas,
    unavailableReplicas: Math.max(0, sum(all, replicasOf) - availableReplicas),
  };
  return {
    ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0)),
    terminatingReplicas: sum(all, (set) => set.status?.terminatingReplicas ?? 0),
    observedGeneration: deployment.metadata.generation ?? 0,
    ...(deployment.status?.collisionCount === undefined ? {} : { collisionCount: deployment.status.collisionCount }),
  };
}

export function condition(
  type: string,
  status: "True" | "False" | "Unknown",
  reason: string,
  message: string,
  nowMs: number,
): DeploymentCondition {
  const now = rfc3339(nowMs);
  return { type, status, reason, message, lastUpdateTime: now, lastTransitionTime: now };
}

/** Same status and reason: nothing changes, not even lastUpdateTime, from which the progress deadline counts. */
export function put(conditions: Conditions, next: DeploymentCondition): readonly DeploymentCondition[] {
  const old = findCondition(conditions, next.type);
  if (old?.status === next.status && old.reason === next.reason) return conditions ?? [];
  const kept = old?.status === next.status ? { ...next, lastTransitionTime: old.lastTransitionTime } : next;
  return [...withoutCondition(conditions, next.type), kept];
}

export function withAvailability(
  conditions: Conditions,
  bounds: Bounds,
  status: DeploymentStatus,
  nowMs: number,
): readonly DeploymentCondition[] {
  return (status.availableReplicas ?? 0) >= bounds.replicas - bounds.unavailable
    ? put(conditions, condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", nowMs))
    : put(
        conditions,
        condition("Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.", nowMs),
      );
}

const noDeadline = 2_147_483_647;
export const hasDeadline = (deployment: Deployment): boolean =>
  (deployment.spec.progressDeadlineSeconds ?? noDeadline) !== noDeadline;

export interface Progress {
  readonly conditions: readonly DeploymentCondition[];
  /** When the deadline passes unless something moves. */
  readonly requeueAfterMs: number | undefined;
}

/** Complete, progressing, or out of time. */
export function withProgress(
  deployment: Deployment,
  conditions: Conditions,
  status: DeploymentStatus,
  newSet: ReplicaSet | undefined,
  nowMs: number,
): Progress {
  if (!hasDeadline(deployment)) return { conditions: withoutCondition(conditions, "Progressing"), requeueAfterMs: undefined };
  const current = findCondition(conditions, "Progressing");
  const subject = newSet === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${newSet.metadata.name}"`;
  const complete = (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && current?.reason === "NewReplicaSetAvailable";
  let next = conditions ?? [];
  if (!complete) {
    if (isComplete(deployment, status))
      next = put(
        next,
        condition("Progressing", "True", "NewReplicaSetAvailable", `${subject} has successfully progressed.`, nowMs),
      );
    else if (isProgressing(deployment, status)) {
      const progressing = condition("Progressing", "True", "ReplicaSetUpdated", `${subject} is progressing.`, nowMs);
      const kept = current?.status === "True" ? { ...progressing, lastTransitionTime: current.lastTransitionTime } : progressing;
      next = [...withoutCondition(next, "Progressing"), kept]; // lastUpdateTime moves with every step forward
    } else if (isOutOfTime(deployment, current, nowMs))
      next = put(
        next,
        condition("Progressing", "False", "ProgressDeadlineExceeded", `${subject} has timed out progressing.`, nowMs),
      );
  }
  const after = findCondition(next, "Progressing");
  const waits =
    !isComplete(deployment, status) &&
    after !== undefined &&
    after.reason !== "ProgressDeadlineExceeded" &&
    after.reason !== "NewReplicaSetAvailable";
  return { conditions: next, requeueAfterMs: waits ? Math.max(1000, deadlineMs(deployment, after) - nowMs + 1000) : undefined };
}

export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const replicas = deployment.spec.replicas ?? 1;
  return (
    (status.updatedReplicas ?? 0) === replicas &&
    (status.replicas ?? 0) === replicas &&
    (status.availableReplicas ?? 0) === replicas &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

function isProgressing(deployment: Deployment, status: DeploymentStatus): boolean {
  const old = deployment.status ?? {};
  const outdated = (of: DeploymentStatus): number => (of.replicas ?? 0) - (of.updatedReplicas ?? 0);
  return (
    (status.updatedReplicas ?? 0) > (old.updatedReplicas ?? 0) ||
    outdated(status) < outdated(old) ||
    (status.readyReplicas ?? 0) > (old.readyReplicas ?? 0) ||
    (status.availableReplicas ?? 0) > (old.availableReplicas ?? 0)
  );
}

const deadlineMs = (deployment: Deployment, progressing: DeploymentCondition): number =>
  Date.parse(progressing.lastUpdateTime ?? "") + (deployment.spec.progressDeadlineSeconds ?? 0) * 1000;

function isOutOfTime(deployment: Deployment, current: DeploymentCondition | undefined, nowMs: number): boolean {
  if (current === undefined || current.reason === "NewReplicaSetAvailable") return false;
  return current.reason === "ProgressDeadlineExceeded" || deadlineMs(deployment, current) < nowMs;
}

/** What keeps the ReplicaSets from making pods, the new one's reason first. */
export function withFailure(
  conditions: Conditions,
  all: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  nowMs: number,
): readonly DeploymentCondition[] {
  const candidates = newSet === undefined ? all : [newSet, ...all];
  for (const set of candidates) {
    const failure = set.status?.conditions?.find(({ type }) => type === "ReplicaFailure");
    if (failure !== undefined)
      return put(conditions, {
        ...condition("ReplicaFailure", "True", failure.reason ?? "", failure.message ?? "", nowMs),
        status: failure.status,
      });
  }
  return withoutCondition(conditions, "ReplicaFailure");
}

/** A paused Deployment has no deadline; pausing and resuming are conditions of their own. */
export function withPause(deployment: Deployment, nowMs: number): Conditions {
  const conditions = deployment.status?.conditions;
  const progressing = findCondition(conditions, "Progressing");
  if (!hasDeadline(deployment) || progressing?.reason === "ProgressDeadlineExceeded") return conditions;
  const paused = deployment.spec.paused === true;
  if (paused && progressing?.reason !== "DeploymentPaused")
    return put(conditions, condition("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", nowMs));
  if (!paused && progressing?.reason === "DeploymentPaused")
    return put(conditions, condition("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", nowMs));
  return conditions;
}
