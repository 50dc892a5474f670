// Which pods go first when there are too many: the order of upstream's ActivePodsWithRanks, with logarithmic ages (KEP-2185).

import type { Pod, Stored } from "#api";
import { own } from "#base";
import { conditionOf, isReady } from "../shared/pods.ts";

const phaseRank: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/** `doubledUp` counts the owner's (and its siblings') active pods on each node. Returns the pods, first to be deleted first. */
export function deletionOrder(
  pods: readonly Stored<Pod>[],
  doubledUp: ReadonlyMap<string, number>,
  nowMs: number,
): readonly Stored<Pod>[] {
  return pods
    .map((pod) => ({ pod, facts: factsOf(pod, doubledUp, nowMs) }))
    .sort(compare)
    .map(({ pod }) => pod);
}

interface Ranked {
  readonly pod: Stored<Pod>;
  /** Compared one by one; the smaller goes first. */
  readonly facts: readonly number[];
}

function factsOf(pod: Stored<Pod>, doubledUp: ReadonlyMap<string, number>, nowMs: number): readonly number[] {
  const node = pod.spec.nodeName ?? "";
  const ready = isReady(pod);
  return [
    node === "" ? 0 : 1,
    own(phaseRank, pod.status?.phase ?? "") ?? 0,
    ready ? 1 : 0,
    deletionCost(pod),
    node === "" ? 0 : -(doubledUp.get(node) ?? 0),
    ready ? logarithmicAge(conditionOf(pod, "Ready")?.lastTransitionTime, nowMs) : 0,
    -restarts(pod),
    logarithmicAge(pod.metadata.creationTimestamp, nowMs),
  ];
}

function compare(a: Ranked, b: Ranked): number {
  for (let i = 0; i < a.facts.length; i++) {
    const difference = (a.facts[i] ?? 0) - (b.facts[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.pod.metadata.uid < b.pod.metadata.uid ? -1 : a.pod.metadata.uid > b.pod.metadata.uid ? 1 : 0;
}

/** Pods whose ages differ by less than a factor of two count as equally old, so that the youngest half is not always hit. Younger goes first. */
function logarithmicAge(time: string | undefined, nowMs: number): number {
  if (time === undefined) return -1;
  const seconds = (nowMs - Date.parse(time)) / 1000;
  return seconds < 1 ? 0 : Math.floor(Math.log2(seconds)) + 1;
}

function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.["controller.kubernetes.io/pod-deletion-cost"] ?? "";
  return /^-?(0|[1-9]\d*)$/.test(text) ? Number(text) : 0;
}

const restarts = (pod: Pod): number =>
  Math.max(0, ...(pod.status?.containerStatuses ?? []).map(({ restartCount }) => restartCount));
