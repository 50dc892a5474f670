// Who owns the replicas of a workload: its managed fields seen from its Scale, and brought back (upstream's scale handler).
import type { ManagedFieldsEntry } from "#api";

type Fields = { readonly [name: string]: Fields };

const scaleFields: Fields = { "f:spec": { "f:replicas": {} } };

const owns = (fields: Fields | undefined, path: readonly string[]): boolean => {
  const [first, ...rest] = path;
  if (first === undefined) return fields !== undefined;
  return owns(fields?.[`f:${first}`], rest);
};

const fieldsOf = (path: readonly string[]): Fields => {
  const [first, ...rest] = path;
  return first === undefined ? {} : { [`f:${first}`]: fieldsOf(rest) };
};

/** Without the path, and without what has become empty by that; undefined: nothing is left. */
function without(fields: Fields, path: readonly string[]): Fields | undefined {
  const [first = "", ...rest] = path;
  const { [`f:${first}`]: inner, ...others } = fields;
  const kept = inner === undefined || rest.length === 0 ? undefined : without(inner, rest);
  const result = kept === undefined ? others : { ...others, [`f:${first}`]: kept };
  return Object.keys(result).length === 0 ? undefined : result;
}

/** The entries of the workload that own its replicas, as entries of its Scale. `path` is where the workload keeps them. */
export function scaleOwners(
  entries: readonly ManagedFieldsEntry[] | undefined,
  path: readonly string[],
): readonly ManagedFieldsEntry[] {
  return (entries ?? [])
    .filter(({ fieldsV1 }) => owns(fieldsV1 as Fields | undefined, path))
    .map((entry) => ({ ...entry, apiVersion: "autoscaling/v1", fieldsV1: scaleFields as never }));
}

const sameApplier = (a: ManagedFieldsEntry, b: ManagedFieldsEntry): boolean =>
  a.operation === "Apply" &&
  b.operation === "Apply" &&
  a.manager === b.manager &&
  (a.subresource ?? "") === (b.subresource ?? "");

/**
 * The workload's entries after a write to its Scale. An applier keeps its entry; every other owner of the replicas loses them there and
 * gets an entry for them alone, which upstream writes without a time.
 */
export function workloadOwners(
  before: readonly ManagedFieldsEntry[] | undefined,
  scale: readonly ManagedFieldsEntry[] | undefined,
  apiVersion: string,
  path: readonly string[],
): ManagedFieldsEntry[] {
  const owners = (scale ?? []).filter(({ fieldsV1 }) => owns(fieldsV1 as Fields | undefined, ["spec", "replicas"]));
  const kept: ManagedFieldsEntry[] = [];
  for (const entry of before ?? []) {
    const fields = entry.fieldsV1 as Fields | undefined;
    if (fields === undefined || !owns(fields, path) || owners.some((owner) => sameApplier(owner, entry))) {
      kept.push(entry);
      continue;
    }
    const rest = without(fields, path);
    if (rest !== undefined) kept.push({ ...entry, fieldsV1: rest as never });
  }
  for (const owner of owners) {
    if (kept.some((entry) => sameApplier(owner, entry) && owns(entry.fieldsV1 as Fields | undefined, path))) continue;
    const { time: _time, ...rest } = owner;
    kept.push({ ...rest, apiVersion, fieldsV1: fieldsOf(path) as never });
  }
  return [...kept.filter(({ operation }) => operation === "Apply"), ...kept.filter(({ operation }) => operation !== "Apply")];
}
