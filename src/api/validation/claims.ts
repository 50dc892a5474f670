// The spec of a PersistentVolumeClaim, also within templates.
import { type FieldError, forbiddenField, invalidValue, notSupported, required } from "../errors.ts";
import { isDns1123Label, isDns1123Subdomain } from "../names.ts";
import { parseQuantity, signOf } from "../quantity.ts";
import type { AnyObject } from "../rules.ts";
import { validateLabelSelector } from "./basics.ts";
import { invalids } from "./meta.ts";

export const accessModes = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

/** Access modes of claims and volumes. */
export function validateAccessModes(modes: readonly string[], path: string, missing: string): FieldError[] {
  const errors: FieldError[] = [];
  if (modes.length === 0) errors.push(required(path, missing));
  for (const mode of modes) if (!accessModes.includes(mode)) errors.push(notSupported(path, mode, accessModes));
  if (modes.includes("ReadWriteOncePod") && modes.some((mode) => mode !== "ReadWriteOncePod"))
    errors.push(forbiddenField(path, "may not use ReadWriteOncePod with other access modes"));
  return errors;
}

const positive = (value: string, path: string): FieldError[] =>
  signOf(parseQuantity(value)) <= 0 ? [invalidValue(path, value, "must be greater than zero")] : [];

export function validateClaimSpec(spec: AnyObject, path: string): FieldError[] {
  const modes: readonly string[] = spec.accessModes ?? [];
  const errors = validateAccessModes(modes, `${path}.accessModes`, "at least 1 access mode is required");
  if (spec.selector) errors.push(...validateLabelSelector(spec.selector, `${path}.selector`));
  const storage = spec.resources?.requests?.storage;
  if (storage === undefined) errors.push(required(`${path}.resources[storage]`));
  else errors.push(...positive(storage, `${path}.resources[storage]`));
  if (spec.storageClassName)
    errors.push(...invalids(`${path}.storageClassName`, spec.storageClassName, isDns1123Subdomain(spec.storageClassName)));
  if (spec.volumeMode !== undefined && spec.volumeMode !== "Block" && spec.volumeMode !== "Filesystem")
    errors.push(notSupported(`${path}.volumeMode`, spec.volumeMode, ["Block", "Filesystem"]));
  if (spec.dataSource) errors.push(...validateDataSource(spec.dataSource, `${path}.dataSource`, false));
  if (spec.dataSourceRef) errors.push(...validateDataSource(spec.dataSourceRef, `${path}.dataSourceRef`, true));
  if (
    spec.dataSource &&
    spec.dataSourceRef &&
    (spec.dataSource.kind !== spec.dataSourceRef.kind ||
      spec.dataSource.name !== spec.dataSourceRef.name ||
      (spec.dataSource.apiGroup ?? "") !== (spec.dataSourceRef.apiGroup ?? ""))
  )
    errors.push(invalidValue(path, {}, "must match dataSourceRef")); // upstream shows a path as if it were the value
  if (spec.volumeAttributesClassName)
    errors.push(
      ...invalids(
        `${path}.volumeAttributesClassName`,
        spec.volumeAttributesClassName,
        isDns1123Subdomain(spec.volumeAttributesClassName),
      ),
    );
  return errors;
}

function validateDataSource(source: AnyObject, path: string, reference: boolean): FieldError[] {
  const errors: FieldError[] = [];
  if (!source.name) errors.push(required(`${path}.name`));
  if (!source.kind) errors.push(required(`${path}.kind`));
  const group = source.apiGroup ?? "";
  if (group === "" && source.kind && source.kind !== "PersistentVolumeClaim")
    errors.push(invalidValue(path, source.kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"));
  if (group !== "") errors.push(...invalids(`${path}.apiGroup`, group, isDns1123Subdomain(group)));
  if (reference && source.namespace)
    errors.push(...invalids(`${path}.namespace`, source.namespace, isDns1123Label(source.namespace)));
  return errors;
}
