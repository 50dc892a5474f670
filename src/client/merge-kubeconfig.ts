// Puts one cluster's entries into a kubeconfig that may hold others', as `kubectl config` would.
import { dump, load } from "js-yaml";

interface Named {
  readonly name?: unknown;
}

const lists = ["clusters", "users", "contexts"] as const;

/**
 * The entries of `own` replace those of the same name; everything else of `existing` stays, comments excepted. The current context becomes
 * that of `own`. Throws a sentence when `existing` is not a kubeconfig: it is somebody's file, nothing may be lost.
 */
export function mergeKubeconfig(existing: string | undefined, own: string): string {
  if (existing === undefined || existing.trim() === "") return own;
  const mine = load(own) as Record<string, unknown>;
  const theirs = parse(existing);
  const merged: Record<string, unknown> = { ...theirs };
  for (const list of lists) {
    const added = entries(mine[list], list);
    const names = new Set(added.map(({ name }) => name));
    merged[list] = [...entries(theirs[list], list).filter(({ name }) => !names.has(name)), ...added];
  }
  merged["current-context"] = mine["current-context"];
  return dump(merged, { lineWidth: -1 });
}

function parse(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = load(text);
  } catch (cause) {
    throw new Error(`it is not YAML: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  const kind = typeof value === "object" && value !== null ? (value as Record<string, unknown>)["kind"] : undefined;
  if (kind !== "Config") throw new Error(`its kind is "${String(kind)}", not "Config"`);
  return value as Record<string, unknown>;
}

function entries(value: unknown, list: string): readonly Named[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new Error(`"${list}" is not a list`);
  return value as readonly Named[];
}
