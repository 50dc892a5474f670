// Objects seen through their schema, for server-side apply: checking, field sets, comparison, merging, removing.
// A value without a schema (custom resources that keep unknown fields) is taken apart by its own shape: maps by key, lists whole.
import { own } from "#base";
import { deepEqual } from "../deep-equal.ts";
import { goQuote } from "../errors.ts";
import type { ListSchema, Schema } from "../schema/schema.ts";
import { goText } from "../strategic-merge.ts";
import { emptySet, type FieldSet, FieldSetBuilder, keyText, pathText } from "./field-set.ts";

type Json = Record<string, unknown>;
const isMap = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);
const absent = (value: unknown): value is undefined => value === undefined;

/** How a value is taken apart: not at all, by key, or by item. */
function shapeOf(schema: Schema | undefined, value: unknown): "leaf" | "map" | "list" {
  if (schema === undefined) return isMap(value) ? "map" : "leaf";
  switch (schema.kind) {
    case "object":
    case "map":
      return schema.atomic ? "leaf" : "map";
    case "list":
      return schema.listType === "atomic" ? "leaf" : "list";
    default:
      return "leaf";
  }
}

/** The schema of a map's value; undefined where nothing is known of it. */
function fieldSchema(schema: Schema | undefined, key: string): Schema | undefined {
  if (schema?.kind === "map") return schema.values;
  return schema?.kind === "object" ? own(schema.fields, key)?.schema : undefined;
}

const declares = (schema: Schema | undefined, key: string): boolean =>
  schema?.kind === "object" && Object.hasOwn(schema.fields, key);

/** The path element of a list's item; keys that are missing take their default, or are left out. */
function elementOf(list: ListSchema, item: unknown): string {
  if (list.listType === "set") return `v:${jsonText(item)}`;
  const keys: Json = {};
  for (const name of [...list.mapKeys].sort()) {
    const value = isMap(item) ? item[name] : undefined;
    const key = value ?? (list.items.kind === "object" ? list.items.fields[name]?.default : undefined);
    if (key !== undefined && key !== null) keys[name] = key;
  }
  return `k:${jsonText(keys)}`;
}

/** A key of a built-in type is its zero value where nothing is said. */
const hasZero = ({ items }: ListSchema, key: string): boolean =>
  items.kind === "object" && items.fields[key]?.goType !== undefined;

const jsonText = (value: unknown): string =>
  JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? Number(inner) : inner));

/** What of a value breaks its schema, in upstream's words; empty when nothing does. */
export function checkTyped(value: unknown, schema: Schema | undefined, path: readonly string[] = []): string[] {
  if (value === null || value === undefined || schema === undefined) return [];
  const bad = (what: string): string[] => [`${pathText(path)}: ${what}`];
  switch (schema.kind) {
    case "scalar": {
      const text = typeof value === "string" ? goQuote(value) : typeof value === "object" ? goText(value) : String(value);
      const shown = `&value.valueUnstructured{Value:${text}}`;
      if (typeof value === "object")
        return bad(
          `expected ${schema.type === "boolean" ? "boolean" : schema.type.startsWith("int") && schema.type !== "intOrString" ? "numeric" : "string"}, got &{${goText(value)}}`,
        );
      if (schema.type === "string" || schema.type === "time" || schema.type === "microTime" || schema.type === "bytes")
        return typeof value === "string" ? [] : bad(`expected string, got ${shown}`);
      if (schema.type === "boolean") return typeof value === "boolean" ? [] : bad(`expected boolean, got ${shown}`);
      if (schema.type === "int32" || schema.type === "int64" || schema.type === "double")
        return typeof value === "number" || typeof value === "bigint"
          ? []
          : bad(`expected numeric (int or float), got ${typeof value === "boolean" ? "bool" : "string"}`);
      return [];
    }
    case "any":
      return [];
    case "map": {
      if (!isMap(value)) return bad(`expected map, got &{${goText(value)}}`);
      return Object.keys(value).flatMap((key) => checkTyped(value[key], schema.values, [...path, `f:${key}`]));
    }
    case "object": {
      if (!isMap(value)) return bad(`expected map, got &{${goText(value)}}`);
      return Object.keys(value).flatMap((key) => {
        const field = own(schema.fields, key);
        if (field !== undefined) return checkTyped(value[key], field.schema, [...path, `f:${key}`]);
        if (schema.preserveUnknown) return [];
        return [`${pathText([...path, `f:${key}`])}: field not declared in schema`];
      });
    }
    case "list": {
      if (!Array.isArray(value)) return bad(`expected list, got &{${goText(value)}}`);
      if (schema.listType === "atomic") return value.flatMap((item, i) => checkTyped(item, schema.items, [...path, `i:${i}`]));
      const seen = new Set<string>();
      const errors: string[] = [];
      for (const [i, item] of value.entries()) {
        if (schema.listType === "map" && (item === null || !isMap(item))) {
          errors.push(
            ...bad(
              `element ${i}: associative list with keys may not have ${item === null ? "a null element" : "non-map elements"}`,
            ),
          );
          continue;
        }
        const element = elementOf(schema, item);
        if (element === "k:{}" && !schema.mapKeys.some((key) => hasZero(schema, key))) {
          const keys = schema.mapKeys.map((key) => JSON.stringify(key)).join(" ");
          errors.push(
            ...bad(
              `element ${i}: associative list with keys has an element that omits all key fields [${keys}] (and doesn't have default values for any key fields)`,
            ),
          );
          continue;
        }
        if (seen.has(element))
          errors.push(
            ...bad(
              `duplicate entries for key [${schema.listType === "set" ? `=${element.slice(2)}` : keyText(element.slice(2))}]`,
            ),
          );
        seen.add(element);
        errors.push(...checkTyped(item, schema.items, [...path, element]));
      }
      return errors;
    }
    default:
      return schema satisfies never;
  }
}

