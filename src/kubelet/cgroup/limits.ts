// What a pod's own control group, and that of its quality of service, may use: upstream's sums. Pure.
import { type Pod, podAmounts, scaledQuantity } from "#api";
import { qosClass } from "../pod/qos.ts";
import { cpuQuota, cpuShares } from "../pod/resources.ts";
import { initContainers } from "../pod/spec.ts";
import type { GroupLimits } from "./kernel.ts";

const unlimited = -1;

const total = (pod: Pod, which: "requests" | "limits", name: "cpu" | "memory"): number => {
  const amount = podAmounts(pod.spec, which).get(name);
  return amount === undefined ? 0 : Number(scaledQuantity(amount, name === "cpu" ? -3 : 0));
};

/** A sum of limits is one only when every container has its own, or the pod has one as a whole. */
function limitOf(pod: Pod, name: "cpu" | "memory"): number | undefined {
  const isBounded =
    pod.spec.resources?.limits?.[name] !== undefined ||
    [...pod.spec.containers, ...initContainers(pod)].every(({ resources }) => {
      const limit = resources?.limits?.[name];
      return limit !== undefined && String(limit) !== "0";
    });
  return isBounded ? total(pod, "limits", name) || undefined : undefined;
}

/** Everything is said, also what is not limited: a resize may have lifted a limit. */
export function podLimits(pod: Pod, pids: number | undefined): GroupLimits {
  const cpu = limitOf(pod, "cpu");
  const isBestEffort = qosClass(pod) === "BestEffort";
  return {
    cpuShares: cpuShares(isBestEffort ? 0 : total(pod, "requests", "cpu")),
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
    [...pods].filter((pod) => qosClass(pod) === "Burstable").reduce((sum, pod) => sum + total(pod, "requests", "cpu"), 0),
  );
