// metadata.managedFields: reading and writing the list, and who an entry belongs to.
import { builtInKinds } from "../schema/read.ts";
import type { ManagedFieldsEntry } from "../types/mod.ts";
import { decodeFields, encodeFields, type FieldSet, setsEqual } from "./field-set.ts";

export type Operation = "Apply" | "Update";

/** One manager's fields. */
export interface Manager {
  readonly manager: string;
  readonly operation: Operation;
  readonly apiVersion: string;
  readonly subresource: string;
  readonly time: string | undefined;
  readonly fields: FieldSet;
}

/** By identity: an applier is the same whatever version it uses, an updater is not. */
export type Managers = ReadonlyMap<string, Manager>;

export const managerKey = (manager: Pick<Manager, "manager" | "operation" | "apiVersion" | "subresource">): string =>
  JSON.stringify([
    manager.manager,
    manager.operation,
    manager.operation === "Apply" ? "" : manager.apiVersion,
    manager.subresource,
  ]);

/** Undefined when an entry cannot be read (upstream then looks at the stored object instead). Entries of versions the kind does not have are dropped. */
export function decodeManagers(
  entries: readonly ManagedFieldsEntry[] | undefined,
  isVersion: (apiVersion: string) => boolean,
): Managers | undefined {
  const managers = new Map<string, Manager>();
  for (const entry of entries ?? []) {
    if (entry.operation !== "Apply" && entry.operation !== "Update") return undefined;
    if (entry.fieldsType !== "FieldsV1") return undefined;
    const fields = entry.fieldsV1 === undefined || entry.fieldsV1 === null ? new Map() : decodeFields(entry.fieldsV1);
    if (fields === undefined) return undefined;
    const manager: Manager = {
      manager: entry.manager ?? "",
      operation: entry.operation,
      apiVersion: entry.apiVersion ?? "",
      subresource: entry.subresource ?? "",
      time: entry.time ?? undefined,
      fields,
    };
    if (isVersion(manager.apiVersion)) managers.set(managerKey(manager), manager);
  }
  return managers;
}

/** `[]` or `[{}]`: the client asks to forget all managers. */
export const isReset = (entries: readonly ManagedFieldsEntry[] | undefined | null): boolean =>
  entries?.length === 0 ||
  (entries?.length === 1 &&
    Object.values(entries[0] ?? {}).every((value) => value === undefined || value === null || value === ""));

export function encodeManagers(managers: Managers): ManagedFieldsEntry[] {
  const order = (a: Manager, b: Manager): number =>
    compare(a.operation, b.operation) ||
    compare(a.time ?? "", b.time ?? "") ||
    compare(a.manager, b.manager) ||
    compare(a.apiVersion, b.apiVersion) ||
    compare(a.subresource, b.subresource);
  return [...managers.values()].sort(order).map((manager) => ({
    ...(manager.manager === "" ? {} : { manager: manager.manager }),
    operation: manager.operation,
    ...(manager.apiVersion === "" ? {} : { apiVersion: manager.apiVersion }),
    ...(manager.time === undefined ? {} : { time: manager.time }),
    fieldsType: "FieldsV1",
    fieldsV1: encodeFields(manager.fields),
    ...(manager.subresource === "" ? {} : { subresource: manager.subresource }),
  }));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export function sameManagers(a: Managers, b: Managers): boolean {
  if (a.size !== b.size) return false;
  for (const [key, manager] of a) {
    const other = b.get(key);
    if (
      other === undefined ||
      other.time !== manager.time ||
      other.apiVersion !== manager.apiVersion ||
      !setsEqual(manager.fields, other.fields)
    )
      return false;
  }
  return true;
}

/** Whether a kind has this version. For kinds that are not built in, any version of the object's own group. */
export function versionsOf(apiVersion: string, kind: string): (candidate: string) => boolean {
  const key = (version: string): string => (version.includes("/") ? `${version}/${kind}` : `/${version}/${kind}`);
  const kinds = builtInKinds();
  if (!Object.hasOwn(kinds, key(apiVersion))) {
    const group = apiVersion.slice(0, apiVersion.indexOf("/") + 1);
    return (candidate) => candidate.startsWith(group) && candidate.split("/").length === apiVersion.split("/").length;
  }
  return (candidate) => Object.hasOwn(kinds, key(candidate));
}
