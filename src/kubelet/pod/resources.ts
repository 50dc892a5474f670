// From the resources of a container to cgroup numbers and the out-of-memory score.
import { milliValue, type Pod, type Quantity, quantityValue } from "#api";
import type { LinuxResources } from "../runtime.ts";
import { qosClass } from "./qos.ts";
import type { AnyContainer } from "./spec.ts";

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
