// From the resources of a container to cgroup numbers and the out-of-memory score.
import { milliValue, type Pod, podAmounts, type Quantity, quantityValue, scaledQuantity } from "#api";
import type { LinuxResources } from "../runtime.ts";
import { qosClass } from "./qos.ts";
import { type AnyContainer, initContainers } from "./spec.ts";

export const cpuPeriod = 100_000;
const leastShares = 2;
const mostShares = 262_144;
const leastQuota = 1000;

export const cpuShares = (milli: number): number =>
  milli === 0 ? leastShares : Math.min(mostShares, Math.max(leastShares, Math.floor((milli * 1024) / 1000)));

/** Microseconds of a period. */
export const cpuQuota = (milli: number): number => Math.max(leastQuota, Math.floor((milli * cpuPeriod) / 1000));

export function linuxResources(pod: Pod, container: AnyContainer, memoryCapacityBytes: number): LinuxResources {
  const { requests, limits } = container.resources ?? {};
  const limitMilli = amount(limits?.["cpu"], milliValue);
  // A limit without a request stands for both, as the API server's defaults do.
  const requestMilli = amount(requests?.["cpu"], milliValue) ?? limitMilli ?? 0;
  const memory = amount(limits?.["memory"], quantityValue);
  return {
    cpuShares: cpuShares(requestMilli),
    ...(limitMilli === undefined ? {} : { cpuQuota: cpuQuota(limitMilli), cpuPeriod }),
    ...(memory === undefined ? {} : { memoryLimitBytes: memory }),
    oomScoreAdj: oomScoreAdj(pod, container, memoryCapacityBytes),
  };
}

const amount = (quantity: Quantity | undefined, read: (quantity: Quantity) => number): number | undefined =>
  quantity === undefined ? undefined : read(quantity) || undefined;

/** Guaranteed pods die last, those without requests first; between them the share of the node's memory decides. */
export function oomScoreAdj(pod: Pod, container: AnyContainer, memoryCapacityBytes: number): number {
  if (pod.spec.priorityClassName === "system-node-critical" || qosClass(pod) === "Guaranteed") return -997;
  if (qosClass(pod) === "BestEffort") return 1000;
  const request = quantityValue(container.resources?.requests?.["memory"]);
  const score = Math.floor(1000 - (1000 * request) / memoryCapacityBytes);
  if (score < 3) return 3;
  return score === 1000 ? 999 : score;
}

/** Of the whole pod: thousandths of a CPU, or bytes. */
export const totalOf = (pod: Pod, which: "requests" | "limits", name: "cpu" | "memory"): number => {
  const amount = podAmounts(pod.spec, which).get(name);
  return amount === undefined ? 0 : Number(scaledQuantity(amount, name === "cpu" ? -3 : 0));
};

/** A sum of limits is one only when every container has its own, or the pod has one as a whole. */
export function limitOf(pod: Pod, name: "cpu" | "memory"): number | undefined {
  const isBounded =
    pod.spec.resources?.limits?.[name] !== undefined ||
    [...pod.spec.containers, ...initContainers(pod)].every(({ resources }) => {
      const limit = resources?.limits?.[name];
      return limit !== undefined && String(limit) !== "0";
    });
  return isBounded ? totalOf(pod, "limits", name) || undefined : undefined;
}
