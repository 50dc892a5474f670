// What the creator of an object owns, written as FieldsV1 in one pass: the short way of compareTyped and encodeFields for the case in which
// nothing was there before. Whatever is out of the ordinary (doubled list items, values that do not fit their schema) takes the long way.
import { deepEqual } from "../deep-equal.ts";
import type { ListSchema, ObjectSchema, Schema } from "../schema/schema.ts";
import { known } from "../shared.ts";
import type { FieldsV1 } from "./field-set.ts";

type Json = Readonly<Record<string, unknown>>;

const isMap = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);

/** Thrown and caught here only; one for all, as its stack tells nothing. */
const unusual = new Error("not the usual form");

/** Bookkeeping below metadata that nobody owns. */
export const unownedMetadata: ReadonlySet<string> = new Set([
  "name",
  "namespace",
  "creationTimestamp",
  "selfLink",
  "uid",
  "clusterName",
  "generation",
  "managedFields",
  "resourceVersion",
]);

/**
 * The fields of a new object as FieldsV1; undefined where the long way has to be taken. `empty` is what decoding an empty body gives: what
 * stands there already is not owned. `ignored` are fields at the top that the write cannot set. Equal sets give the same shared object.
 */
export function fieldsOfNew(
  empty: object,
  object: object,
  schema: ObjectSchema,
  ignored: ReadonlySet<string>,
): FieldsV1 | undefined {
  try {
    let text = "";
    for (const entry of entries(object as Json, schema)) {
      const { key, label, inner } = entry;
      if (key === "apiVersion" || key === "kind" || ignored.has(key)) continue;
      const value = (object as Json)[key];
      const before = (empty as Json)[key];
      const fields = key === "metadata" ? metadataFields(before, value, inner) : known(value, changesIn(entry, before));
      if (fields !== "") text += text === "" ? label + fields : `,${label}${fields}`;
    }
    return text === "" ? noFields : shared(`{${text}}`);
  } catch (error) {
    if (error !== unusual) throw error;
    return undefined;
  }
}

const noFields: FieldsV1 = {};

/** Metadata itself is never owned, nor are its names and times; labels and the like are. */
function metadataFields(before: unknown, value: unknown, schema: Schema | undefined): string {
  if (!isMap(value) || (before !== undefined && !isMap(before))) throw unusual;
  let text = "";
  for (const { key, label, inner } of entries(value, schema)) {
    if (unownedMetadata.has(key)) continue;
    const fields = changed(before?.[key], value[key], inner);
    if (fields !== "") text += text === "" ? label + fields : `,${label}${fields}`;
  }
  return text === "" ? "" : `{${text}}`;
}

/** `changed` as a question about the value alone: a field of a type always has the same schema and the same `before`. */
function changesIn(entry: Entry, before: unknown): (value: unknown) => string {
  let question = questions.get(entry);
  if (question === undefined) {
    question = (value) => changed(before, value, entry.inner);
    questions.set(entry, question);
  }
  return question;
}

/** FieldsV1 of what `value` has beyond `before`; "" for nothing. */
function changed(before: unknown, value: unknown, schema: Schema | undefined): string {
  if (before === undefined) return added(value, schema);
  if (before === value) return "";
  if (shapeOf(schema, value) === "leaf" || (isEmpty(before) && isEmpty(value))) return deepEqual(before, value) ? "" : "{}";
  if (isEmpty(value)) return "";
  // A container that decoding fills in (`spec: {containers: null}`) gets content: it is not new, what is in it is.
  const text = isEmpty(before) ? content(value, schema) : beyond(before, value, schema);
  return text === "" ? "" : `{${text}}`;
}

function beyond(before: unknown, value: unknown, schema: Schema | undefined): string {
  if (!isMap(before) || !isMap(value)) throw unusual;
  let text = "";
  for (const { key, label, inner } of entries(value, schema)) {
    const fields = changed(before[key], value[key], inner);
    if (fields !== "") text += text === "" ? label + fields : `,${label}${fields}`;
  }
  return text;
}

/** Everything in a value that was not there before, and the value itself. */
function added(value: unknown, schema: Schema | undefined): string {
  if (isEmpty(value) || shapeOf(schema, value) === "leaf") return "{}";
  const text = content(value, schema);
  return text === "" ? "{}" : `{".":{},${text}}`;
}

function content(value: unknown, schema: Schema | undefined): string {
  if (Array.isArray(value)) {
    if (schema?.kind !== "list") throw unusual;
    return items(value, schema);
  }
  if (!isMap(value) || schema?.kind === "list") throw unusual;
  let text = "";
  for (const { key, label, inner } of entries(value, schema))
    text += text === "" ? label + added(value[key], inner) : `,${label}${added(value[key], inner)}`;
  return text;
}

interface Item {
  /** As FieldsV1 has it, before it is quoted: the order goes by this. */
  readonly element: string;
  readonly label: string;
  readonly value: unknown;
}

function items(list: readonly unknown[], schema: ListSchema): string {
  const found = list.map((value) => itemOf(value, schema));
  if (found.length > 1) found.sort((a, b) => (a.element < b.element ? -1 : a.element > b.element ? 1 : 0));
  let text = "";
  for (let i = 0; i < found.length; i++) {
    const item = found[i] as Item; // i < length
    if (i > 0 && item.element === found[i - 1]?.element) throw unusual;
    const fields = added(item.value, schema.items);
    text += text === "" ? item.label + fields : `,${item.label}${fields}`;
  }
  return text;
}

