// How large an emptyDir in memory may grow: the least of its own limit, its pod's and the node's. Pure.
import { type Pod, type Quantity, quantityValue, type Volume } from "#api";
import { limitOf } from "../pod/resources.ts";

/** 0: nothing bounds it. */
export function memoryVolumeBytes(pod: Pod, volume: Volume, allocatable: Quantity | undefined): number {
  const bounds = [quantityValue(allocatable), limitOf(pod, "memory") ?? 0, quantityValue(volume.emptyDir?.sizeLimit)];
  const least = Math.min(...bounds.filter((bytes) => bytes > 0));
  return Number.isFinite(least) ? least : 0;
}
