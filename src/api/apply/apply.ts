// Field ownership on every write, and server-side apply: merge, conflicts, removal of what is no longer applied (KEP-555).
import { decodeTyped } from "../codec/typed.ts";
import { deepEqual } from "../deep-equal.ts";
import { ApiError, apiError, badRequest } from "../errors.ts";
import { kindRules } from "../rules.ts";
import type { JsonValue } from "../scalars.ts";
import type { ObjectSchema } from "../schema/schema.ts";
import type { ManagedFieldsEntry, ObjectMeta } from "../types/mod.ts";
import {
  difference,
  emptySet,
  type FieldSet,
  FieldSetBuilder,
  intersection,
  paths,
  pathText,
  setsEqual,
  union,
  withoutSubtrees,
} from "./field-set.ts";
import {
  decodeManagers,
  encodeManagers,
  isReset,
  type Manager,
  type Managers,
  managerKey,
  sameManagers,
  versionsOf,
} from "./managers.ts";
import { fieldsOfNew, unownedMetadata } from "./new-fields.ts";
import { type Comparison, checkTyped, compareTyped, fieldSetOf, mergeTyped, removeFields, withNamedFields } from "./typed.ts";

interface AnObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
}

/** More Update entries than this are folded into one. */
const maxUpdateManagers = 10;
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";
const lastAppliedMaxBytes = 256 * 1024;

function setOf(...fieldPaths: readonly (readonly string[])[]): FieldSet {
  const builder = new FieldSetBuilder();
  for (const path of fieldPaths) builder.addPath(path.map((name) => `f:${name}`));
  return builder.build();
}

/** Bookkeeping that nobody owns. */
const neverOwned = setOf(["apiVersion"], ["kind"], ["metadata"], ...[...unownedMetadata].map((name) => ["metadata", name]));

const statusFields = setOf(["status"]);
const specFields = setOf(["spec"]);

/** What the kind's strategy resets on a write here: changes to it are not the writer's. */
function resetFields(object: AnObject, subresource: string): FieldSet {
  const group = (object.apiVersion ?? "").includes("/") ? (object.apiVersion ?? "").split("/")[0] : "";
  const rules = kindRules[`${group}/${object.kind}`];
  if (subresource === "status") return specFields;
  return subresource === "" && (rules?.status ?? false) ? statusFields : emptySet;
}

export interface WriteContext {
  /** The stored object; undefined on create. */
  readonly live: AnObject | undefined;
  /** Who writes: fieldManager, or the user agent up to its slash. */
  readonly manager: string;
  /** "" for the resource itself. */
  readonly subresource: string;
  /** Of the request: "apps/v1". */
  readonly apiVersion: string;
  /** RFC 3339 in seconds. */
  readonly time: string;
  readonly schema: ObjectSchema;
  /** Fields that this write cannot set, as paths ([["status"]]); by default what the built-in kind says. */
  readonly resetFields?: readonly (readonly string[])[];
}

const withoutManagedFields = <T extends AnObject>(object: T): T => {
  if (object.metadata?.managedFields === undefined) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
};

const withManagers = <T extends AnObject>(object: T, managers: Managers): T =>
  managers.size === 0
    ? withoutManagedFields(object)
    : { ...object, metadata: { ...object.metadata, managedFields: encodeManagers(managers) } };

/** What decoding an empty body of the kind gives: fields that are always written are there already, so their creation owns nothing. */
function emptyObject(object: AnObject, schema: ObjectSchema): AnObject {
  const known = emptyObjects.get(schema);
  if (known !== undefined) return known;
  const empty = makeEmpty(object, schema);
  emptyObjects.set(schema, empty);
  return empty;
}

// a cache of immutable values derived from immutable schemas; what they say of apiVersion and kind is never compared
const emptyObjects = new WeakMap<ObjectSchema, AnObject>();

const makeEmpty = (object: AnObject, schema: ObjectSchema): AnObject =>
  (schema.name === ""
    ? { apiVersion: object.apiVersion, kind: object.kind, metadata: {} }
    : {
        ...(decodeTyped(schema, { apiVersion: object.apiVersion, kind: object.kind }).object as object),
        apiVersion: object.apiVersion,
        kind: object.kind,
      }) as AnObject;

