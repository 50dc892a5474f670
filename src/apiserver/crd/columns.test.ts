// Cells of the tables of custom resources where values are not what the column says.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApiObject } from "#api";
import { customTable } from "./columns.ts";

test("a null is no value in a column of texts and nothing elsewhere, and only texts are dates", () => {
  const column = (name: string, type: string) => ({ name, type, jsonPath: `.spec.${name}` });
  const table = customTable([column("text", "string"), column("count", "integer"), column("day", "date")]);
  const cells = (spec: object): readonly unknown[] => table.cells({ metadata: { name: "a" }, spec } as ApiObject, 0);
  assert.deepEqual(cells({ text: null, count: null, day: null }), ["a", "<no value>", null, null]);
  assert.deepEqual(cells({ text: 5, count: "x", day: 5 }), ["a", "5", null, null]);
  assert.deepEqual(cells({ day: "bad" }), ["a", null, null, "<invalid>"]);
});
