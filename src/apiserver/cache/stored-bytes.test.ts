// The stored form: a slot for the resourceVersion, and values that others wrote.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { knownFieldsText, type Pod, pods, schemaOfKind, updateManagedFields } from "#api";
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

  it("hold what JSON.stringify writes, owners of fields included, whether their text is known or not", () => {
    const schema = schemaOfKind(pods);
    assert.ok(schema);
    const labels = { 'a"b': "1", é: "2" };
    const fresh: Pod = { kind: "Pod", apiVersion: "v1", metadata: { name: "p", labels }, spec: { containers: [{ name: "c" }] } };
    const time = "2026-01-01T00:00:00Z";
    const owned = updateManagedFields({
      live: undefined,
      next: fresh,
      manager: "m",
      subresource: "",
      apiVersion: "v1",
      time,
      schema,
    });
    const [manager] = owned.metadata.managedFields ?? [];
    assert.ok(manager?.fieldsV1 !== undefined && knownFieldsText(manager.fieldsV1) !== undefined);
    for (const managedFields of [[manager], [], [manager, { ...manager, fieldsV1: { "f:other": {} }, subresource: "status" }]]) {
      const object = { ...owned, metadata: { ...owned.metadata, managedFields } };
      const { resourceVersion, ...metadata } = (parseStored(serialize(form, object)) as Pod).metadata;
      assert.deepEqual({ ...object, metadata }, object);
      assert.equal(resourceVersion, "0000000000000000");
    }
    assert.equal(
      serialize(form, { metadata: {} } as never).toString(),
      '{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"0000000000000000"}}',
    );
  });

  it("keep integers beyond 2^53", () => {
    const bytes = serialize(form, { ...object, spec: { big: 9007199254740993n } } as never);
    assert.match(bytes.toString(), /"big":9007199254740993/);
    assert.equal((parseStored(bytes) as unknown as { spec: { big: bigint } }).spec.big, 9007199254740993n);
  });
});
