// Does a pod use more of its node's disk than it may? Upstream's order and words. Pure.
import { canonicalQuantity, formatQuantity, type Pod, podAmounts, quantityValue, scaledQuantity, type Volume } from "#api";
import { isMirror, isStatic } from "../pod/spec.ts";

export interface StorageUsage {
  /** Bytes, by the volume's name. */
  readonly volumes: ReadonlyMap<string, number>;
  /** Writable layer and logs in bytes, by the name of a container that has not ended. */
  readonly containers: ReadonlyMap<string, number>;
}

const resource = "ephemeral-storage";
const systemCriticalPriority = 2_000_000_000;

/** What lies on the node's disk and is counted for the pod. */
export const isLocal = (volume: Volume): boolean =>
  (volume.emptyDir !== undefined && volume.emptyDir.medium !== "Memory") ||
  volume.configMap !== undefined ||
  volume.downwardAPI !== undefined;

const isSized = (volume: Volume): boolean => quantityValue(volume.emptyDir?.sizeLimit) > 0;

/** Worth measuring: some limit is there, and the node may evict this pod at all. */
export function isBounded(pod: Pod): boolean {
  if (isStatic(pod) || isMirror(pod) || (pod.spec.priority ?? 0) >= systemCriticalPriority) return false;
  return hasPodLimit(pod) || (pod.spec.volumes ?? []).some(isSized);
}

export const hasPodLimit = (pod: Pod): boolean => podAmounts(pod.spec, "limits").has(resource);

/** Volumes whose size is needed to tell. */
export const volumesToMeasure = (pod: Pod): readonly Volume[] =>
  (pod.spec.volumes ?? []).filter((volume) => isSized(volume) || (hasPodLimit(pod) && isLocal(volume)));

/** The message of the eviction; undefined where all is within its limits. */
export function overuse(pod: Pod, { volumes, containers }: StorageUsage): string | undefined {
  for (const { name, emptyDir } of pod.spec.volumes ?? []) {
    const limit = emptyDir?.sizeLimit;
    if (limit === undefined || quantityValue(limit) <= 0 || (volumes.get(name) ?? 0) <= quantityValue(limit)) continue;
    return `Usage of EmptyDir volume "${name}" exceeds the limit "${canonicalQuantity(limit)}". `;
  }
  const limit = podAmounts(pod.spec, "limits").get(resource);
  if (limit === undefined) return undefined;
  const local = (pod.spec.volumes ?? []).filter(isLocal).map(({ name }) => volumes.get(name) ?? 0);
  const total = [...containers.values(), ...local].reduce((sum, bytes) => sum + bytes, 0);
  if (total > Number(scaledQuantity(limit, 0)))
    return `Pod ephemeral local storage usage exceeds the total limit of containers ${formatQuantity(limit)}. `;
  for (const { name, resources } of pod.spec.containers) {
    const own = resources?.limits?.[resource];
    if (own === undefined || quantityValue(own) <= 0 || (containers.get(name) ?? 0) <= quantityValue(own)) continue;
    return `Container ${name} exceeded its local ephemeral storage limit "${canonicalQuantity(own)}". `;
  }
  return undefined;
}