/**
 * Records who owns what after a create or update: `next` with metadata.managedFields. Call it with the object as it is about to be stored.
 * A client may hand in its own list, `[{}]` to forget all; one that cannot be read is ignored in favour of the stored one.
 */
export function updateManagedFields<T extends AnObject>(context: WriteContext & { readonly next: T }): T {
  const { live, next, schema } = context;
  if (live === undefined) {
    const created = withCreator(context);
    if (created !== undefined) return created;
  }
  const given = next.metadata.managedFields;
  const stored = live?.metadata.managedFields;
  const isVersion = versionsOf(context.apiVersion, next.kind ?? "");
  const bare = withoutManagedFields(next);
  const base = live === undefined ? emptyObject(next, schema) : withoutManagedFields(live);
  const comparison = ignoring(compareTyped(base, bare, schema), resetsOf(context, next));
  // Nothing changed, the list neither: most status updates of a settled cluster.
  const unchanged = comparison.added.size + comparison.modified.size + comparison.removed.size === 0;
  if (live !== undefined && unchanged && (context.subresource !== "" || given === stored || deepEqual(given, stored)))
    return given === stored ? next : restored(next, stored);
  let before: Managers;
  let decoded = false;
  if (live === undefined) before = new Map();
  else if (context.subresource === "" && isReset(given)) before = new Map();
  else {
    // The same list as stored, most often the same object: nothing to choose.
    const own = context.subresource !== "" || given === stored ? undefined : decodeManagers(given, () => true);
    decoded = own !== undefined && own.size > 0;
    before = (decoded ? decodeManagers(given, isVersion) : decodeManagers(stored, isVersion)) ?? new Map();
  }
  // An object without managers stays without until someone applies.
  if (live !== undefined && before.size === 0) return withoutManagedFields(next);
  const others = takeFromOthers(before, comparison, undefined);
  const mine = withoutMembers(union(comparison.added, comparison.modified), neverOwned);
  const managers = new Map(others);
  if (mine.size > 0) {
    const entry: Manager = {
      manager: context.manager === "" ? "unknown" : context.manager,
      operation: "Update",
      apiVersion: context.apiVersion,
      subresource: context.subresource,
      time: context.time,
      fields: mine,
    };
    const key = managerKey(entry);
    const previous = managers.get(key);
    managers.set(key, previous === undefined ? entry : { ...entry, fields: union(previous.fields, mine) });
  }
  const capped = capManagers(managers);
  if (!decoded && stored !== undefined && live !== undefined) {
    const old = decodeManagers(stored, () => true);
    if (old !== undefined && sameManagers(old, capped))
      return given === stored ? next : { ...next, metadata: { ...next.metadata, managedFields: stored as ManagedFieldsEntry[] } };
  }
  return withManagers(next, capped);
}

/** The short way of a creation: everything is new and the writer's. Undefined for objects that have to go the long way. */
function withCreator<T extends AnObject>(context: WriteContext & { readonly next: T }): T | undefined {
  const { next, schema, apiVersion, subresource } = context;
  const ignored = ignoredAtTop(context, next);
  const fieldsV1 = ignored === undefined ? undefined : fieldsOfNew(emptyObject(next, schema), next, schema, ignored);
  if (fieldsV1 === undefined || apiVersion === "") return undefined;
  if (Object.keys(fieldsV1).length === 0) return withoutManagedFields(next);
  const entry: ManagedFieldsEntry = {
    manager: context.manager === "" ? "unknown" : context.manager,
    operation: "Update",
    apiVersion,
    time: context.time,
    fieldsType: "FieldsV1",
    fieldsV1,
    ...(subresource === "" ? {} : { subresource }),
  };
  return { ...next, metadata: { ...next.metadata, managedFields: [entry] } };
}

const nothingIgnored: ReadonlySet<string> = new Set();
const statusIgnored: ReadonlySet<string> = new Set(["status"]);
const specIgnored: ReadonlySet<string> = new Set(["spec"]);

