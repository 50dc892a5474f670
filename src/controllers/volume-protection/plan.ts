// Claims that a pod uses, and volumes that are bound, are not removed under their users: by a finalizer that goes last. Pure.
import type { ApiObject, PersistentVolume, PersistentVolumeClaim, Pod } from "#api";
import { isFinished } from "../shared/pods.ts";

export const claimFinalizer = "kubernetes.io/pvc-protection";
export const volumeFinalizer = "kubernetes.io/pv-protection";

export const attributesClassFinalizer = "kubernetes.io/vac-protection";

/** The finalizers as they should be, or undefined when they are. */
export function planFinalizers(object: ApiObject, finalizer: string, inUse: () => boolean): readonly string[] | undefined {
  const { finalizers = [], deletionTimestamp } = object.metadata;
  const has = finalizers.includes(finalizer);
  if (deletionTimestamp === undefined) return has ? undefined : [...finalizers, finalizer];
  return has && !inUse() ? finalizers.filter((other) => other !== finalizer) : undefined;
}

/** Names of the claims that the pod holds; one that is not scheduled yet holds none, nor does one that has ended. */
export function claimsOf(pod: Pod): readonly string[] {
  if ((pod.spec.nodeName ?? "") === "" || isFinished(pod)) return [];
  return (pod.spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim !== undefined) return [persistentVolumeClaim.claimName];
    return ephemeral === undefined ? [] : [`${pod.metadata.name}-${name}`];
  });
}

export const isBound = (volume: PersistentVolume): boolean => volume.status?.phase === "Bound";

/** The VolumeAttributesClasses that a claim has, or is on its way to. */
export const attributesClassesOf = ({ spec, status }: PersistentVolumeClaim): readonly string[] =>
  [
    spec.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ].filter((name) => name !== undefined && name !== "") as string[];
