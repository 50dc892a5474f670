// The condition that says why a pod is being deleted by the system (KEP-3329).
import type { Pod, PodStatus } from "#api";
import { setCondition } from "./conditions.ts";

export function withDisruption(pod: Pod, reason: string, message: string, now: string): PodStatus {
  const condition = { type: "DisruptionTarget", status: "True", reason, message, lastTransitionTime: now };
  return { ...pod.status, conditions: setCondition(pod.status?.conditions, condition) };
}
