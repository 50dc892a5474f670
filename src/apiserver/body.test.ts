// Bodies as bytes: what is wrong with them, in upstream's words.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ApiError, type ApiObject, schemaOfKind } from "#api";
import { decodeObject, type ExpectedKind } from "./body.ts";

const schema = schemaOfKind({ group: "", version: "v1", kind: "ConfigMap" });
assert.ok(schema);
const configMaps: ExpectedKind = { group: "", version: "v1", kind: "ConfigMap", schema, strictKind: false };

function refusal(expected: ExpectedKind, contentType: string, body: string): string {
  try {
    decodeObject({ contentType, bytes: Buffer.from(body) }, expected, "Warn", () => {});
  } catch (error) {
    return (error as ApiError).message;
  }
  return "accepted";
}

test("a protobuf envelope of an unknown kind is told by that kind", () =>
  assert.equal(
    refusal(configMaps, "application/vnd.kubernetes.protobuf", "k8s\0\n\x0b\n\x02v1\x12\x05Nope1"),
    'Nope1 in version "v1" cannot be handled as a ConfigMap: no kind "Nope1" is registered for version "v1" in scheme "pkg/api/legacyscheme/scheme.go:30"',
  ));

test("a number that no float holds is refused where the schema does not say what it is", () => {
  const decode = (value: unknown): { object: ApiObject; problems: readonly string[] } => ({
    object: value as ApiObject,
    problems: [],
  });
  const custom = { ...configMaps, decode };
  const body = (number: string): string => `{"apiVersion":"v1","kind":"ConfigMap","metadata":{},"spec":{"n":${number}}}`;
  assert.equal(
    refusal(custom, "application/json", body("1e400")),
    'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number 1e400 into Go value of type float64',
  );
  assert.equal(refusal(custom, "application/json", body("1e300")), "accepted");
});

test("null is an object without anything", () => assert.equal(refusal(configMaps, "application/json", "null"), "accepted"));
