// Storage: default storage class, protection finalizers, and who may grow a claim.
import {
  compareQuantities,
  type PersistentVolumeClaim,
  parseQuantity,
  persistentVolumeClaims,
  persistentVolumes,
  type StorageClass,
  type Stored,
  storageClasses,
  volumeAttributesClasses,
} from "#api";
import type { AdmissionPlugin } from "../../contract.ts";
import type { AdmissionDeps } from "./plugins.ts";
import { isResource, refuse } from "./support.ts";

const isDefaultClass = (each: Stored<StorageClass>): boolean =>
  each.metadata.annotations?.["storageclass.kubernetes.io/is-default-class"] === "true" ||
  each.metadata.annotations?.["storageclass.beta.kubernetes.io/is-default-class"] === "true";

export function defaultStorageClass({ reader }: AdmissionDeps): AdmissionPlugin {
  return {
    name: "DefaultStorageClass",
    mutate: (object, context) => {
      if (context.operation !== "CREATE" || !isResource(context, persistentVolumeClaims)) return object;
      const claim = object as PersistentVolumeClaim; // the resource's objects
      const isGiven =
        (claim.spec?.storageClassName !== undefined && claim.spec.storageClassName !== null) ||
        claim.metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] !== undefined;
      if (isGiven) return object;
      const chosen = newest(reader.list<StorageClass>(storageClasses).filter(isDefaultClass));
      return chosen === undefined ? object : { ...claim, spec: { ...claim.spec, storageClassName: chosen.metadata.name } };
    },
  };
}

/** Among several defaults the one made last counts, then the first by name. */
export function newest<T extends Stored<object & { metadata: object }>>(objects: readonly T[]): T | undefined {
  return [...objects].sort((a, b) =>
    a.metadata.creationTimestamp === b.metadata.creationTimestamp
      ? a.metadata.name < b.metadata.name
        ? -1
        : 1
      : a.metadata.creationTimestamp > b.metadata.creationTimestamp
        ? -1
        : 1,
  )[0];
}

const protections: readonly (readonly [{ readonly group: string; readonly plural: string }, string])[] = [
  [persistentVolumeClaims, "kubernetes.io/pvc-protection"],
  [persistentVolumes, "kubernetes.io/pv-protection"],
  [volumeAttributesClasses, "kubernetes.io/vac-protection"],
];

export const storageObjectInUseProtection: AdmissionPlugin = {
  name: "StorageObjectInUseProtection",
  mutate: (object, context) => {
    if (context.operation !== "CREATE" || context.subresource !== "") return object;
    const finalizer = protections.find(([type]) => type.plural === context.type.plural && type.group === context.type.group)?.[1];
    const own = object.metadata.finalizers ?? [];
    if (finalizer === undefined || own.includes(finalizer)) return object;
    return { ...object, metadata: { ...object.metadata, finalizers: [...own, finalizer] } };
  },
};

export function persistentVolumeClaimResize({ reader }: AdmissionDeps): AdmissionPlugin {
  return {
    name: "PersistentVolumeClaimResize",
    validate: (object, context) => {
      if (context.operation !== "UPDATE" || !isResource(context, persistentVolumeClaims)) return;
      const [claim, old] = [object as PersistentVolumeClaim, context.old as Stored<PersistentVolumeClaim>]; // the resource's objects
      const [wanted, had] = [claim.spec?.resources?.requests?.storage, old.spec?.resources?.requests?.storage];
      if (wanted === undefined || had === undefined || compareQuantities(parseQuantity(wanted), parseQuantity(had)) <= 0) return;
      if (old.status?.phase !== "Bound") throw refuse(context, object, "Only bound persistent volume claims can be expanded");
      const className =
        claim.metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? claim.spec?.storageClassName ?? "";
      const storageClass = className === "" ? undefined : reader.get<StorageClass>(storageClasses, { name: className });
      if (storageClass?.allowVolumeExpansion !== true) {
        const why =
          "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
        throw refuse(context, object, why);
      }
    },
  };
}
