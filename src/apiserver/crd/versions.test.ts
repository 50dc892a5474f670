// Several versions of a custom resource, one of which is stored.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type TestServer, testServer } from "../testing/server.ts";

const merge = { contentType: "application/merge-patch+json" };
const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const version = (name: string, storage: boolean): object => ({
  name,
  storage,
  served: true,
  schema: {
    openAPIV3Schema: {
      type: "object",
      properties: { spec: { type: "object", properties: { both: { type: "string" }, [name]: { type: "string" } } } },
    },
  },
});
const definition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "things.example.com", labels: { a: "b" } },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: { plural: "things", kind: "Thing" },
    versions: [version("v1", true), version("v2", false)],
  },
};

describe("versions of custom resources", () => {
  let cluster: TestServer;
  before(async () => {
    cluster = await testServer();
    assert.equal((await cluster.call("POST", definitions, definition)).code, 201);
    await cluster.clock.advance(0);
  });
  after(() => cluster[Symbol.asyncDispose]());

  it("are refused as upstream words it: two that are stored, names that are none", async () => {
    const post = async (...versions: readonly object[]): Promise<readonly string[]> => {
      const body = { ...definition, metadata: { name: "others.example.com" }, spec: { ...definition.spec, versions } };
      const { object } = await cluster.call("POST", definitions, {
        ...body,
        spec: { ...body.spec, names: { plural: "others", kind: "Other" } },
      });
      return (object.details?.causes ?? []).map(
        ({ field, message }: { field: string; message: string }) => `${field}: ${message}`,
      );
    };
    const same = { ...version("v1", true), schema: { openAPIV3Schema: { type: "object" } } };
    const rest =
      '"Deprecated":false,"DeprecationWarning":null,"Schema":null,"Subresources":null,"AdditionalPrinterColumns":null,"SelectableFields":null}';
    const shown = (name: string): string => `{"Name":"${name}","Served":true,"Storage":true,${rest}`;
    assert.deepEqual(await post(same, { ...same, name: "v2" }), [
      `spec.versions: Invalid value: [${shown("v1")},${shown("v2")}]: must have exactly one version marked as storage version`,
      'status.storedVersions: Invalid value: ["v1"]: must have the storage version v2',
    ]);
    assert.deepEqual(
      (await post({ ...same, name: "V1" })).map((cause) => cause.split(": Invalid")[0]),
      ["spec.versions[0].name", "spec.version"],
    );
    assert.deepEqual(await post({ ...same, schema: undefined }), ["spec.versions[0].schema.openAPIV3Schema: Required value"]);
  });

  it("keep what the stored one knows", async () => {
    const path = "/apis/example.com/v2/namespaces/default/things";
    const spec = { both: "x", v2: "y" };
    const thing = { apiVersion: "example.com/v2", kind: "Thing", metadata: { name: "a" }, spec };
    const { object } = await cluster.call("POST", path, thing);
    assert.deepEqual([object.apiVersion, object.spec], ["example.com/v2", { both: "x" }]);
    const stored = await cluster.call("GET", "/apis/example.com/v1/namespaces/default/things/a");
    assert.deepEqual(stored.object.spec, { both: "x" });
    const own = { ...thing, apiVersion: "example.com/v1", metadata: { name: "b" }, spec: { both: "x", v1: "z" } };
    const kept = await cluster.call("POST", "/apis/example.com/v1/namespaces/default/things", own);
    assert.deepEqual(kept.object.spec, own.spec);
  });

  it("a status of the definition may bring labels, and always says what is stored", async () => {
    const change = { metadata: { labels: { c: "d" } }, spec: { names: { shortNames: ["t"] } }, status: { storedVersions: [] } };
    const { code, object } = await cluster.call("PATCH", `${definitions}/things.example.com/status`, change, merge);
    assert.deepEqual([code, object.metadata.labels, object.status.storedVersions], [200, { a: "b", c: "d" }, ["v1"]]);
    assert.equal(object.spec.names.shortNames, undefined);
  });
});
