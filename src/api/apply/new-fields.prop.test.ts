// The short way to the creator's fields against the long one, over every built-in kind and over objects with holes, nulls and doubled items.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeTyped } from "../codec/typed.ts";
import type { JsonValue } from "../scalars.ts";
import { schemaOfKind } from "../schema/read.ts";
import type { ObjectSchema } from "../schema/schema.ts";
import objects from "../testdata/objects.json" with { type: "json" };
import { difference, encodeFields, FieldSetBuilder, union, withoutSubtrees } from "./field-set.ts";
import { fieldsOfNew } from "./new-fields.ts";
import { compareTyped } from "./typed.ts";

const setOf = (...paths: readonly string[][]) => {
  const builder = new FieldSetBuilder();
  for (const path of paths) builder.addPath(path.map((name) => `f:${name}`));
  return builder.build();
};
const bookkeeping = [
  "name",
  "namespace",
  "creationTimestamp",
  "selfLink",
  "uid",
  "generation",
  "managedFields",
  "resourceVersion",
];
const neverOwned = setOf(["apiVersion"], ["kind"], ["metadata"], ...bookkeeping.map((name) => ["metadata", name]));

function longWay(empty: object, object: object, schema: ObjectSchema, ignored: readonly string[]): unknown {
  const { added, modified } = compareTyped(empty, object, schema);
  const owned = withoutSubtrees(union(added, modified), setOf(...ignored.map((name) => [name])));
  return encodeFields(difference(owned, neverOwned));
}

interface Sample {
  readonly object: Readonly<Record<string, JsonValue>>;
  readonly schema: ObjectSchema;
  readonly empty: object;
}

const samples: readonly Sample[] = Object.values(
  objects as unknown as Record<string, { json: Record<string, JsonValue> }>,
).flatMap(({ json: object }): Sample[] => {
  const [version = "", group = ""] = String(object["apiVersion"]).split("/").reverse();
  const schema = schemaOfKind({ group, version, kind: String(object["kind"]) });
  if (schema === undefined) return [];
  const { apiVersion, kind } = object as { apiVersion: string; kind: string };
  return [{ object, schema, empty: { ...decodeTyped(schema, { apiVersion, kind }).object, apiVersion, kind } }];
});

test("the creator of an object of any kind owns the same fields by both ways", () => {
  assert.ok(samples.length > 50);
  for (const { object, schema, empty } of samples) {
    const expected = longWay(empty, object, schema, ["status"]);
    assert.equal(JSON.stringify(fieldsOfNew(empty, object, schema, new Set(["status"]))), JSON.stringify(expected));
  }
});

/** The object with some of its values replaced by nothing, null, an empty container, or an item given twice. */
function damaged(value: JsonValue, choose: () => number): JsonValue | undefined {
  const choice = choose();
  if (choice === 1) return undefined;
  if (choice === 2) return null;
  if (Array.isArray(value)) {
    const items = value.map((item: JsonValue) => damaged(item, choose)).filter((item) => item !== undefined) as JsonValue[];
    return choice === 3 ? [] : choice === 4 ? [...items, ...items.slice(0, 1)] : items;
  }
  if (typeof value !== "object" || value === null) return value;
  if (choice === 3) return {};
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, damaged(inner as JsonValue, choose) as JsonValue]));
}

test("with holes, nulls and doubled items the short way gives the same or leaves it to the long one", () => {
  let short = 0;
  fc.assert(
    fc.property(fc.nat(samples.length - 1), fc.infiniteStream(fc.nat(60)), (index, choices) => {
      const { object, schema, empty } = samples[index] as Sample;
      const next = damaged(object, () => choices.next().value as number);
      if (typeof next !== "object" || next === null || typeof (next as { metadata?: unknown }).metadata !== "object") return;
      const found = fieldsOfNew(empty, next, schema, new Set());
      if (found === undefined) return;
      short++;
      assert.equal(JSON.stringify(found), JSON.stringify(longWay(empty, next, schema, [])));
    }),
    { numRuns: 400 },
  );
  assert.ok(short > 100, `only ${short} went the short way`);
});
