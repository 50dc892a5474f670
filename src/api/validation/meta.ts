// Rules for what every object has: names, labels, annotations, owners, finalizers, managed fields; and what of it may change.
import { duplicate, type FieldError, forbiddenField, goQuote, invalidValue, required, tooLong } from "../errors.ts";
import {
  byteLength,
  isDns1035Label,
  isDns1123Label,
  isDns1123Subdomain,
  isLabelKey,
  isLabelValue,
  isPathSegment,
  maskTrailingDash,
} from "../names.ts";
import type { ManagedFieldsEntry, ObjectMeta, OwnerReference } from "../types/mod.ts";

/** Messages of what is wrong with a name; for generateName `prefix` is true and a trailing dash is fine. */
export type NameCheck = (name: string, prefix: boolean) => string[];

const orPrefix =
  (check: (name: string) => string[]): NameCheck =>
  (name, prefix) =>
    check(prefix ? maskTrailingDash(name) : name);
export const subdomainName: NameCheck = orPrefix(isDns1123Subdomain);
export const labelName: NameCheck = orPrefix(isDns1123Label);
export const label1035Name: NameCheck = orPrefix(isDns1035Label);
/** Names that only have to fit into a URL's path (RBAC). */
export const pathSegmentName: NameCheck = (name, prefix) =>
  prefix ? isPathSegment(name).filter((message) => message.startsWith("may not contain")) : isPathSegment(name);

const totalAnnotationBytes = 256 * 1024;
const standardFinalizers = new Set(["kubernetes", "orphan", "foregroundDeletion"]);

export const invalids = (field: string, value: unknown, messages: readonly string[]): FieldError[] =>
  messages.map((message) => invalidValue(field, value, message));
export const nonNegativeText = "must be greater than or equal to 0";
export const immutableText = "field is immutable";

export function validateLabels(labels: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const key of Object.keys(labels ?? {}).sort()) {
    errors.push(...invalids(path, key, isLabelKey(key)));
    const value = labels?.[key] ?? "";
    errors.push(...invalids(path, value, isLabelValue(value)));
  }
  return errors;
}

export function validateAnnotations(annotations: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  const errors: FieldError[] = [];
  let total = 0;
  for (const key of Object.keys(annotations ?? {}).sort()) {
    errors.push(...invalids(path, key, isLabelKey(key.toLowerCase())));
    total += byteLength(key) + byteLength(annotations?.[key] ?? "");
  }
  if (total > totalAnnotationBytes) errors.push(tooLong(path, totalAnnotationBytes));
  return errors;
}

/** Owner references as Go prints them. */
const shownOwner = (owner: OwnerReference): unknown => ({
  apiVersion: owner.apiVersion ?? "",
  kind: owner.kind ?? "",
  name: owner.name ?? "",
  uid: owner.uid ?? "",
  ...(owner.controller === undefined ? {} : { controller: owner.controller }),
  ...(owner.blockOwnerDeletion === undefined ? {} : { blockOwnerDeletion: owner.blockOwnerDeletion }),
});

function validateOwnerReferences(owners: readonly OwnerReference[] | undefined, path: string): FieldError[] {
  const errors: FieldError[] = [];
  let controller = "";
  for (const owner of owners ?? []) {
    const apiVersion = owner.apiVersion ?? "";
    const parts = apiVersion.split("/");
    const version = parts.length > 2 ? "" : (parts.at(-1) ?? "");
    if (version === "") errors.push(invalidValue(`${path}.apiVersion`, apiVersion, "version must not be empty"));
    if (!owner.kind) errors.push(invalidValue(`${path}.kind`, owner.kind ?? "", "must not be empty"));
    if (!owner.name) errors.push(invalidValue(`${path}.name`, owner.name ?? "", "must not be empty"));
    if (!owner.uid) errors.push(invalidValue(`${path}.uid`, owner.uid ?? "", "must not be empty"));
    if (apiVersion === "v1" && owner.kind === "Event")
      errors.push(invalidValue(path, shownOwner(owner), "/v1, Kind=Event is disallowed from being an owner"));
    if (owner.controller === true) {
      if (controller !== "")
        errors.push(
          invalidValue(
            path,
            (owners ?? []).map(shownOwner),
            `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${owner.kind}/${owner.name}`,
          ),
        );
      else controller = `${owner.kind}/${owner.name}`;
    }
  }
  return errors;
}

function validateFinalizers(finalizers: readonly string[] | undefined, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const list = finalizers ?? [];
  for (const finalizer of list) errors.push(...invalids(path, finalizer, isLabelKey(finalizer)));
  if (list.includes("orphan") && list.includes("foregroundDeletion"))
    errors.push(invalidValue(path, list, "finalizer orphan and foregroundDeletion cannot be both set"));
  return errors;
}

/** Finalizers without a domain must be Kubernetes' own. */
export function validateStandardFinalizer(finalizer: string, path: string): FieldError[] {
  return !finalizer.includes("/") && !standardFinalizers.has(finalizer)
    ? [invalidValue(path, finalizer, "name is neither a standard finalizer name nor is it fully qualified")]
    : [];
}

export function validateFieldManager(manager: string, path: string): FieldError[] {
  if (byteLength(manager) > 128) return [tooLong(path, 128)];
  let at = 0;
  for (const character of manager) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20 || (code >= 0x7f && code < 0xa0))
      return [
        invalidValue(
          path,
          manager,
          `invalid character U+${code.toString(16).toUpperCase().padStart(4, "0")} (at position ${at})`,
        ),
      ];
    at++;
  }
  return [];
}

