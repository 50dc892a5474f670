// The stored form: a slot for the resourceVersion, and values that others wrote.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pods } from "#api";
import { fillSlot, parseStored, serialize, servedBytes, storedForm } from "./stored-bytes.ts";

const form = storedForm(pods);
const object = { metadata: { name: "p", resourceVersion: "7" }, spec: { a: 1 } };

describe("stored bytes", () => {
  it("begin with kind, apiVersion and a slot that the store fills in", () => {
    const bytes = serialize(form, object);
    assert.ok(bytes.toString().startsWith('{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"0000000000000000",'));
    fillSlot(bytes, form.head.length, 42);
    assert.equal(servedBytes(form, { value: bytes, modRevision: 42 }), bytes, "a filled value is served as it is");
    assert.equal(parseStored(bytes).metadata.resourceVersion, "42");
  });

  it("are corrected in a copy when the slot says another revision than the store", () => {
    const bytes = serialize(form, object);
    fillSlot(bytes, form.head.length, 4);
    assert.equal(parseStored(servedBytes(form, { value: bytes, modRevision: 42 })).metadata.resourceVersion, "42");
    assert.equal(
      parseStored(servedBytes(form, { value: serialize(form, object), modRevision: 43 })).metadata.resourceVersion,
      "43",
    );
  });

  it("are rewritten when another layout was stored", () => {
    const foreign = Buffer.from('{"metadata":{"name":"p"},"apiVersion":"v1","kind":"Pod","spec":{"a":1}}');
    assert.deepEqual(parseStored(servedBytes(form, { value: foreign, modRevision: 5 })), {
      kind: "Pod",
      apiVersion: "v1",
      metadata: { resourceVersion: "5", name: "p" },
      spec: { a: 1 },
    });
  });

  it("keep integers beyond 2^53", () => {
    const bytes = serialize(form, { ...object, spec: { big: 9007199254740993n } } as never);
    assert.match(bytes.toString(), /"big":9007199254740993/);
    assert.equal((parseStored(bytes) as unknown as { spec: { big: bigint } }).spec.big, 9007199254740993n);
  });
});
