// Strategic merge patch: maps and keyed lists merge by what the schema says of each field, with the $-directives.
import { own } from "#base";
import { deepEqual } from "./deep-equal.ts";
import { apiError, badRequest } from "./errors.ts";
import type { Field, ObjectSchema, Schema } from "./schema/schema.ts";

type Json = Record<string, unknown>;

const patchDirective = "$patch";
const retainKeysDirective = "$retainKeys";
const orderPrefix = "$setElementOrder/";
const deletePrefix = "$deleteFromPrimitiveList/";

const isMap = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);
const failed = (message: string): Error => apiError("", message);
const badRetainKeys = (): Error => badRequest("invalid patch format of retainKeys");
const noMergeKey = (item: unknown, key: string): Error =>
  failed(`map: ${goText(item)} does not contain declared merge key: ${key}`);

/** The document after the patch; neither argument is changed. Throws ApiError with upstream's text for a patch that makes no sense. */
export function applyStrategicMergePatch<T>(document: T, patch: unknown, schema: ObjectSchema): T {
  if (!isMap(patch))
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${Array.isArray(patch) ? "array" : typeof patch} into Go value of type map[string]interface {}`,
    );
  return mergeMap(document as Json, patch, schema) as T;
}

/** Go's %v of a JSON value: upstream's messages print patches so. */
export function goText(value: unknown): string {
  if (value === null || value === undefined) return "<nil>";
  if (Array.isArray(value)) return `[${value.map(goText).join(" ")}]`;
  if (typeof value === "object")
    return `map[${Object.keys(value)
      .sort()
      .map((key) => `${key}:${goText((value as Json)[key])}`)
      .join(" ")}]`;
  return String(value);
}

function badPatchType(directive: unknown, item: unknown): Error {
  const shown =
    typeof directive === "string"
      ? directive
      : typeof directive === "number"
        ? `%!s(${Number.isInteger(directive) ? "int64" : "float64"}=${directive})`
        : typeof directive === "boolean"
          ? `%!s(bool=${directive})`
          : goText(directive);
  return failed(`unknown patch type: ${shown} in map: ${goText(item)}`);
}

interface Lookup {
  readonly schema: Schema | undefined;
  readonly strategy: "merge" | "replace" | "";
  readonly mergeKey: string;
}

function lookup(schema: Schema | undefined, key: string): Lookup {
  if (schema?.kind === "map") return { schema: schema.values, strategy: "", mergeKey: "" };
  if (schema?.kind !== "object") return { schema: undefined, strategy: "", mergeKey: "" };
  const field: Field | undefined = own(schema.fields, key);
  if (field === undefined) {
    if (schema.preserveUnknown) return { schema: undefined, strategy: "", mergeKey: "" };
    throw failed(
      `unable to find api field in struct ${schema.name.slice(schema.name.lastIndexOf(".") + 1)} for the json field ${JSON.stringify(key)}`,
    );
  }
  const strategy = field.patchStrategy.includes("merge") ? "merge" : field.patchStrategy.includes("replace") ? "replace" : "";
  return { schema: field.schema, strategy, mergeKey: field.patchMergeKey ?? "" };
}

const itemSchema = (schema: Schema | undefined): Schema | undefined => (schema?.kind === "list" ? schema.items : undefined);

function mergeMap(before: Json | undefined, given: Json, schema: Schema | undefined): Json {
  if (Object.hasOwn(given, patchDirective)) return directed(given);
  const result: Json = { ...before };
  const patch: Json = { ...given };
  retainKeys(result, patch);
  for (const key of Object.keys(patch)) if (key.startsWith(orderPrefix)) mergeOrdered(result, patch, key, schema);

  for (const given of Object.keys(patch)) {
    const value = patch[given];
    const deleting = given.startsWith(deletePrefix);
    const key = deleting ? given.slice(deletePrefix.length) : given;
    if (value === undefined) continue;
    if (value === null) {
      delete result[key];
      continue;
    }
    const current = own(result, key);
    if (current === undefined || kindOf(current) !== kindOf(value)) {
      if (deleting) continue;
      const kept = withoutDirectives(value);
      if (kept !== undefined) set(result, key, kept);
    } else if (isMap(value)) {
      const found = lookup(schema, key);
      set(result, key, found.strategy === "replace" ? withoutDirectives(value) : mergeMap(current as Json, value, found.schema));
    } else if (Array.isArray(value)) {
      const found = lookup(schema, key);
      set(result, key, mergeList(current as unknown[], value, found, deleting));
    } else set(result, key, value);
  }
  return result;
}

/** JSON's "__proto__" is an ordinary key. */
function set(target: Json, key: string, value: unknown): void {
  if (key === "__proto__") Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  else target[key] = value;
}

const kindOf = (value: unknown): string => (Array.isArray(value) ? "list" : value === null ? "null" : typeof value);

function directed(patch: Json): Json {
  const directive = patch[patchDirective];
  if (directive === "delete") return {};
  if (directive !== "replace") throw badPatchType(directive, patch);
  const { [patchDirective]: _, ...rest } = patch;
  return rest;
}

function retainKeys(result: Json, patch: Json): void {
  if (!Object.hasOwn(patch, retainKeysDirective)) return;
  const keys = patch[retainKeysDirective];
  delete patch[retainKeysDirective];
  if (!Array.isArray(keys)) throw badRetainKeys();
  const kept = new Set<unknown>(keys);
  for (const key of Object.keys(patch)) {
    if (patch[key] === null || key.startsWith(deletePrefix) || key.startsWith(orderPrefix)) continue;
    if (!kept.has(key)) throw badRetainKeys();
  }
  for (const key of Object.keys(result)) if (!kept.has(key)) delete result[key];
}

/** What a value that meets nothing to merge with becomes: parts with a "$patch" vanish, nulls vanish. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives).filter((item) => item !== undefined);
  if (!isMap(value)) return value;
  if (Object.hasOwn(value, patchDirective)) return undefined;
  const result: Json = {};
  for (const key of Object.keys(value)) {
    if (key === retainKeysDirective || key.startsWith(orderPrefix) || key.startsWith(deletePrefix) || value[key] === null)
      continue;
    const kept = withoutDirectives(value[key]);
    if (kept !== undefined) set(result, key, kept);
  }
  return result;
}

/** A list with "$setElementOrder/<list>" beside it. */
function mergeOrdered(result: Json, patch: Json, directive: string, schema: Schema | undefined): void {
  const order = patch[directive];
  delete patch[directive];
  const key = directive.slice(orderPrefix.length);
  const before = own(result, key);
  const change = own(patch, key);
  for (const list of [order, before, change])
    if (list !== undefined && !Array.isArray(list))
      throw failed(
        `expected a []interface {}, but received a ${isMap(list) ? "map[string]interface {}" : typeof list === "number" ? "int64" : list === null ? "<nil>" : typeof list === "boolean" ? "bool" : "string"}`,
      );
  const found = lookup(schema, key);
  const orderList = order as unknown[];
  const changeList = change as unknown[] | undefined;
  checkOrder(changeList ?? [], orderList, found.mergeKey);
  let merged: unknown[];
  if (before === undefined) {
    if (changeList === undefined) return;
    merged = withoutDirectives(changeList) as unknown[];
  } else merged = changeList === undefined ? (before as unknown[]) : mergeList(before as unknown[], changeList, found, false);
  set(result, key, orderBy(merged, orderList, (before as unknown[] | undefined) ?? [], found.mergeKey));
  delete patch[key];
}

function checkOrder(change: readonly unknown[], order: readonly unknown[], mergeKey: string): void {
  const wanted = mergeKey === "" ? change : change.filter((item) => !(isMap(item) && item[patchDirective] === "delete"));
  let at = 0;
  for (const item of order) {
    if (at >= wanted.length) return;
    if (same(wanted[at], item, mergeKey)) at++;
  }
  if (at < wanted.length)
    throw failed(`The order in patch list:\n${goText(change)}\n doesn't match $setElementOrder list:\n${goText(order)}\n`);
}