/** The fields that a value sets. */
export function fieldSetOf(value: unknown, schema: Schema | undefined): FieldSet {
  const builder = new FieldSetBuilder();
  collect(value, schema, builder);
  return builder.build();
}

/** Adds the fields below a value; returns whether the value itself is a field. */
function collect(value: unknown, schema: Schema | undefined, into: FieldSetBuilder): boolean {
  const shape = shapeOf(schema, value);
  if (shape === "leaf") return true;
  if (value === null || value === undefined) return false;
  if (shape === "list") {
    for (const item of value as unknown[]) {
      const element = elementOf(schema as ListSchema, item);
      collect(item, (schema as ListSchema).items, into.child(element));
      into.add(element);
    }
    return false;
  }
  for (const key of Object.keys(value as Json)) {
    const inner = (value as Json)[key];
    if (inner === undefined) continue;
    const element = `f:${key}`;
    const isLeaf = collect(inner, fieldSchema(schema, key), into.child(element));
    if (isLeaf || inner === null || (isMap(inner) && Object.keys(inner).length === 0) || !declares(schema, key))
      into.add(element);
  }
  return false;
}

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

interface Builders {
  readonly added: FieldSetBuilder;
  readonly modified: FieldSetBuilder;
  readonly removed: FieldSetBuilder;
}

/** What changed between two objects. A field that is null in the one and has content in the other is changed below itself only. */
export function compareTyped(before: unknown, after: unknown, schema: Schema | undefined): Comparison {
  const into: Builders = { added: new FieldSetBuilder(), modified: new FieldSetBuilder(), removed: new FieldSetBuilder() };
  compareAt(before, after, schema, [], into);
  return { added: into.added.build(), modified: into.modified.build(), removed: into.removed.build() };
}

const isEmptyCollection = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  (Array.isArray(value) ? value.length === 0 : typeof value === "object" && Object.keys(value).length === 0);

function compareLeaf(before: unknown, after: unknown, path: string[], into: Builders): void {
  if (absent(before)) into.added.addPath(path);
  else if (absent(after)) into.removed.addPath(path);
  else if (!deepEqual(before, after)) into.modified.addPath(path);
}

function compareAt(before: unknown, after: unknown, schema: Schema | undefined, path: string[], into: Builders): void {
  if (before === after) return;
  const shape = shapeOf(schema, after ?? before);
  if (shape === "leaf" || (isEmptyCollection(before) && isEmptyCollection(after))) {
    compareLeaf(before, after, path, into);
    return;
  }
  if (shape === "list") compareLists((before ?? []) as unknown[], (after ?? []) as unknown[], schema as ListSchema, path, into);
  else {
    const left = (before ?? {}) as Json;
    const right = (after ?? {}) as Json;
    if (!isMap(left) || !isMap(right)) {
      compareLeaf(before, after, path, into);
      return;
    }
    const below = (a: unknown, b: unknown, key: string): void => {
      path.push(`f:${key}`);
      compareAt(a, b, fieldSchema(schema, key), path, into);
      path.pop();
    };
    for (const key of Object.keys(left))
      if (left[key] !== undefined && left[key] !== right[key]) below(left[key], right[key], key);
    for (const key of Object.keys(right))
      if (right[key] !== undefined && left[key] === undefined) below(undefined, right[key], key);
  }
  if (absent(before)) into.added.addPath(path);
  else if (absent(after)) into.removed.addPath(path);
}

/** Items by path element; an element that stands twice keeps the list of its items. */
function byElement(list: readonly unknown[], schema: ListSchema): Map<string, { first: unknown; all: unknown[] }> {
  const items = new Map<string, { first: unknown; all: unknown[] }>();
  for (const item of list) {
    const element = elementOf(schema, item);
    const found = items.get(element);
    if (found === undefined) items.set(element, { first: item, all: [item] });
    else found.all.push(item);
  }
  return items;
}

