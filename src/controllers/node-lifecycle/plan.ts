// What a node's silence or conditions lead to: conditions Unknown, taints, and when to look again. Pure.
import { deepEqual, type Node, type NodeCondition, type Taint } from "#api";
import { rfc3339 } from "#client";
import { notReadyTaint, sameTaint, unreachableTaint, unschedulableTaint } from "../shared/taints.ts";

export interface Health {
  /** Undefined when the stored ones are right. */
  readonly conditions: readonly NodeCondition[] | undefined;
  /** Milliseconds until the node would be overdue; undefined when it already is. */
  readonly overdueInMs: number | undefined;
}

export interface HealthFacts {
  readonly node: Node;
  /** Since when nothing was heard of the node, by our own clock. */
  readonly silentMs: number;
  readonly graceMs: number;
  readonly nowMs: number;
}

const watched = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/** A node that is silent for longer than the grace period has unknown conditions (upstream tryUpdateNodeHealth). */
export function planHealth({ node, silentMs, graceMs, nowMs }: HealthFacts): Health {
  if (silentMs < graceMs) return { conditions: undefined, overdueInMs: graceMs - silentMs };
  const now = rfc3339(nowMs);
  const conditions = [...(node.status?.conditions ?? [])];
  let changed = false;
  for (const type of watched) {
    const index = conditions.findIndex((condition) => condition.type === type);
    const old = conditions[index];
    if (old === undefined) {
      conditions.push({
        type,
        status: "Unknown",
        reason: "NodeStatusNeverUpdated",
        message: "Kubelet never posted node status.",
        lastHeartbeatTime: node.metadata.creationTimestamp,
        lastTransitionTime: now,
      });
    } else if (old.status !== "Unknown") {
      conditions[index] = {
        ...old,
        status: "Unknown",
        reason: "NodeStatusUnknown",
        message: "Kubelet stopped posting node status.",
        lastTransitionTime: now,
      };
    } else continue;
    changed = true;
  }
  return { conditions: changed ? conditions : undefined, overdueInMs: undefined };
}

/** "True", "False" or "Unknown"; a node without the condition is not known either. */
export const readyStatus = (node: Node): string =>
  node.status?.conditions?.find(({ type }) => type === "Ready")?.status ?? "Unknown";

const taintOf: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Ready: { False: notReadyTaint, Unknown: unreachableTaint },
  MemoryPressure: { True: "node.kubernetes.io/memory-pressure" },
  DiskPressure: { True: "node.kubernetes.io/disk-pressure" },
  NetworkUnavailable: { True: "node.kubernetes.io/network-unavailable" },
  PIDPressure: { True: "node.kubernetes.io/pid-pressure" },
};
const managedNoSchedule = new Set([...Object.values(taintOf).flatMap((byStatus) => Object.values(byStatus)), unschedulableTaint]);

/** The node's taints as they should be, or undefined when they are. `evict`: pods may be evicted from an unready node now. */
export function planTaints(node: Node, evict: boolean, nowMs: number): readonly Taint[] | undefined {
  const wanted: Taint[] = [];
  for (const { type, status } of node.status?.conditions ?? []) {
    const key = taintOf[type]?.[status];
    if (key !== undefined) wanted.push({ key, effect: "NoSchedule" });
  }
  if (node.spec?.unschedulable === true) wanted.push({ key: unschedulableTaint, effect: "NoSchedule" });
  const noExecute = noExecuteOf(node);
  if (noExecute !== undefined && evict) wanted.push({ key: noExecute, effect: "NoExecute" });

  const current = node.spec?.taints ?? [];
  const managed = (taint: Taint): boolean =>
    (taint.effect === "NoSchedule" && managedNoSchedule.has(taint.key)) ||
    (taint.effect === "NoExecute" && (taint.key === notReadyTaint || taint.key === unreachableTaint));
  const kept = current.filter((taint) => !managed(taint) || wanted.some((other) => sameTaint(taint, other)));
  const added = wanted
    .filter((taint) => !current.some((other) => sameTaint(taint, other)))
    .map((taint) => ({ ...taint, timeAdded: rfc3339(nowMs) }));
  const next = [...kept, ...added];
  return deepEqual(next, current) ? undefined : next;
}

/** The NoExecute taint that the node's readiness calls for. */
export function noExecuteOf(node: Node): string | undefined {
  const ready = node.status?.conditions?.find(({ type }) => type === "Ready")?.status;
  return ready === "False" ? notReadyTaint : ready === "Unknown" ? unreachableTaint : undefined;
}

export interface ZoneCount {
  readonly ready: number;
  readonly notReady: number;
}

export interface EvictionRate {
  /** Undefined: at no rate. */
  readonly pauseMs: number | undefined;
}

/**
 * How fast nodes of a zone may be emptied: one in 10 s; in a zone where more than 55 % (and more than two) are unready, one in 100 s
 * if the zone is large (over 50 nodes) and none otherwise, for then the fault is likely ours (upstream's defaults).
 */
export function evictionRate({ ready, notReady }: ZoneCount): EvictionRate {
  if (notReady > 2 && notReady / (notReady + ready) >= 0.55) {
    if (ready === 0) return { pauseMs: 10_000 };
    return { pauseMs: ready + notReady > 50 ? 100_000 : undefined };
  }
  return { pauseMs: 10_000 };
}