const same = (a: unknown, b: unknown, mergeKey: string): boolean =>
  mergeKey === "" ? deepEqual(a, b) : isMap(a) && isMap(b) && a[mergeKey] !== undefined && deepEqual(a[mergeKey], b[mergeKey]);

function mergeList(before: readonly unknown[], patch: readonly unknown[], found: Lookup, deleting: boolean): unknown[] {
  if (found.strategy !== "merge" && !deleting) return withoutDirectives(patch) as unknown[];
  const sample = before[0] ?? patch[0];
  if (sample === undefined) return [...before];
  const maps = isMap(sample);
  for (const item of [...before, ...patch])
    if (isMap(item) !== maps) throw failed(`list element types are not identical: ${goText(patch)}`);
  if (!maps) {
    if (deleting) return before.filter((item) => !patch.includes(item));
    const merged = [...new Set([...before, ...patch])];
    return orderBy(merged, patch, before, "");
  }
  if (found.mergeKey === "") throw failed(`cannot merge lists without merge key for ${schemaName(found.schema)}`);
  const { base, rest } = specialItems(before as Json[], patch as Json[], found.mergeKey);
  const merged = mergeItems(base, rest, found);
  return orderBy(merged, rest, base, found.mergeKey);
}

const schemaName = (schema: Schema | undefined): string => {
  const items = itemSchema(schema);
  return items?.kind === "object" ? items.name.slice(items.name.lastIndexOf(".") + 1) : "";
};

