// Classes of storage, and what CSI drivers tell: drivers, nodes, capacities, attachments.
import { semanticEqual } from "../deep-equal.ts";
import { duplicate, type FieldError, forbiddenField, invalidValue, notSupported, required } from "../errors.ts";
import { byteLength, isDns1123Subdomain, isLabelKey } from "../names.ts";
import { parseQuantity, signOf } from "../quantity.ts";
import type { AnyObject } from "../rules.ts";
import { inRange, maxInt32, nonNegative, oneOf, validateLabelSelector } from "./basics.ts";
import { without } from "./helpers.ts";
import { immutableText, invalids, nonNegativeText, subdomainName, validateObjectMeta, validateObjectMetaUpdate } from "./meta.ts";
import { csiDriverName } from "./pod/volumes.ts";
import { shownSelector } from "./workloads.ts";

const meta = (object: AnyObject, namespaced: boolean): FieldError[] =>
  validateObjectMeta(object.metadata, namespaced, subdomainName);
const metaUpdate = (next: AnyObject, old: AnyObject): FieldError[] => validateObjectMetaUpdate(next.metadata, old.metadata);
const immutable = (
  next: AnyObject,
  old: AnyObject,
  field: string,
  shown: (value: AnyObject) => unknown = (value) => value ?? "",
): FieldError[] => (semanticEqual(next[field], old[field]) ? [] : [invalidValue(field, shown(next[field]), immutableText)]);

// StorageClass

export function validateStorageClass(storageClass: AnyObject): FieldError[] {
  const errors = meta(storageClass, false);
  if (!storageClass.provisioner) errors.push(required("provisioner"));
  else errors.push(...driverErrors("provisioner", storageClass.provisioner));
  errors.push(...parameters(storageClass.parameters));
  if (storageClass.reclaimPolicy && !["Delete", "Retain"].includes(storageClass.reclaimPolicy))
    errors.push(notSupported("reclaimPolicy", storageClass.reclaimPolicy, ["Delete", "Retain"]));
  if (storageClass.volumeBindingMode === undefined) errors.push(required("volumeBindingMode"));
  else errors.push(...oneOf(storageClass.volumeBindingMode, ["Immediate", "WaitForFirstConsumer"], "volumeBindingMode"));
  return [...errors, ...topologies(storageClass.allowedTopologies ?? [])];
}

/** Looked at, and shown, in lower case. */
const driverErrors = (field: string, name: string): FieldError[] =>
  invalids(field, name.toLowerCase(), isLabelKey(name.toLowerCase()));

function parameters(values: Readonly<Record<string, string>> | undefined): FieldError[] {
  const keys = Object.keys(values ?? {});
  const errors: FieldError[] = [];
  if (keys.length > 512)
    errors.push({
      type: "FieldValueTooLong",
      field: "Provisioner Parameters exceeded max allowed",
      detail: "may not be more than 512 bytes",
    });
  if (keys.includes("")) errors.push(invalidValue("parameters", "", "field can not be empty."));
  if (keys.reduce((total, key) => total + byteLength(key) + byteLength(values?.[key] ?? ""), 0) > 256 * 1024)
    errors.push({ type: "FieldValueTooLong", field: "parameters", detail: `may not be more than ${256 * 1024} bytes` });
  return errors;
}

function topologies(terms: readonly AnyObject[]): FieldError[] {
  const errors: FieldError[] = [];
  const seen: string[] = [];
  for (const [t, term] of terms.entries()) {
    const path = `allowedTopologies[${t}].matchLabelExpressions`;
    const keys = new Set<string>();
    for (const [i, expression] of (term.matchLabelExpressions ?? []).entries()) {
      const at = `${path}[${i}]`;
      if ((expression.values?.length ?? 0) === 0) errors.push(required(`${at}.values`));
      const values = new Set<string>();
      for (const [v, value] of (expression.values ?? []).entries()) {
        if (values.has(value)) errors.push(duplicate(`${at}.values[${v}]`, value));
        values.add(value);
      }
      errors.push(...invalids(`${at}.key`, expression.key ?? "", isLabelKey(expression.key ?? "")));
      if (keys.has(expression.key)) errors.push(duplicate(`${at}.key`, expression.key));
      keys.add(expression.key);
    }
    const text = JSON.stringify(
      (term.matchLabelExpressions ?? [])
        .map((expression: AnyObject) => [expression.key, [...(expression.values ?? [])].sort()])
        .sort(),
    );
    // a term that says nothing is equal to those that upstream has not read yet
    if (text === "[]" || seen.includes(text)) errors.push(duplicate(path, ""));
    seen.push(text);
  }
  return errors;
}

