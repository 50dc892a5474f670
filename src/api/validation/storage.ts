// PersistentVolumes and claims.
import { deepEqual, semanticEqual } from "../deep-equal.ts";
import { type FieldError, forbiddenField, invalidValue, notSupported, required } from "../errors.ts";
import { isDns1123Subdomain, isLabelKey } from "../names.ts";
import { compareQuantityTexts, parseQuantity, signOf } from "../quantity.ts";
import type { AnyObject } from "../rules.ts";
import { noBacksteps, oneOf } from "./basics.ts";
import { validateAccessModes, validateClaimSpec } from "./claims.ts";
import { asGo } from "./go-shapes.ts";
import { keepStatus, withField, without } from "./helpers.ts";
import { immutableText, invalids, subdomainName, validateObjectMeta, validateObjectMetaUpdate } from "./meta.ts";
import { validateNodeSelector } from "./pod/scheduling.ts";
import { csiDriverName, volumeSourceChecks } from "./pod/volumes.ts";
import { jsonDiff } from "./spec-diff.ts";

const meta = (object: AnyObject, namespaced: boolean): FieldError[] =>
  validateObjectMeta(object.metadata, namespaced, subdomainName);
const metaUpdate = (next: AnyObject, old: AnyObject): FieldError[] => validateObjectMetaUpdate(next.metadata, old.metadata);
// PersistentVolume

const volumeSources = [
  "hostPath",
  "gcePersistentDisk",
  "awsElasticBlockStore",
  "glusterfs",
  "flocker",
  "nfs",
  "rbd",
  "quobyte",
  "cephfs",
  "iscsi",
  "cinder",
  "fc",
  "flexVolume",
  "azureFile",
  "vsphereVolume",
  "photonPersistentDisk",
  "portworxVolume",
  "azureDisk",
  "scaleIO",
  "local",
  "storageos",
  "csi",
];

const secretReference = (reference: AnyObject, path: string): FieldError[] =>
  reference === undefined
    ? []
    : [...(reference.name ? [] : [required(`${path}.name`)]), ...(reference.namespace ? [] : [required(`${path}.namespace`)])];

const partition = (value: number | undefined, path: string): FieldError[] =>
  value !== undefined && (value < 0 || value > 255) ? [invalidValue(path, value, "must be between 1 and 255, inclusive")] : [];

/** Sources whose rules differ from those of the same pod volume. */
const ownChecks: Readonly<Record<string, (source: AnyObject, path: string) => FieldError[]>> = {
  local: (source, path) => (source.path ? noBacksteps(source.path, `${path}.path`) : [required(`${path}.path`)]),
  csi: (source, path) => {
    const errors = csiDriverName(source.driver ?? "", `${path}.driver`);
    if (!source.volumeHandle) errors.push(required(`${path}.volumeHandle`));
    for (const field of [
      "controllerPublishSecretRef",
      "controllerExpandSecretRef",
      "nodePublishSecretRef",
      "nodeExpandSecretRef",
    ])
      errors.push(...secretReference(source[field], `${path}.${field}`));
    return errors;
  },
  gcePersistentDisk: (source) => [
    ...(source.pdName ? [] : [required("spec.persistentDisk.pdName")]),
    ...partition(source.partition, "spec.persistentDisk.partition"),
  ],
  awsElasticBlockStore: (source, path) => [
    ...(source.volumeID ? [] : [required(`${path}.volumeID`)]),
    ...partition(source.partition, `${path}.partition`),
  ],
  azureFile: (source, path) => [
    ...(source.secretName ? [] : [required(`${path}.secretName`)]),
    ...(source.shareName ? [] : [required(`${path}.shareName`)]),
    ...(source.secretNamespace === "" ? [required(`${path}.secretNamespace`)] : []),
  ],
  azureDisk: (source, path) => {
    const errors =
      source.kind !== undefined && !["Dedicated", "Managed", "Shared"].includes(source.kind)
        ? [notSupported(`${path}.kind`, source.kind, ["Dedicated", "Managed", "Shared"])]
        : [];
    const common = volumeSourceChecks.azureDisk?.(source, path, undefined) ?? [];
    const at = common.findIndex((error) => error.field.endsWith(".diskURI") && error.type === "FieldValueNotSupported");
    return at < 0 ? [...common, ...errors] : [...common.slice(0, at), ...errors, ...common.slice(at)];
  },
};

export function validatePersistentVolume(volume: AnyObject): FieldError[] {
  return [...meta(volume, false), ...volumeSpec(volume.spec ?? {}), ...mountOptions(volume)];
}

const mountable = [
  "gcePersistentDisk",
  "awsElasticBlockStore",
  "glusterfs",
  "nfs",
  "rbd",
  "quobyte",
  "iscsi",
  "cinder",
  "cephfs",
  "azureFile",
  "vsphereVolume",
  "azureDisk",
  "photonPersistentDisk",
];

