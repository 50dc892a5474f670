// Objects inside custom resources: what of their metadata is kept, and what is refused.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type TestServer, testServer } from "../testing/server.ts";

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const boxes = "/apis/example.com/v1/namespaces/default/boxes";
const embedded = { type: "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true };
const holds = { type: "object", properties: { t: embedded, l: { type: "array", items: embedded } } };
const definition = (spec: object, plural = "boxes", kind = "Box"): object => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${plural}.example.com` },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: { plural, kind },
    versions: [
      { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object", properties: { spec } } } },
    ],
  },
});

describe("embedded resources", () => {
  let cluster: TestServer;
  before(async () => {
    cluster = await testServer();
    assert.equal((await cluster.call("POST", definitions, definition(holds))).code, 201);
    await cluster.clock.advance(0);
  });
  after(() => cluster[Symbol.asyncDispose]());

  const post = (name: string, spec: object) =>
    cluster.call("POST", boxes, { apiVersion: "example.com/v1", kind: "Box", metadata: { name }, spec });

  it("lose metadata that no object has, with a warning", async () => {
    const metadata = { name: "x", bogus: 1, creationTimestamp: null, labels: { a: "b" } };
    const { object, warnings } = await post("whole", { t: { apiVersion: "v1", kind: "Pod", metadata, spec: { q: 1 } } });
    const kept = { apiVersion: "v1", kind: "Pod", metadata: { name: "x", labels: { a: "b" } }, spec: { q: 1 } };
    assert.deepEqual([object.spec.t, warnings], [kept, ['unknown field "spec.t.metadata.bogus"']]);
  });

  const refused: readonly (readonly [name: string, spec: object, code: number, message: RegExp])[] = [
    [
      "say what they are",
      { l: [{ kind: "Pod" }, { apiVersion: "v1" }] },
      422,
      /\[spec\.l\[0\]\.apiVersion: Required value, spec\.l\[1\]\.kind: Required value\]$/,
    ],
    [
      "are of a version",
      { t: { apiVersion: "a/b/c", kind: "K" } },
      422,
      /spec\.t\.apiVersion: Invalid value: "a\/b\/c": unexpected GroupVersion string: a\/b\/c$/,
    ],
    [
      "are of a kind",
      { t: { apiVersion: "v1", kind: "not a kind" } },
      422,
      /spec\.t\.kind: Invalid value: "not a kind": may have mixed case, but should otherwise match: a DNS-1035 label/,
    ],
    [
      "have a version that is a text",
      { t: { apiVersion: 1, kind: "K" } },
      400,
      /^Box in version "v1" cannot be handled as a Box: spec\.t\.apiVersion: Invalid value: 1: must be a string$/,
    ],
    [
      "have metadata that can be read",
      { t: { apiVersion: "v1", kind: "K", metadata: { labels: { a: 1 } } } },
      400,
      /: spec\.t\.metadata: Invalid value: \{"labels":\{"a":1\}\}: json: cannot unmarshal number into Go struct field ObjectMeta\.labels of type string$/,
    ],
    [
      "have metadata as any object has, though no name",
      { t: { apiVersion: "v1", kind: "K", metadata: { namespace: "x/y", ownerReferences: [{}] } } },
      422,
      /\[spec\.t\.metadata\.namespace: Invalid value: "x\/y": .*, spec\.t\.metadata\.ownerReferences\.apiVersion: Invalid value: "": version must not be empty/,
    ],
  ];
  for (const [name, spec, code, message] of refused)
    it(name, async () => {
      const { code: actual, object } = await post("bad", spec);
      assert.equal(actual, code);
      assert.match(object.message, message);
    });

  it("are read in defaults as well", async () => {
    const withDefault = (metadata: object): object =>
      definition({ ...embedded, default: { apiVersion: "v1", kind: "Pod", metadata } }, "crates", "Crate");
    const query = { dryRun: "All" };
    const { object } = await cluster.call("POST", definitions, withDefault({ name: "A B", bogus: 1 }), { query });
    const { default: kept } = object.spec.versions[0].schema.openAPIV3Schema.properties.spec;
    assert.deepEqual(kept.metadata, { name: "A B" });
    const bad = await cluster.call("POST", definitions, withDefault({ labels: { a: 1 } }), { query });
    assert.match(
      bad.object.message,
      /properties\[spec\]\.default\.metadata: Invalid value: \{"labels":\{"a":1\}\}: json: cannot unmarshal/,
    );
  });
});
