// Small helpers that fill cells.
import { type ApiObject, age, labelSelector, selectorText } from "#api";

// biome-ignore lint/suspicious/noExplicitAny: printers read many kinds; what is missing prints as empty
export type Any = any;

export const nameOf = (object: ApiObject): string => object.metadata.name ?? "";
export const ageOf = (object: ApiObject, nowMs: number): string => age(object.metadata.creationTimestamp, nowMs);
export const orNone = (text: string): string => (text === "" ? "<none>" : text);

/** "a=b,c=d", sorted; "<none>" when empty. */
export function mapText(map: Readonly<Record<string, string>> | undefined | null): string {
  const keys = Object.keys(map ?? {}).sort();
  return orNone(keys.map((key) => `${key}=${(map as Record<string, string>)[key]}`).join(","));
}

export function selectorCell(selector: Any): string {
  try {
    return orNone(selectorText(labelSelector(selector)).replace(/ in \(([^,)]*)\)/g, "=$1"));
  } catch {
    return "<error>";
  }
}

/** Names and images of a pod template's containers. */
export function containerCells(podSpec: Any): readonly [names: string, images: string] {
  const containers: Any[] = podSpec?.containers ?? [];
  return [
    containers.map((container) => container.name).join(","),
    containers.map((container) => container.image ?? "").join(","),
  ];
}

const accessModeNames: Readonly<Record<string, string>> = {
  ReadWriteOnce: "RWO",
  ReadOnlyMany: "ROX",
  ReadWriteMany: "RWX",
  ReadWriteOncePod: "RWOP",
};

export function accessModes(modes: readonly string[] | undefined): string {
  const present = new Set(modes ?? []);
  return Object.keys(accessModeNames)
    .filter((mode) => present.has(mode))
    .map((mode) => accessModeNames[mode] as string)
    .join(",");
}

export const goBool = (value: boolean | undefined): string => (value === true ? "True" : "False");