function mountOptions({ metadata, spec = {} }: AnyObject): FieldError[] {
  const annotation = "volume.beta.kubernetes.io/mount-options";
  return metadata?.annotations?.[annotation] === undefined || mountable.some((kind) => spec[kind] !== undefined)
    ? []
    : [forbiddenField(`metadata.annotations.${annotation}`, "may not specify mount options for this volume type")];
}

function volumeSpec(spec: AnyObject): FieldError[] {
  const errors: FieldError[] = [];
  const modes: readonly string[] = spec.accessModes ?? [];
  errors.push(...validateAccessModes(modes, "spec.accessModes", ""));
  const capacity = spec.capacity;
  if (capacity === undefined || Object.keys(capacity).length === 0) errors.push(required("spec.capacity"));
  if (capacity?.storage === undefined || Object.keys(capacity).length > 1)
    errors.push(
      notSupported("spec.capacity", capacity === undefined ? null : Object.fromEntries(Object.entries(capacity).sort()), [
        "storage",
      ]),
    );
  for (const name of Object.keys(capacity ?? {}).sort())
    if (signOf(parseQuantity(capacity[name])) <= 0)
      errors.push(invalidValue(`spec.capacity[${name}]`, capacity[name], "must be greater than zero"));
  if (!spec.persistentVolumeReclaimPolicy) errors.push(required("spec.persistentVolumeReclaimPolicy"));
  else
    errors.push(
      ...oneOf(spec.persistentVolumeReclaimPolicy, ["Delete", "Recycle", "Retain"], "spec.persistentVolumeReclaimPolicy"),
    );
  let affinity = false;
  if (spec.nodeAffinity !== undefined) {
    affinity = true;
    if (spec.nodeAffinity.required === undefined)
      errors.push(required("spec.nodeAffinity.required", "must specify required node constraints"));
    else errors.push(...validateNodeSelector(spec.nodeAffinity.required, "spec.nodeAffinity.required"));
  }
  let count = 0;
  for (const kind of volumeSources) {
    const source = spec[kind];
    if (source === undefined || source === null) continue;
    if (count > 0) errors.push(forbiddenField(`spec.${kind}`, "may not specify more than 1 volume type"));
    else
      errors.push(
        ...(ownChecks[kind]?.(source, `spec.${kind}`) ?? volumeSourceChecks[kind]?.(source, `spec.${kind}`, undefined) ?? []),
      );
    if (kind === "local" && !affinity) errors.push(required("spec.nodeAffinity", "Local volume requires node affinity"));
    count++;
  }
  if (count === 0) errors.push(required("spec", "must specify a volume type"));
  if (
    spec.hostPath !== undefined &&
    cleanPath(spec.hostPath.path ?? "") === "/" &&
    spec.persistentVolumeReclaimPolicy === "Recycle"
  )
    errors.push(forbiddenField("spec.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'"));
  if (spec.storageClassName)
    errors.push(...invalids("spec.storageClassName", spec.storageClassName, isDns1123Subdomain(spec.storageClassName)));
  if (spec.volumeMode !== undefined && spec.volumeMode !== "Block" && spec.volumeMode !== "Filesystem")
    errors.push(notSupported("spec.volumeMode", spec.volumeMode, ["Block", "Filesystem"]));
  if (spec.volumeAttributesClassName !== undefined) {
    if (spec.volumeAttributesClassName === "")
      errors.push(required("spec.volumeAttributesClassName", "an empty string is disallowed"));
    else
      errors.push(
        ...invalids(
          "spec.volumeAttributesClassName",
          spec.volumeAttributesClassName,
          isDns1123Subdomain(spec.volumeAttributesClassName),
        ),
      );
    if (spec.csi === undefined) errors.push(required("spec.csi", "has to be specified when using volumeAttributesClassName"));
  }
  return errors;
}

const cleanPath = (path: string): string =>
  `/${path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/")}`;

export function validatePersistentVolumeUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const errors = validatePersistentVolume(next);
  const source = (spec: AnyObject): AnyObject =>
    Object.fromEntries(
      volumeSources.map((kind) => [
        kind,
        kind === "csi" && spec?.csi ? without(spec.csi, "controllerExpandSecretRef", "nodeExpandSecretRef") : spec?.[kind],
      ]),
    );
  if (!deepEqual(source(next.spec), source(old.spec)))
    errors.push(
      forbiddenField(
        "spec.persistentvolumesource",
        `spec.persistentvolumesource is immutable after creation\n${jsonDiff(asGo("VolumeSource", source(old.spec)), asGo("VolumeSource", source(next.spec)))}`,
      ),
    );
  if (!semanticEqual(next.spec?.volumeMode, old.spec?.volumeMode))
    errors.push(invalidValue("volumeMode", next.spec?.volumeMode ?? null, immutableText));
  if (old.spec?.nodeAffinity !== undefined && !semanticEqual(next.spec?.nodeAffinity, old.spec.nodeAffinity))
    errors.push(
      invalidValue(
        "nodeAffinity",
        next.spec?.nodeAffinity ? asGo("VolumeNodeAffinity", next.spec.nodeAffinity) : null,
        `${immutableText}, except for updating from beta label to GA`,
      ),
    );
  return [...errors, ...metaUpdate(next, old)];
}

