// What a pod's own control group, and that of its quality of service, may use: upstream's sums. Pure.
import type { Pod } from "#api";
import { qosClass } from "../pod/qos.ts";
import { cpuQuota, cpuShares, limitOf, totalOf } from "../pod/resources.ts";
import type { GroupLimits } from "./kernel.ts";

const unlimited = -1;

/** Everything is said, also what is not limited: a resize may have lifted a limit. */
export function podLimits(pod: Pod, pids: number | undefined): GroupLimits {
  const cpu = limitOf(pod, "cpu");
  const isBestEffort = qosClass(pod) === "BestEffort";
  return {
    cpuShares: cpuShares(isBestEffort ? 0 : totalOf(pod, "requests", "cpu")),
    cpuQuota: cpu === undefined ? unlimited : cpuQuota(cpu),
    memoryLimitBytes: limitOf(pod, "memory") ?? unlimited,
    ...(pids === undefined ? {} : { pids }),
  };
}

/** While a pod is resized neither the old nor the new limits of its containers may exceed the pod's. */
export function widerOf(a: GroupLimits, b: GroupLimits): GroupLimits {
  const most = (one = unlimited, other = unlimited): number => (one < 0 || other < 0 ? unlimited : Math.max(one, other));
  return { ...b, cpuQuota: most(a.cpuQuota, b.cpuQuota), memoryLimitBytes: most(a.memoryLimitBytes, b.memoryLimitBytes) };
}

/** All burstable pods together have the shares that they have asked for. */
export const burstableShares = (pods: Iterable<Pod>): number =>
  cpuShares(
    [...pods].filter((pod) => qosClass(pod) === "Burstable").reduce((sum, pod) => sum + totalOf(pod, "requests", "cpu"), 0),
  );