/** Applies the items that are directives: `{$patch: delete, key}` and `{$patch: replace}`. */
function specialItems(
  before: readonly Json[],
  patch: readonly Json[],
  mergeKey: string,
): { base: readonly Json[]; rest: readonly Json[] } {
  let base = before;
  let replace = false;
  const rest: Json[] = [];
  for (const item of patch) {
    if (!Object.hasOwn(item, patchDirective)) {
      rest.push(item);
      continue;
    }
    const directive = item[patchDirective];
    if (directive === "delete") {
      if (!Object.hasOwn(item, mergeKey)) throw noMergeKey(item, mergeKey);
      base = base.filter((candidate) => !same(candidate, item, mergeKey));
    } else if (directive === "replace") replace = true;
    else if (directive === "merge") throw failed("merging lists cannot yet be specified in the patch");
    else throw badPatchType(directive, item);
  }
  return replace ? { base: rest, rest: [] } : { base, rest };
}

function mergeItems(before: readonly Json[], patch: readonly Json[], found: Lookup): Json[] {
  const merged = [...before];
  for (const item of patch) {
    if (!Object.hasOwn(item, found.mergeKey)) throw noMergeKey(item, found.mergeKey);
    const at = merged.findIndex((candidate) => same(candidate, item, found.mergeKey));
    if (at < 0) merged.push(withoutDirectives(item) as Json);
    else merged[at] = mergeMap(merged[at], item, itemSchema(found.schema));
  }
  return merged;
}

/**
 * Orders a merged list: items named by `order` in its order, the others as they stood in `before`; where both kinds stood in `before`,
 * their relative order there decides. So items that are new come first, as upstream.
 */
function orderBy(merged: readonly unknown[], order: readonly unknown[], before: readonly unknown[], mergeKey: string): unknown[] {
  if (mergeKey !== "") {
    for (const [i, item] of order.entries()) {
      if (!isMap(item)) throw failed(`value for key ${i} is not a map`);
      if (!Object.hasOwn(item, mergeKey)) throw noMergeKey(item, mergeKey);
    }
    for (const item of merged) if (!isMap(item) || !Object.hasOwn(item, mergeKey)) throw noMergeKey(item, mergeKey);
  }
  const place = indexer(order, mergeKey);
  const placeBefore = indexer(before, mergeKey);
  const named = merged.filter((item) => place(item) >= 0).sort((a, b) => place(a) - place(b));
  const others = merged.filter((item) => place(item) < 0).sort((a, b) => placeBefore(a) - placeBefore(b));
  const result: unknown[] = [];
  let i = 0;
  let j = 0;
  while (i < others.length || j < named.length) {
    if (i >= others.length) result.push(named[j++]);
    else if (j >= named.length) result.push(others[i++]);
    else {
      const left = placeBefore(others[i]);
      const right = placeBefore(named[j]);
      result.push(left >= 0 && right >= 0 && left < right ? others[i++] : named[j++]);
    }
  }
  return result;
}

/** First position of an item in a list, by merge key or value. */
function indexer(list: readonly unknown[], mergeKey: string): (item: unknown) => number {
  const places = new Map<string, number>();
  const keyOf = (item: unknown): string => JSON.stringify(mergeKey === "" ? item : isMap(item) ? item[mergeKey] : item) ?? "";
  for (const [i, item] of list.entries()) if (!places.has(keyOf(item))) places.set(keyOf(item), i);
  return (item) => places.get(keyOf(item)) ?? -1;
}