export const validateStorageClassUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...metaUpdate(next, old),
  ...immutable(next, old, "parameters", (value) => value ?? null),
  ...immutable(next, old, "provisioner"),
  ...immutable(next, old, "reclaimPolicy"),
  ...immutable(next, old, "volumeBindingMode"),
];

// CSI kinds

export function validateCsiDriver(driver: AnyObject): FieldError[] {
  const errors = meta(driver, false);
  const { spec = {} } = driver;
  for (const field of ["attachRequired", "podInfoOnMount", "storageCapacity"])
    if (spec[field] === undefined) errors.push(required(`spec.${field}`));
  if (spec.fsGroupPolicy !== undefined && !["File", "None", "ReadWriteOnceWithFSType"].includes(spec.fsGroupPolicy))
    errors.push(notSupported("spec.fsGroupPolicy", spec.fsGroupPolicy, ["File", "None", "ReadWriteOnceWithFSType"]));
  const audiences = new Set<string>();
  for (const [i, request] of (spec.tokenRequests ?? []).entries()) {
    const at = `spec.tokenRequests[${i}]`;
    if (audiences.has(request.audience)) errors.push(duplicate(`${at}.audience`, request.audience));
    audiences.add(request.audience);
    const seconds = request.expirationSeconds;
    if (seconds < 600)
      errors.push(invalidValue(`${at}.expirationSeconds`, seconds, "may not specify a duration less than 10 minutes"));
    if (seconds > 2 ** 32)
      errors.push(invalidValue(`${at}.expirationSeconds`, seconds, "may not specify a duration larger than 2^32 seconds"));
  }
  for (const mode of spec.volumeLifecycleModes ?? [])
    if (mode !== "Persistent" && mode !== "Ephemeral")
      errors.push(notSupported("spec.volumeLifecycleModes", mode, ["Persistent", "Ephemeral"]));
  if (spec.nodeAllocatableUpdatePeriodSeconds < 10)
    errors.push(
      invalidValue(
        "spec.nodeAllocatableUpdatePeriodSeconds",
        spec.nodeAllocatableUpdatePeriodSeconds,
        "must be greater than or equal to 10 seconds",
      ),
    );
  return errors;
}
/** Generations of a driver begin with its first change. */
export const prepareCsiDriverForUpdate = (next: AnyObject, old: AnyObject): AnyObject =>
  semanticEqual(next.spec, old.spec)
    ? next
    : { ...next, metadata: { ...next.metadata, generation: (old.metadata.generation ?? 0) + 1 } };

export function validateCsiDriverUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const errors = [...metaUpdate(next, old), ...validateCsiDriver(next)];
  if (next.spec?.attachRequired !== old.spec?.attachRequired)
    errors.push(invalidValue("spec.attachedRequired", next.spec?.attachRequired, immutableText));
  if (!semanticEqual(next.spec?.volumeLifecycleModes, old.spec?.volumeLifecycleModes))
    errors.push(invalidValue("spec.volumeLifecycleModes", next.spec?.volumeLifecycleModes, immutableText));
  return errors;
}

export function validateCsiNode(node: AnyObject): FieldError[] {
  const errors = meta(node, false);
  const names = new Set<string>();
  for (const [i, driver] of (node.spec?.drivers ?? []).entries()) {
    const at = `spec.drivers[${i}]`;
    errors.push(...csiDriverName(driver.name ?? "", `${at}.name`));
    if (!driver.nodeID) errors.push(required(`${at}.nodeID`));
    else if (byteLength(driver.nodeID) > 256)
      errors.push(invalidValue(`${at}.nodeID`, driver.nodeID, "must be 256 characters or less"));
    errors.push(...nonNegative(driver.allocatable?.count, `${at}.allocatable.count`));
    const keys = new Set<string>();
    for (const key of driver.topologyKeys ?? []) {
      if (key === "") errors.push(required(at));
      if (keys.has(key)) errors.push(duplicate(at, key));
      keys.add(key);
      errors.push(...invalids(at, key, isLabelKey(key)));
    }
    if (names.has(driver.name)) errors.push(duplicate(`${at}.name`, driver.name));
    names.add(driver.name);
  }
  return errors;
}
export function validateCsiNodeUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const errors = validateCsiNode(next);
  for (const before of old.spec?.drivers ?? [])
    for (const after of next.spec?.drivers ?? [])
      if (before.name === after.name && !semanticEqual(without(before, "allocatable"), without(after, "allocatable")))
        errors.push(
          invalidValue(
            "spec.drivers",
            {
              Name: after.name,
              NodeID: after.nodeID ?? "",
              TopologyKeys: after.topologyKeys ?? null,
              Allocatable: after.allocatable ?? null,
            },
            immutableText,
          ),
        );
  return errors;
}