/** `resetsOf` as names of fields at the top; undefined when they lie deeper. */
function ignoredAtTop(context: WriteContext, object: AnObject): ReadonlySet<string> | undefined {
  if (context.resetFields !== undefined)
    return context.resetFields.every((path) => path.length === 1) ? new Set(context.resetFields.flat()) : undefined;
  if (context.subresource !== "") return namesOf(resetFields(object, context.subresource));
  let ignored = ignoredOf.get(context.schema);
  if (ignored === undefined) {
    ignored = namesOf(resetFields(object, ""));
    ignoredOf.set(context.schema, ignored);
  }
  return ignored;
}

const namesOf = (reset: FieldSet): ReadonlySet<string> =>
  reset === specFields ? specIgnored : reset === statusFields ? statusIgnored : nothingIgnored;

// a cache of what follows from the kind that the schema describes
const ignoredOf = new WeakMap<ObjectSchema, ReadonlySet<string>>();

const restored = <T extends AnObject>(object: T, managedFields: readonly ManagedFieldsEntry[] | undefined): T =>
  managedFields === undefined ? withoutManagedFields(object) : { ...object, metadata: { ...object.metadata, managedFields } };

const resetsOf = (context: WriteContext, object: AnObject): FieldSet =>
  context.resetFields === undefined ? resetFields(object, context.subresource) : setOf(...context.resetFields);

const withoutMembers = (set: FieldSet, never: FieldSet): FieldSet => difference(set, never);

const ignoring = (comparison: Comparison, reset: FieldSet): Comparison =>
  reset.size === 0
    ? comparison
    : {
        added: withoutSubtrees(comparison.added, reset),
        modified: withoutSubtrees(comparison.modified, reset),
        removed: withoutSubtrees(comparison.removed, reset),
      };

/** What changed is no longer the others'. Managers left with nothing are dropped. */
function takeFromOthers(managers: Managers, comparison: Comparison, except: string | undefined): Managers {
  const lost = union(union(comparison.modified, comparison.added), comparison.removed);
  const left = new Map<string, Manager>();
  for (const [key, manager] of managers) {
    const fields = key === except ? manager.fields : difference(manager.fields, lost);
    if (fields.size > 0) left.set(key, fields === manager.fields ? manager : { ...manager, fields });
  }
  return left;
}

/** Folds the oldest Update entries into "ancient-changes" when there are too many. */
function capManagers(managers: Managers): Managers {
  const updates = [...managers].filter(([, manager]) => manager.operation === "Update");
  if (updates.length <= maxUpdateManagers) return managers;
  updates.sort(([, a], [, b]) =>
    (a.time ?? "") < (b.time ?? "") ? -1 : (a.time ?? "") > (b.time ?? "") ? 1 : a.manager < b.manager ? -1 : 1,
  );
  const result = new Map(managers);
  let count = updates.length;
  for (const [key, manager] of updates) {
    if (count <= maxUpdateManagers) break;
    const bucket: Manager = { ...manager, manager: "ancient-changes", subresource: "" };
    const bucketKey = managerKey(bucket);
    if (key === bucketKey) continue;
    const previous = result.get(bucketKey);
    result.delete(key);
    result.set(
      bucketKey,
      previous === undefined ? bucket : { ...previous, time: bucket.time, fields: union(previous.fields, manager.fields) },
    );
    if (previous !== undefined) count--;
  }
  return result;
}

/**
 * Server-side apply: the stored object with `applied` merged in, without what this manager applied before and does not any more.
 * The result is decoded but has no defaults yet. Returns `live` itself when nothing changes. Throws Conflict (fields of other managers, unless
 * `force`), or a 500 for an applied object that breaks the schema.
 */