function validateManagedFields(entries: readonly ManagedFieldsEntry[] | undefined, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [i, entry] of (entries ?? []).entries()) {
    const at = `${path}[${i}]`;
    if (entry.operation !== "Apply" && entry.operation !== "Update")
      errors.push(invalidValue(`${at}.operation`, entry.operation ?? "", "must be `Apply` or `Update`"));
    if ((entry.fieldsType ?? "") !== "" && entry.fieldsType !== "FieldsV1")
      errors.push(invalidValue(`${at}.fieldsType`, entry.fieldsType, "must be `FieldsV1`"));
    errors.push(...validateFieldManager(entry.manager ?? "", `${at}.manager`));
    if (byteLength(entry.subresource ?? "") > 256) errors.push(tooLong(`${at}.subresource`, 256));
  }
  return errors;
}

/** What holds for the metadata of every object, of built-in kinds and others. */
export function validateCommonMeta(
  meta: ObjectMeta | undefined,
  namespaced: boolean,
  nameCheck: NameCheck,
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  const { name = "", generateName = "", namespace = "", generation = 0 } = meta ?? {};
  if (generateName !== "") errors.push(...invalids(`${path}.generateName`, generateName, nameCheck(generateName, true)));
  if (name === "") errors.push(required(`${path}.name`, "name or generateName is required"));
  else errors.push(...invalids(`${path}.name`, name, nameCheck(name, false)));
  if (namespaced) {
    if (namespace === "") errors.push(required(`${path}.namespace`));
    else errors.push(...invalids(`${path}.namespace`, namespace, isDns1123Label(namespace)));
  } else if (namespace !== "") errors.push(forbiddenField(`${path}.namespace`, "not allowed on this type"));
  if (generation < 0) errors.push(invalidValue(`${path}.generation`, generation, nonNegativeText));
  errors.push(...validateLabels(meta?.labels, `${path}.labels`));
  errors.push(...validateAnnotations(meta?.annotations, `${path}.annotations`));
  errors.push(...validateOwnerReferences(meta?.ownerReferences, `${path}.ownerReferences`));
  errors.push(...validateFinalizers(meta?.finalizers, `${path}.finalizers`));
  errors.push(...validateManagedFields(meta?.managedFields, `${path}.managedFields`));
  return errors;
}

/** Metadata of an object to be created (also run on updates, by kinds whose update check includes the create check). */
export function validateObjectMeta(
  meta: ObjectMeta | undefined,
  namespaced: boolean,
  nameCheck: NameCheck,
  path = "metadata",
): FieldError[] {
  const errors = validateCommonMeta(meta, namespaced, nameCheck, path);
  for (const [i, finalizer] of (meta?.finalizers ?? []).entries())
    errors.push(...validateStandardFinalizer(finalizer, `${path}.finalizers[${i}]`));
  return errors;
}

/** What every update is checked for before the kind's own rules, so that what both find is reported twice (as upstream). */
export const validateCommonUpdate = (
  next: ObjectMeta | undefined,
  old: ObjectMeta | undefined,
  namespaced: boolean,
): FieldError[] => [
  ...validateCommonMeta(next, namespaced, pathSegmentName, "metadata"),
  ...validateObjectMetaUpdate(next, old, "metadata"),
];

/** What of the metadata an update may not change. */
export function validateObjectMetaUpdate(
  next: ObjectMeta | undefined,
  old: ObjectMeta | undefined,
  path = "metadata",
): FieldError[] {
  const errors: FieldError[] = [];
  const before = old ?? {};
  const after = next ?? {};
  if (before.deletionTimestamp !== undefined) {
    const known = new Set(before.finalizers ?? []);
    const added = (after.finalizers ?? []).filter((finalizer) => !known.has(finalizer)).sort();
    if (added.length > 0)
      errors.push(
        forbiddenField(
          `${path}.finalizers`,
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map(goQuote).join(", ")}}`,
        ),
      );
  }
  if ((after.resourceVersion ?? "") === "")
    errors.push(invalidValue(`${path}.resourceVersion`, 0, "must be specified for an update"));
  if ((after.generation ?? 0) < (before.generation ?? 0))
    errors.push(invalidValue(`${path}.generation`, after.generation ?? 0, "must not be decremented"));
  const immutable = (field: keyof ObjectMeta, empty: unknown): void => {
    if ((after[field] ?? empty) !== (before[field] ?? empty))
      errors.push(invalidValue(`${path}.${field}`, after[field] ?? empty, immutableText));
  };
  immutable("name", "");
  immutable("namespace", "");
  immutable("uid", "");
  immutable("creationTimestamp", null);
  immutable("deletionTimestamp", null);
  immutable("deletionGracePeriodSeconds", null);
  errors.push(...validateLabels(after.labels, `${path}.labels`));
  errors.push(...validateAnnotations(after.annotations, `${path}.annotations`));
  errors.push(...validateOwnerReferences(after.ownerReferences, `${path}.ownerReferences`));
  errors.push(...validateManagedFields(after.managedFields, `${path}.managedFields`));
  return errors;
}

/** Duplicates in a list of texts. */
export function duplicates(values: readonly string[], path: (index: number) => string): FieldError[] {
  const seen = new Set<string>();
  const errors: FieldError[] = [];
  for (const [i, value] of values.entries()) {
    if (seen.has(value)) errors.push(duplicate(path(i), value));
    seen.add(value);
  }
  return errors;
}