export function validateCsiStorageCapacity(capacity: AnyObject): FieldError[] {
  const errors = meta(capacity, true);
  errors.push(...validateLabelSelector(capacity.nodeTopology, "nodeTopology"));
  errors.push(
    ...invalids("storageClassName", capacity.storageClassName ?? "", isDns1123Subdomain(capacity.storageClassName ?? "")),
  );
  if (capacity.capacity !== undefined && signOf(parseQuantity(capacity.capacity)) < 0)
    errors.push(invalidValue("capacity", capacity.capacity, nonNegativeText));
  return errors;
}
export const validateCsiStorageCapacityUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...metaUpdate(next, old),
  ...validateCsiStorageCapacity(next),
  ...immutable(next, old, "nodeTopology", shownSelector),
  ...immutable(next, old, "storageClassName"),
];

const shownAttachment = (spec: AnyObject): unknown => ({
  Attacher: spec.attacher ?? "",
  Source: {
    PersistentVolumeName: spec.source?.persistentVolumeName ?? null,
    InlineVolumeSpec: spec.source?.inlineVolumeSpec ?? null,
  },
  NodeName: spec.nodeName ?? "",
});

export function validateVolumeAttachment(attachment: AnyObject): FieldError[] {
  const errors = meta(attachment, false);
  const { spec = {} } = attachment;
  errors.push(...csiDriverName(spec.attacher ?? "", "spec.attacher"));
  const { persistentVolumeName: name, inlineVolumeSpec: inline } = spec.source ?? {};
  const exactly = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
  if (inline === undefined && name === undefined) errors.push(required("spec.source", exactly));
  else if (inline !== undefined && name !== undefined) errors.push(forbiddenField("spec.source", exactly));
  else if (name !== undefined) {
    if (name === "") errors.push(required("spec.source.persistentVolumeName", "must specify non empty persistentVolumeName"));
    errors.push(...invalids("spec.source.persistentVolumeName", name, isDns1123Subdomain(name)));
  } else if (Object.keys(inline.capacity ?? {}).length > 0)
    errors.push(forbiddenField("spec.source.inlineVolumeSpec.capacity", "may not be specified in the context of inline volumes"));
  errors.push(...invalids("spec.nodeName", spec.nodeName ?? "", isDns1123Subdomain(spec.nodeName ?? "")));
  for (const field of ["attachError", "detachError"])
    errors.push(...inRange(attachment.status?.[field]?.errorCode, 0, maxInt32, `status.${field}.errorCode`));
  return errors;
}
export function validateVolumeAttachmentUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const errors = validateVolumeAttachment(next);
  if (!semanticEqual(next.spec, old.spec)) errors.push(invalidValue("spec", shownAttachment(next.spec ?? {}), immutableText));
  return errors;
}

export function validateVolumeAttributesClass(attributes: AnyObject): FieldError[] {
  const errors = meta(attributes, false);
  if (!attributes.driverName) errors.push(required("driverName"));
  else errors.push(...driverErrors("driverName", attributes.driverName));
  if (Object.keys(attributes.parameters ?? {}).length === 0)
    errors.push(required("parameters", "must contain at least one key/value pair"));
  return [...errors, ...parameters(attributes.parameters)];
}
export function validateVolumeAttributesClassUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const errors = metaUpdate(next, old);
  if (next.driverName !== old.driverName) errors.push(forbiddenField("driverName", "updates to driverName are forbidden."));
  if (!semanticEqual(next.parameters, old.parameters))
    errors.push(forbiddenField("parameters", "updates to parameters are forbidden."));
  return errors;
}
