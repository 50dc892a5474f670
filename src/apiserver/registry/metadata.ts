// The metadata that the server looks after: namespaces, names, owner references, generation, what an update may not change.
import { type ApiObject, badRequest, deepEqual, type KindRules, type ObjectMeta } from "#api";
import { type Random, randomSuffix, uuid } from "#base";
import { withoutSaid } from "../empty-lists.ts";

/** The object with these fields of metadata; undefined takes one away. The object itself when nothing changes. */
export function withMeta<T extends ApiObject>(
  object: T,
  changes: { readonly [K in keyof ObjectMeta]?: ObjectMeta[K] | undefined },
): T {
  const before = object.metadata as Readonly<Record<string, unknown>>;
  const wanted = changes as Readonly<Record<string, unknown>>;
  let metadata: Record<string, unknown> | undefined;
  let leaves = false;
  for (const key in wanted) {
    const value = wanted[key];
    if (value === undefined) leaves ||= key in before;
    else if (value !== before[key]) {
      metadata ??= { ...before };
      metadata[key] = value;
    }
  }
  if (leaves) metadata = withoutKeys(metadata ?? before, wanted);
  return metadata === undefined ? object : { ...object, metadata: metadata as ObjectMeta };
}

/** Not by `delete`: objects that have lost a key are slow to copy and to serialise ever after. */
function withoutKeys(
  metadata: Readonly<Record<string, unknown>>,
  wanted: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const key in metadata) if (!(key in wanted && wanted[key] === undefined)) kept[key] = metadata[key];
  return kept;
}

/** Gives the object the request's namespace. Throws BadRequest when it names another one. */
export function placeInNamespace(object: ApiObject, namespaced: boolean, namespace: string): ApiObject {
  const own = object.metadata.namespace ?? "";
  if (!namespaced) return own === "" ? object : withMeta(object, { namespace: undefined });
  if (own === namespace) return object;
  if (own === "") return withMeta(object, { namespace });
  throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
}

/** Throws BadRequest when the object's name is not the URL's. */
export function checkName(object: ApiObject, name: string, namespace: string): void {
  const own = object.metadata.name ?? "";
  if (own === "") throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  if (own !== name) throw badRequest(`the name of the object (${own}) does not match the name on the URL (${name})`);
  const ownNamespace = object.metadata.namespace ?? "";
  if (namespace !== "" && ownNamespace !== "" && ownNamespace !== namespace) {
    throw badRequest(`the namespace of the object (${ownNamespace}) does not match the namespace on the request (${namespace})`);
  }
}

/** Drops owner references that are given twice, with a warning. */
export function dedupeOwners(object: ApiObject, warn: (message: string) => void, admitted = false): ApiObject {
  const owners = object.metadata.ownerReferences;
  if (owners === undefined || owners.length < 2) return object;
  const kept: (typeof owners)[number][] = [];
  const twice: string[] = [];
  for (const owner of owners) {
    if (kept.some((other) => deepEqual(other, owner))) twice.push(owner.uid);
    else kept.push(owner);
  }
  if (kept.length === owners.length) return object;
  warn(
    `.metadata.ownerReferences contains duplicate entries${admitted ? " after mutating admission happens" : ""}; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${twice.join(", ")}`,
  );
  return withMeta(object, { ownerReferences: kept });
}

const maxGeneratedBase = 58;

/** System fields of a new object. */
export function newMeta(object: ApiObject, random: Random, time: string): ApiObject {
  const { metadata } = object;
  const generated =
    (metadata.name ?? "") === "" && (metadata.generateName ?? "") !== ""
      ? `${(metadata.generateName as string).slice(0, maxGeneratedBase)}${randomSuffix(random)}`
      : metadata.name;
  return withMeta(object, {
    name: generated,
    uid: uuid(random),
    creationTimestamp: time,
    deletionTimestamp: undefined,
    deletionGracePeriodSeconds: undefined,
    selfLink: undefined,
  });
}

/** What an update may not touch comes from the stored object. */
export function keepSystemMeta(next: ApiObject, old: ApiObject): ApiObject {
  const { metadata } = next;
  const before = old.metadata;
  return withMeta(next, {
    uid: metadata.uid ?? before.uid,
    creationTimestamp: before.creationTimestamp,
    deletionTimestamp: before.deletionTimestamp ?? metadata.deletionTimestamp,
    deletionGracePeriodSeconds: metadata.deletionGracePeriodSeconds ?? before.deletionGracePeriodSeconds,
    selfLink: undefined,
  });
}

export const withGeneration = (object: ApiObject, generation: number | undefined): ApiObject =>
  object.metadata.generation === generation ? object : withMeta(object, { generation });

/** Whether two versions differ in more than the times of their managedFields and their resourceVersion. */
export function sameState(next: ApiObject, old: ApiObject): boolean {
  return deepEqual(comparable(next), comparable(old));
}

function comparable(object: ApiObject): unknown {
  const { resourceVersion: _resourceVersion, managedFields, ...metadata } = object.metadata;
  return {
    ...object,
    kind: undefined,
    apiVersion: undefined,
    metadata:
      managedFields === undefined
        ? metadata
        : { ...metadata, managedFields: managedFields.map(({ time: _time, ...entry }) => entry) },
  };
}

/** Who owns which field is computed on `owned` (without what the strategy drops) and kept on `object`. */
export function withOwnership(object: ApiObject, owned: ApiObject, manage: (next: ApiObject) => ApiObject): ApiObject {
  const { managedFields } = manage(withoutSaid(owned)).metadata;
  return withMeta(object, { managedFields });
}

/** What of a new object its writer comes to own. */
export const ownedByCreator = (rules: Pick<KindRules, "owned" | "status">, object: ApiObject): ApiObject =>
  rules.owned?.(object) ?? (rules.status ? withoutStatus(object) : object);

/** Kinds whose status upstream writes even when it is empty always show one. */
export function withStatus(object: ApiObject, emptyStatus: unknown): ApiObject {
  return emptyStatus === undefined || (object as { status?: unknown }).status !== undefined
    ? object
    : ({ ...object, status: emptyStatus } as ApiObject);
}

export function withoutStatus(object: ApiObject): ApiObject {
  if (!("status" in object)) return object;
  const { status: _status, ...rest } = object as ApiObject & { status?: unknown };
  return rest;
}
