// JSON Merge Patch (RFC 7386): null removes, objects merge, everything else replaces.

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);

/** The document after the patch; the given one is not changed, untouched parts are shared. */
import { own } from "#base";
export function applyMergePatch(document: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: Json = isObject(document) ? { ...document } : {};
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (value === null) delete result[key];
    else {
      const before = own(result, key);
      Object.defineProperty(result, key, {
        value: applyMergePatch(before, value),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
  }
  return result;
}

/** The patch that turns `before` into `after`; undefined where nothing differs. */
export function createMergePatch(before: unknown, after: unknown): unknown {
  if (!isObject(before) || !isObject(after)) return JSON.stringify(before) === JSON.stringify(after) ? undefined : after;
  const patch: Json = {};
  for (const key of Object.keys(before)) if (after[key] === undefined && before[key] !== undefined) patch[key] = null;
  for (const key of Object.keys(after)) {
    if (after[key] === undefined) continue;
    const inner = before[key] === undefined ? after[key] : createMergePatch(before[key], after[key]);
    if (inner !== undefined) patch[key] = inner;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}