export function applyPatch(context: WriteContext & { readonly applied: AnObject; readonly force: boolean }): AnObject {
  const { live, applied, schema, force } = context;
  const given = (applied.metadata as { managedFields?: unknown } | undefined)?.managedFields;
  if (given !== undefined && given !== null) throw badRequest("metadata.managedFields must be nil");
  const config = withoutManagedFields(applied);
  const problems = checkTyped(config, schema);
  if (problems.length > 0) {
    const gvk = `${context.apiVersion.includes("/") ? "" : "/"}${context.apiVersion}, Kind=${applied.kind ?? ""}`;
    const text = problems.length === 1 ? problems[0] : `errors:\n${problems.map((problem) => `  ${problem}`).join("\n")}`;
    throw apiError(
      "",
      `failed to create typed patch object (${applied.metadata?.namespace ?? ""}/${applied.metadata?.name ?? ""}; ${gvk}): ${text}`,
    );
  }
  const isVersion = versionsOf(context.apiVersion, applied.kind ?? "");
  const base = live === undefined ? emptyObject(applied, schema) : withoutManagedFields(live);
  let before = decodeManagers(live?.metadata.managedFields, isVersion) ?? new Map<string, Manager>();
  if (live !== undefined && before.size === 0) before = beforeFirstApply(base, context);
  const reset = resetsOf(context, applied);
  const applies = fieldSetOf(config, schema);
  const entry: Manager = {
    manager: context.manager,
    operation: "Apply",
    apiVersion: context.apiVersion,
    subresource: context.subresource,
    time: undefined,
    fields: withoutMembers(withoutSubtrees(applies, reset), neverOwned),
  };
  const key = managerKey(entry);
  const last = before.get(key);
  const withMine = new Map(before).set(key, { ...entry, time: last?.time });
  // What is applied stays, bookkeeping (the name) included.
  const keepers = new Map(withMine).set(key, { ...entry, fields: applies });
  const merged = prune(mergeTyped(base, config, schema), keepers, last, schema) as AnObject;
  const comparison = ignoring(compareTyped(base, merged, schema), reset);
  const taken = conflictsOf(withMine, key, comparison);
  if (taken.length > 0 && !force && !allowed(taken, context, base, applied)) throw conflictError(taken);
  const others = takeFromOthers(withMine, comparison, key);
  const changed = !deepEqual(base, merged);
  const managers = new Map(others);
  const mine = managers.get(key);
  if (mine === undefined || mine.fields.size === 0) managers.delete(key);
  const result = changed ? decoded(merged, schema) : base;
  // What decoding takes back (an empty map) is no change: then only new ownership is worth a new time.
  const same = !changed || deepEqual(base, result);
  if (
    mine !== undefined &&
    mine.fields.size > 0 &&
    changed &&
    !(same && last !== undefined && setsEqual(last.fields, mine.fields))
  )
    managers.set(key, { ...mine, time: context.time });
  const kept = same ? base : result;
  const annotated = live === undefined ? result : updateLastApplied(kept, applied, context.manager);
  if (
    live !== undefined &&
    annotated === base &&
    sameManagers(decodeManagers(live.metadata.managedFields, () => true) ?? new Map(), managers)
  )
    return live;
  return withManagers(annotated, managers);
}

const decoded = (object: AnObject, schema: ObjectSchema): AnObject => {
  if (schema.name === "") return object;
  const typed = decodeTyped(schema, object as unknown as JsonValue).object as unknown as AnObject;
  return { ...typed, apiVersion: object.apiVersion, kind: object.kind };
};

/** The owner of everything that was there before anyone applied. */
function beforeFirstApply(base: AnObject, context: WriteContext): Map<string, Manager> {
  const comparison = ignoring(compareTyped(emptyObject(base, context.schema), base, context.schema), resetsOf(context, base));
  const fields = withoutMembers(union(comparison.added, comparison.modified), neverOwned);
  const entry: Manager = {
    manager: "before-first-apply",
    operation: "Update",
    apiVersion: context.apiVersion,
    subresource: context.subresource,
    time: context.time,
    fields,
  };
  return fields.size === 0 ? new Map() : new Map([[managerKey(entry), entry]]);
}

/** Removes what the manager applied last time, no longer applies, and nobody else owns. */
function prune(merged: unknown, managers: Managers, last: Manager | undefined, schema: ObjectSchema): unknown {
  if (last === undefined || last.fields.size === 0) return merged;
  const lastFields = withNamedFields(last.fields, schema);
  const pruned = removeFields(merged, lastFields, schema) ?? {};
  const mergedSet = withNamedFields(fieldSetOf(merged, schema), schema);
  let prunedSet = withNamedFields(fieldSetOf(pruned, schema), schema);
  let owned: FieldSet = emptySet;
  for (const manager of managers.values()) owned = union(owned, manager.fields);
  const kept = removeFields(merged, difference(mergedSet, union(prunedSet, withNamedFields(owned, schema))), schema) ?? {};
  // What only went because its container went, and was not this manager's, stays.
  prunedSet = withNamedFields(fieldSetOf(kept, schema), schema);
  return removeFields(merged, intersection(difference(mergedSet, prunedSet), lastFields), schema) ?? {};
}