function compareLists(
  before: readonly unknown[],
  after: readonly unknown[],
  schema: ListSchema,
  path: string[],
  into: Builders,
): void {
  const left = byElement(before, schema);
  const right = byElement(after, schema);
  for (const element of new Set([...left.keys(), ...right.keys()])) {
    const old = left.get(element);
    const next = right.get(element);
    path.push(element);
    // Items that stand twice have no identity of their own: they count as one value.
    if ((old?.all.length ?? 0) > 1 || (next?.all.length ?? 0) > 1) compareLeaf(old?.all, next?.all, path, into);
    else compareAt(old?.first, next?.first, schema.items, path, into);
    path.pop();
  }
}

/** `applied` laid over `live`: maps and keyed lists merge, everything else is replaced. */
export function mergeTyped(live: unknown, applied: unknown, schema: Schema | undefined): unknown {
  if (absent(applied)) return live;
  if (absent(live) || live === null || applied === null) return applied;
  const shape = shapeOf(schema, applied);
  if (shape === "leaf") return applied;
  if (shape === "map") {
    if (!isMap(live) || !isMap(applied)) return applied;
    const merged: Json = { ...live };
    for (const key of Object.keys(applied)) {
      const value = mergeTyped(own(live, key), applied[key], fieldSchema(schema, key));
      Object.defineProperty(merged, key, { value, enumerable: true, configurable: true, writable: true });
    }
    return merged;
  }
  return mergeLists(live as unknown[], applied as unknown[], schema as ListSchema);
}

/** Items of the one and the other in an order that keeps to both: live's own before the shared item that follows them, applied's order for what it names. */
function mergeLists(live: readonly unknown[], applied: readonly unknown[], schema: ListSchema): unknown[] {
  const left = live.map((item) => ({ element: elementOf(schema, item), item }));
  const right = applied.map((item) => ({ element: elementOf(schema, item), item }));
  const liveItems = byElement(live, schema);
  const named = new Set(right.map(({ element }) => element));
  const shared = right.filter(({ element }) => liveItems.has(element)).map(({ element }) => element);
  const result: unknown[] = [];
  let nextShared = 0;
  let l = 0;
  let r = 0;
  const takeApplied = (): void => {
    const { element, item } = right[r++] as { element: string; item: unknown };
    result.push(mergeTyped(liveItems.get(element)?.first, item, schema.items));
    if (shared[nextShared] === element) nextShared++;
  };
  while (l < left.length || r < right.length) {
    const mine = left[l];
    if (mine !== undefined && r < right.length) {
      if (mine.element === right[r]?.element) {
        l++;
        takeApplied();
        continue;
      }
      if (named.has(mine.element) && shared[nextShared] !== mine.element) {
        l++;
        continue;
      }
    }
    if (mine !== undefined && !named.has(mine.element)) {
      result.push(mine.item);
      l++;
    } else if (r < right.length) takeApplied();
    else l++;
  }
  return result;
}

/** A copy of `value` without the paths of `remove`, nor what is below them. Containers that lose everything vanish. */
export function removeFields(value: unknown, remove: FieldSet, schema: Schema | undefined): unknown {
  if (remove.size === 0 || value === null || value === undefined) return value;
  const shape = shapeOf(schema, value);
  if (shape === "leaf") return value;
  if (shape === "list") {
    const kept: unknown[] = [];
    for (const item of value as unknown[]) {
      const node = remove.get(elementOf(schema as ListSchema, item));
      if (node?.member) continue;
      kept.push(node === undefined ? item : removeFields(item, node.children, (schema as ListSchema).items));
    }
    return kept.length === 0 ? null : kept;
  }
  const kept: Json = {};
  for (const key of Object.keys(value as Json)) {
    const node = remove.get(`f:${key}`);
    if (node?.member) continue;
    const inner = (value as Json)[key];
    kept[key] = node === undefined ? inner : removeFields(inner, node.children, fieldSchema(schema, key));
  }
  return Object.keys(kept).length === 0 ? null : kept;
}

/** The set, and every declared field of a struct that leads to one of its paths. */
export function withNamedFields(set: FieldSet, schema: Schema | undefined): FieldSet {
  const result = new Map<string, { member: boolean; children: FieldSet }>();
  for (const [element, node] of set) {
    const key = element.slice(2);
    const inner = element.startsWith("f:")
      ? schema?.kind === "object"
        ? schema.fields[key]?.schema
        : schema?.kind === "map"
          ? schema.values
          : undefined
      : schema?.kind === "list"
        ? schema.items
        : undefined;
    const children = node.children.size === 0 ? emptySet : withNamedFields(node.children, inner);
    result.set(element, { member: node.member || (element.startsWith("f:") && declares(schema, key)), children });
  }
  return result;
}
