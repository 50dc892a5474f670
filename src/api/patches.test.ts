// The three patch formats: their results, what they refuse, and that they change nothing in place.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { deepEqual } from "./deep-equal.ts";
import { ApiError } from "./errors.ts";
import { applyJsonPatch, type JsonPatchOperation, readJsonPatch } from "./json-patch.ts";
import { applyMergePatch, createMergePatch } from "./merge-patch.ts";
import { schemaOfKind } from "./schema/read.ts";
import { applyStrategicMergePatch } from "./strategic-merge.ts";

const document = { data: { k: "1", l: "2" }, list: ["a", "b", "c"], deep: { "a/b": { "c~d": [1, { e: null }] } } };

describe("applyJsonPatch()", () => {
  const changes: readonly (readonly [name: string, patch: readonly JsonPatchOperation[], path: string, expected: unknown])[] = [
    ["replaces a missing key by adding it", [{ op: "replace", path: "/data/z", value: "9" }], "data", { k: "1", l: "2", z: "9" }],
    ["takes a missing value for null", [{ op: "add", path: "/data/k" }], "data", { k: null, l: "2" }],
    ["appends with a dash", [{ op: "add", path: "/list/-", value: "d" }], "list", ["a", "b", "c", "d"]],
    ["inserts before an index", [{ op: "add", path: "/list/1", value: "x" }], "list", ["a", "x", "b", "c"]],
    ["counts negative indexes from the end", [{ op: "remove", path: "/list/-1" }], "list", ["a", "b"]],
    ["reads an index with leading zeros", [{ op: "replace", path: "/list/01", value: "x" }], "list", ["a", "x", "c"]],
    [
      "drops the first part of a path without a slash",
      [{ op: "add", path: "zz/data/k", value: "9" }],
      "data",
      { k: "9", l: "2" },
    ],
    ["copies a missing key as null", [{ op: "copy", from: "/data/nope", path: "/data/c" }], "data", { k: "1", l: "2", c: null }],
    ["moves", [{ op: "move", from: "/data/k", path: "/data/m" }], "data", { l: "2", m: "1" }],
    [
      "decodes escapes",
      [
        { op: "test", path: "/deep/a~1b/c~0d/0", value: 1 },
        { op: "add", path: "/data/ok", value: "y" },
      ],
      "data",
      { k: "1", l: "2", ok: "y" },
    ],
    ["tests a missing key against null", [{ op: "test", path: "/data/nope", value: null }], "data", document.data],
    [
      "keeps __proto__ an ordinary key",
      [{ op: "add", path: "/data/__proto__", value: "x" }],
      "data",
      JSON.parse('{"k":"1","l":"2","__proto__":"x"}'),
    ],
  ];
  for (const [name, patch, path, expected] of changes)
    test(name, () => {
      const before = structuredClone(document);
      assert.deepEqual((applyJsonPatch(document, patch) as unknown as Record<string, unknown>)[path], expected);
      assert.deepEqual(document, before, "the document is not changed");
    });
  const refusals: readonly JsonPatchOperation[] = [
    { op: "remove", path: "/data/nope" },
    { op: "add", path: "/nope/x", value: 1 },
    { op: "test", path: "/data/k", value: 1 },
    { op: "move", from: "/data", path: "/data/x" },
    { op: "copy", from: "", path: "/data/x" },
    { op: "ADD", path: "/data/x", value: 1 },
    { path: "/data/x" },
    { op: "add" },
    {},
    { op: "replace", path: "/list/7", value: 1 },
    { op: "add", path: "/list/9", value: 1 },
    { op: "add", path: "/list/x", value: 1 },
  ];
  for (const operation of refusals)
    test(`refuses ${JSON.stringify(operation)} with 422`, () =>
      assert.throws(
        () => applyJsonPatch(document, [operation]),
        (error) =>
          error instanceof ApiError &&
          error.code === 422 &&
          error.message === "the server rejected our request due to an error in our request",
      ));
  test("bodies that are no patch are refused in upstream's words", () => {
    const message = (body: unknown): string => {
      try {
        readJsonPatch(body);
        return "";
      } catch (error) {
        return (error as Error).message;
      }
    };
    assert.equal(message({}), "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp");
    assert.equal(message([1]), "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp");
    assert.equal(
      message([{ op: 1 }]),
      "error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string",
    );
    assert.match(message(Array(10_001).fill({})), /maximum operations in a JSON patch is 10000, got 10001/);
    assert.deepEqual(readJsonPatch([{ op: "add", path: "/x", extra: true }]).unknownFields, ["[0].extra"]);
  });
});

const json = fc.letrec<{ value: unknown; object: Record<string, unknown> }>((tie) => ({
  value: fc.oneof({ depthSize: "small" }, fc.constantFrom("x", 1, true), fc.array(fc.constantFrom(1, 2)), tie("object")),
  object: fc.dictionary(fc.constantFrom("a", "b", "c", "d"), tie("value"), { maxKeys: 4 }),
})).object;