interface Conflict {
  readonly manager: Manager;
  readonly path: readonly string[];
}

function conflictsOf(managers: Managers, self: string, comparison: Comparison): Conflict[] {
  const changed = union(comparison.modified, comparison.added);
  if (changed.size === 0) return [];
  const found: Conflict[] = [];
  for (const [key, manager] of managers) {
    if (key === self) continue;
    for (const path of paths(intersection(manager.fields, changed))) found.push({ manager, path });
  }
  return found;
}

const managerText = ({ manager, operation, apiVersion, subresource }: Manager): string => {
  const named = subresource === "" ? `"${manager}"` : `"${manager}" with subresource "${subresource}"`;
  return operation === "Update" ? `${named} using ${apiVersion}` : named;
};

function conflictError(conflicts: readonly Conflict[]): ApiError {
  const sorted = [...conflicts].sort((a, b) =>
    managerKey(a.manager) < managerKey(b.manager) ? -1 : managerKey(a.manager) > managerKey(b.manager) ? 1 : 0,
  );
  const causes = sorted.map((conflict) => ({
    reason: "FieldManagerConflict",
    message: `conflict with ${managerText(conflict.manager)}`,
    field: pathText(conflict.path),
  }));
  const only = sorted[0] as Conflict;
  let message: string;
  if (sorted.length === 1)
    message = `Apply failed with 1 conflict: conflict with ${managerText(only.manager)}: ${pathText(only.path)}`;
  else {
    const lines: string[] = [];
    let current = "";
    for (const conflict of sorted) {
      if (managerKey(conflict.manager) !== current) lines.push(`conflicts with ${managerText(conflict.manager)}:`);
      current = managerKey(conflict.manager);
      lines.push(`- ${pathText(conflict.path)}`);
    }
    message = `Apply failed with ${sorted.length} conflicts: ${lines.join("\n")}`;
  }
  return new ApiError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason: "Conflict",
    details: { causes },
    code: 409,
  });
}

/** kubectl moving from client-side to server-side apply may take what it set itself: the fields of the last-applied annotation, as they still are. */
function allowed(conflicts: readonly Conflict[], context: WriteContext, live: AnObject, applied: AnObject): boolean {
  if (context.manager !== "kubectl") return false;
  const text = live.metadata.annotations?.[lastApplied];
  if (text === undefined || text === "") return false;
  let last: AnObject;
  try {
    last = JSON.parse(text) as AnObject;
  } catch {
    return false;
  }
  if (last.apiVersion !== applied.apiVersion || last.kind !== applied.kind) return false;
  const same = difference(
    fieldSetOf(last, context.schema),
    (() => {
      const comparison = compareTyped(last, live, context.schema);
      return union(comparison.modified, comparison.removed);
    })(),
  );
  const builder = new FieldSetBuilder();
  for (const conflict of conflicts) builder.addPath(conflict.path);
  return difference(builder.build(), same).size === 0;
}

/** Keeps the annotation of client-side apply true while kubectl applies on the server. */
function updateLastApplied(object: AnObject, applied: AnObject, manager: string): AnObject {
  const annotations = object.metadata.annotations;
  if (manager !== "kubectl" || !annotations?.[lastApplied]) return object;
  const { [lastApplied]: previous, ...rest } = annotations;
  const own = applied.metadata?.annotations;
  const source =
    own?.[lastApplied] === undefined
      ? applied
      : {
          ...applied,
          metadata: {
            ...applied.metadata,
            annotations: Object.fromEntries(Object.entries(own).filter(([key]) => key !== lastApplied)),
          },
        };
  const text = `${stableText(source)}\n`;
  if (text === previous) return object;
  const next = Buffer.byteLength(text) > lastAppliedMaxBytes ? rest : { ...rest, [lastApplied]: text };
  return { ...object, metadata: { ...object.metadata, annotations: next } };
}

const stableText = (value: unknown): string =>
  JSON.stringify(value, (_, inner) =>
    typeof inner === "bigint"
      ? Number(inner)
      : typeof inner === "object" && inner !== null && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
        : inner,
  );