/** A volume starts pending, whatever the client says, and this is its first phase. */
export const prepareVolumeForCreate = (volume: AnyObject): AnyObject => ({
  ...volume,
  status: { phase: "Pending", lastPhaseTransitionTime: volume.metadata.creationTimestamp },
});

// PersistentVolumeClaim

export const prepareClaimForCreate = (claim: AnyObject): AnyObject => ({
  ...claim,
  status: { phase: "Pending" },
  spec: sameDataSource(claim.spec ?? {}),
});
export const prepareClaimForUpdate = (next: AnyObject, old: AnyObject): AnyObject =>
  keepStatus(withField(next, "spec", sameDataSource(next.spec ?? {})), old);

/** dataSource and dataSourceRef say the same, where both can. */
function sameDataSource(given: AnyObject): AnyObject {
  const source = given.dataSource;
  const usable =
    source === undefined ||
    (source.kind === "PersistentVolumeClaim" && !source.apiGroup) ||
    (source.kind === "VolumeSnapshot" && source.apiGroup === "snapshot.storage.k8s.io");
  // A dataSource of any other kind was never honoured: it is dropped without a word.
  const spec = usable ? given : without(given, "dataSource");
  if (spec.dataSource !== undefined && spec.dataSourceRef === undefined) return { ...spec, dataSourceRef: spec.dataSource };
  const reference = spec.dataSourceRef;
  return reference !== undefined && spec.dataSource === undefined && !reference.namespace
    ? { ...spec, dataSource: without(reference, "namespace") }
    : spec;
}

export const validatePersistentVolumeClaim = (claim: AnyObject): FieldError[] => [
  ...meta(claim, true),
  ...validateClaimSpec(claim.spec ?? {}, "spec"),
];

export function validatePersistentVolumeClaimUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const errors = [...metaUpdate(next, old), ...validatePersistentVolumeClaim(next)];
  const bound = old.status?.phase === "Bound";
  const [now, was] = [next.spec ?? {}, old.spec ?? {}];
  // Volumes are bound once; a bound claim may grow, and change its class of attributes.
  const comparedOld = was.volumeName ? was : withField(was, "volumeName", now.volumeName);
  let compared = now;
  if (bound && now.resources?.requests !== undefined) compared = withStorage(compared, was.resources?.requests?.storage);
  if (bound) compared = withField(compared, "volumeAttributesClassName", was.volumeAttributesClassName);
  const size = next.spec?.resources?.requests?.storage;
  const before = old.spec?.resources?.requests?.storage;
  if (!semanticEqual(compared, comparedOld))
    errors.push(
      forbiddenField(
        "spec",
        `spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n${jsonDiff(asGo("ClaimSpec", comparedOld), asGo("ClaimSpec", compared))}`,
      ),
    );
  if (bound && size !== undefined && before !== undefined && compareQuantityTexts(size, before) < 0)
    errors.push(forbiddenField("spec.resources.requests.storage", "field can not be less than status.capacity"));
  const beta = "volume.beta.kubernetes.io/storage-class";
  if (next.metadata?.annotations?.[beta] !== old.metadata?.annotations?.[beta] && old.metadata?.annotations?.[beta] !== undefined)
    errors.push(invalidValue(`metadata.annotations.${beta}`, next.metadata?.annotations?.[beta] ?? "", immutableText));
  if (now.volumeMode !== was.volumeMode) errors.push(invalidValue("volumeMode", now.volumeMode ?? null, immutableText));
  return errors;
}

/** The claim's spec with this much storage asked for. */
const withStorage = (spec: AnyObject, storage: unknown): AnyObject => ({
  ...spec,
  resources: { ...spec.resources, requests: withField(spec.resources.requests, "storage", storage) },
});

const resizeStates = [
  "ControllerResizeInProgress",
  "ControllerResizeInfeasible",
  "NodeResizeInProgress",
  "NodeResizeInfeasible",
  "NodeResizePending",
];

export function validatePersistentVolumeClaimStatusUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const errors = metaUpdate(next, old);
  if (Object.keys(next.spec?.resources ?? {}).length === 0) errors.push(required("spec.resources"));
  for (const name of Object.keys(next.status?.capacity ?? {}).sort())
    if (signOf(parseQuantity(next.status.capacity[name])) < 0)
      errors.push(invalidValue(`status.capacity[${name}]`, -1, "must be a valid resource quantity"));
  const allowed = (name: string): boolean => name === "storage" || (name.includes("/") && isLabelKey(name).length === 0);
  for (const name of Object.keys(next.status?.allocatedResourceStatuses ?? {}).sort()) {
    if (!allowed(name)) errors.push(notSupported("status.allocatedResourceStatuses", name, ["storage"]));
    if (!resizeStates.includes(next.status.allocatedResourceStatuses[name]))
      errors.push(notSupported("status.allocatedResourceStatuses", name, resizeStates));
  }
  for (const name of Object.keys(next.status?.allocatedResources ?? {}).sort())
    if (!allowed(name)) errors.push(notSupported("status.allocatedResources", name, ["storage"]));
  return errors;
}