describe("applyMergePatch()", () => {
  test("removes with null, merges objects, replaces lists", () => {
    assert.deepEqual(applyMergePatch(document, { data: { k: null, m: "3" }, list: ["z"] }), {
      ...document,
      data: { l: "2", m: "3" },
      list: ["z"],
    });
    assert.deepEqual(applyMergePatch({}, { a: { b: null } }), { a: {} });
    assert.deepEqual(applyMergePatch({ a: "x" }, { a: { b: 1 } }), { a: { b: 1 } });
  });
  test("the patch between two objects turns the one into the other", () => {
    fc.assert(
      fc.property(json, json, (before, after) => {
        const patch = createMergePatch(before, after);
        assert.ok(deepEqual(patch === undefined ? before : applyMergePatch(before, patch), after));
      }),
      { numRuns: 300 },
    );
  });
  test("a patch applied twice is a patch applied once", () => {
    fc.assert(
      fc.property(json, json, (object, patch) =>
        assert.deepEqual(applyMergePatch(applyMergePatch(object, patch), patch), applyMergePatch(object, patch)),
      ),
      { numRuns: 200 },
    );
  });
});

describe("applyStrategicMergePatch()", () => {
  const schema = schemaOfKind({ group: "", version: "v1", kind: "Pod" });
  assert.ok(schema);
  const pod = {
    metadata: { name: "p", finalizers: ["x.y/a", "x.y/b"], labels: { a: "b" } },
    spec: {
      containers: [
        {
          name: "a",
          image: "1",
          env: [
            { name: "A", value: "1" },
            { name: "B", value: "2" },
          ],
          args: ["x"],
        },
        { name: "b", image: "2" },
      ],
      volumes: [{ name: "v", emptyDir: {} }],
    },
  };
  const patched = (patch: object): typeof pod => applyStrategicMergePatch(pod, patch, schema);
  const names = (patch: object): string =>
    patched({ spec: patch })
      .spec.containers.map((container) => container.name)
      .join(" ");
  test("merges keyed lists by key, new items first", () => {
    assert.equal(names({ containers: [{ name: "c", image: "3" }] }), "c a b");
    assert.equal(names({ containers: [{ name: "b", image: "3" }] }), "a b");
    assert.deepEqual(
      patched({ spec: { containers: [{ name: "a", env: [{ name: "B", value: "9" }] }] } }).spec.containers[0]?.env,
      [
        { name: "A", value: "1" },
        { name: "B", value: "9" },
      ],
    );
    assert.deepEqual(patched({ spec: { containers: [{ name: "a", args: ["y"] }] } }).spec.containers[0]?.args, ["y"]);
  });
  test("follows $patch, $setElementOrder, $retainKeys and $deleteFromPrimitiveList", () => {
    assert.equal(names({ containers: [{ name: "a", $patch: "delete" }] }), "b");
    assert.equal(names({ containers: [{ $patch: "replace" }, { name: "z", image: "9" }] }), "z");
    assert.equal(names({ "$setElementOrder/containers": [{ name: "b" }, { name: "a" }] }), "b a");
    assert.deepEqual(
      patched({ spec: { volumes: [{ name: "v", $retainKeys: ["name", "hostPath"], hostPath: { path: "/x" } }] } }).spec.volumes,
      [{ name: "v", hostPath: { path: "/x" } }],
    );
    assert.deepEqual(patched({ metadata: { "$deleteFromPrimitiveList/finalizers": ["x.y/a"] } }).metadata.finalizers, ["x.y/b"]);
    assert.deepEqual(patched({ metadata: { finalizers: ["x.y/c"] } }).metadata.finalizers, ["x.y/c", "x.y/a", "x.y/b"]);
    assert.deepEqual(patched({ metadata: { labels: { $patch: "replace", z: "1" } } }).metadata.labels, { z: "1" });
  });
  const refusals: readonly (readonly [patch: object, code: number, message: string])[] = [
    [{ containers: [{ image: "x" }] }, 500, "map: map[image:x] does not contain declared merge key: name"],
    [{ containers: [{ $patch: "merge" }, { name: "m" }] }, 500, "merging lists cannot yet be specified in the patch"],
    [{ containers: [{ $patch: "nope", name: "z" }] }, 500, "unknown patch type: nope in map: map[$patch:nope name:z]"],
    [{ volumes: [{ name: "v", $retainKeys: ["name"], hostPath: {} }] }, 400, "invalid patch format of retainKeys"],
    [{ "$setElementOrder/containers": ["a"] }, 500, "value for key 0 is not a map"],
    [{ "$setElementOrder/containers": {} }, 500, "expected a []interface {}, but received a map[string]interface {}"],
    [{ "$setElementOrder/nope": [{ name: "a" }] }, 500, 'unable to find api field in struct PodSpec for the json field "nope"'],
    [
      { "$setElementOrder/containers": [{ name: "a" }], containers: [{ name: "d", image: "x" }] },
      500,
      "The order in patch list:\n[map[image:x name:d]]\n doesn't match $setElementOrder list:\n[map[name:a]]\n",
    ],
  ];
  for (const [patch, code, message] of refusals)
    test(`refuses ${JSON.stringify(patch)} in upstream's words`, () =>
      assert.throws(
        () => patched({ spec: patch }),
        (error) => error instanceof ApiError && error.code === code && error.message === message,
      ));
  test("without lists it is a merge patch", () => {
    const plain = fc.dictionary(fc.constantFrom("a", "b", "c"), fc.oneof(fc.constantFrom("x", "y"), fc.constant(null)));
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom("a", "b", "c"), fc.constantFrom("x", "y")), plain, (labels, patch) => {
        const object = { metadata: { labels } };
        assert.deepEqual(
          applyStrategicMergePatch(object, { metadata: { labels: patch } }, schema),
          applyMergePatch(object, { metadata: { labels: patch } }),
        );
      }),
      { numRuns: 100 },
    );
  });
});
