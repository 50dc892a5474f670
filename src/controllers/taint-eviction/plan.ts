// When a pod has to leave a node because of NoExecute taints: pure.
import type { Pod, Taint } from "#api";
import { conditionOf } from "../shared/pods.ts";
import { toleratedSeconds } from "../shared/taints.ts";

/** Milliseconds since 1970 at which the pod is to be deleted, or undefined when it may stay. Counted from the later of taint and binding. */
export function evictionTime(pod: Pod, taints: readonly Taint[], nowMs: number): number | undefined {
  if (taints.length === 0) return undefined;
  const seconds = toleratedSeconds(pod, taints);
  if (seconds === undefined) return undefined;
  if (seconds === 0) return nowMs;
  const bound = conditionOf(pod, "PodScheduled")?.lastTransitionTime ?? pod.metadata.creationTimestamp;
  const starts = [...taints.map(({ timeAdded }) => timeAdded), bound].flatMap((time) =>
    time === undefined ? [] : [Date.parse(time)],
  );
  return (starts.length === 0 ? nowMs : Math.max(...starts)) + seconds * 1000;
}