const plainText = /^[A-Za-z0-9 ._:/@=+,;-]*$/;

function itemOf(value: unknown, schema: ListSchema): Item {
  if (schema.listType === "set") {
    if (typeof value !== "string") throw unusual;
    const element = `v:${JSON.stringify(value)}`;
    return { element, label: `${JSON.stringify(element)}:`, value };
  }
  if (!isMap(value)) throw unusual;
  let inside = "";
  let quoted = "";
  for (const name of sortedKeys(schema)) {
    const key = value[name] ?? (schema.items.kind === "object" ? schema.items.fields[name]?.default : undefined);
    if (key === undefined || key === null) continue;
    if (inside !== "") {
      inside += ",";
      quoted += ",";
    }
    if (typeof key === "string" && plainText.test(key)) {
      inside += `"${name}":"${key}"`;
      quoted += `\\"${name}\\":\\"${key}\\"`;
    } else if (typeof key === "number" && Number.isSafeInteger(key)) {
      inside += `"${name}":${key}`;
      quoted += `\\"${name}\\":${key}`;
    } else throw unusual;
  }
  return { element: `k:{${inside}}`, label: `"k:{${quoted}}":`, value };
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (typeof value !== "object") return false;
  if (Array.isArray(value)) return value.length === 0;
  for (const key in value) if (Object.hasOwn(value, key)) return false;
  return true;
}

function shapeOf(schema: Schema | undefined, value: unknown): "leaf" | "map" | "list" {
  if (schema === undefined) return isMap(value) ? "map" : "leaf";
  if (schema.kind === "object" || schema.kind === "map") return schema.atomic ? "leaf" : "map";
  return schema.kind === "list" && schema.listType !== "atomic" ? "list" : "leaf";
}

interface Entry {
  readonly key: string;
  /** `"f:key":` */
  readonly label: string;
  readonly inner: Schema | undefined;
}

/** The keys of a map or struct that have a value, in the order of FieldsV1. */
function entries(value: Json, schema: Schema | undefined): readonly Entry[] {
  const found: Entry[] = [];
  if (schema?.kind === "object") {
    const known = knownFields(schema);
    for (const key in value) {
      if (value[key] === undefined) continue;
      const entry = known.get(key);
      found.push(entry ?? { key, label: labelOf(key), inner: undefined });
    }
  } else {
    const inner = schema?.kind === "map" ? schema.values : undefined;
    for (const key in value) if (value[key] !== undefined) found.push({ key, label: labelOf(key), inner });
  }
  return inOrder(found);
}

/** Most have few keys, and those nearly in order. */
function inOrder(found: Entry[]): Entry[] {
  if (found.length > 50) return found.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  for (let i = 1; i < found.length; i++) {
    const entry = found[i] as Entry; // i < length
    let at = i;
    while (at > 0 && (found[at - 1] as Entry).key > entry.key) found[at] = found[--at] as Entry; // 0 < at <= i
    found[at] = entry;
  }
  return found;
}

const labelOf = (key: string): string => (plainText.test(key) ? `"f:${key}":` : `${JSON.stringify(`f:${key}`)}:`);

// caches of what follows from immutable schemas
const fieldsOf = new WeakMap<ObjectSchema, ReadonlyMap<string, Entry>>();
const keysOf = new WeakMap<ListSchema, readonly string[]>();
const questions = new WeakMap<Entry, (value: unknown) => string>();

function knownFields(schema: ObjectSchema): ReadonlyMap<string, Entry> {
  let known = fieldsOf.get(schema);
  if (known === undefined) {
    known = new Map(
      Object.values(schema.fields).map(({ name: key, schema: inner }) => [key, { key, label: labelOf(key), inner }]),
    );
    fieldsOf.set(schema, known);
  }
  return known;
}

function sortedKeys(schema: ListSchema): readonly string[] {
  let keys = keysOf.get(schema);
  if (keys === undefined) {
    keys = [...schema.mapKeys].sort();
    if (keys.some((key) => !/^[A-Za-z][A-Za-z0-9]*$/.test(key))) throw unusual;
    keysOf.set(schema, keys);
  }
  return keys;
}

const sharedFields = 1_000;
const sharedBytes = 16 * 1024;

// Objects of one workload own the same fields: they share one immutable object. A bounded cache of what follows from the text alone.
const byText = new Map<string, FieldsV1>();

function shared(text: string): FieldsV1 {
  const known = byText.get(text);
  if (known !== undefined) return known;
  // JSON.parse gives objects the compact form that JSON.stringify is fast with, however many keys they have.
  const fields = JSON.parse(text) as FieldsV1;
  if (text.length > sharedBytes) return fields;
  if (byText.size >= sharedFields) byText.delete(byText.keys().next().value as string);
  byText.set(text, fields);
  texts.set(fields, text);
  return fields;
}

const texts = new WeakMap<object, string>();

/** The JSON of a `fieldsV1` that creators share; undefined for any other. It is half of a small object's text, so it is not written anew each time. */
export const knownFieldsText = (fields: object): string | undefined => texts.get(fields);
