// Which of several possible preemptions hurts the least.
import type { NodeState } from "../cluster/node-state.ts";
import type { PodInfo } from "../cluster/pod-info.ts";

export interface Candidate {
  readonly node: NodeState;
  /** The most important first. */
  readonly victims: readonly PodInfo[];
  /** How many of them a disruption budget protects. */
  readonly violations: number;
}

/** Lower is better, in this order, as upstream decides. */
const costs: readonly ((candidate: Candidate) => number)[] = [
  ({ violations }) => violations,
  ({ victims }) => victims[0]?.priority ?? Number.NEGATIVE_INFINITY,
  // Shifted so that many victims of negative priority do not count as cheap.
  ({ victims }) => victims.reduce((sum, { priority }) => sum + priority + 2 ** 31, 0),
  ({ victims }) => victims.length,
  // The later the oldest of the most important victims began, the better.
  ({ victims }) => -earliestStart(victims),
];

function earliestStart(victims: readonly PodInfo[]): number {
  const top = victims[0]?.priority;
  const starts = victims
    .filter(({ priority }) => priority === top)
    .map(({ pod }) => (pod.status?.startTime === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(pod.status.startTime)));
  return starts.length === 0 ? 0 : Math.min(...starts);
}

/** `candidates` is not empty; the first of equals wins. */
export function pickCandidate(candidates: readonly Candidate[]): Candidate {
  let left = candidates;
  for (const cost of costs) {
    const values = left.map(cost);
    const min = Math.min(...values);
    left = left.filter((_, index) => values[index] === min);
    if (left.length === 1) break;
  }
  return left[0] as Candidate; // min is one of the values
}
