// Where a Scale of a custom resource is read and written.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type TestServer, testServer } from "../testing/server.ts";

const merge = { contentType: "application/merge-patch+json" };
const path = "/apis/example.com/v1/namespaces/default/things";
const number = { "x-kubernetes-preserve-unknown-fields": true };
const definition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "things.example.com" },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: { plural: "things", kind: "Thing" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: {
          scale: { specReplicasPath: ".spec.size", statusReplicasPath: ".status.size", labelSelectorPath: ".status.selector" },
        },
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: {
              spec: { type: "object", properties: { size: number, word: { type: "string", maxLength: 3 } } },
              status: { type: "object", properties: { size: number, selector: number } },
            },
          },
        },
      },
    ],
  },
};
const thing = (name: string, fields: object): object => ({
  apiVersion: "example.com/v1",
  kind: "Thing",
  metadata: { name },
  ...fields,
});

describe("scales of custom resources", () => {
  let cluster: TestServer;
  before(async () => {
    cluster = await testServer();
    assert.equal((await cluster.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)).code, 201);
    await cluster.clock.advance(0);
  });
  after(() => cluster[Symbol.asyncDispose]());

  const causes = async (fields: object): Promise<readonly string[]> => {
    const { object } = await cluster.call("POST", path, thing("bad", fields));
    return object.details.causes.map((cause: { field: string; message: string }) => `${cause.field}: ${cause.message}`);
  };

  it("are refused where no number stands", async () => {
    assert.deepEqual(await causes({ spec: { size: "three" }, status: { size: 1.5, selector: 7 } }), [
      ".spec.size: Invalid value: 0: .spec.size accessor error: three is of the type string, expected int64",
      ".status.size: Invalid value: 0: .status.size accessor error: 1.5 is of the type float64, expected int64",
      '.status.selector: Invalid value: "": .status.selector accessor error: 7 is of the type int64, expected string',
    ]);
    assert.deepEqual(await causes({ spec: { size: -1 }, status: { size: 2147483648 } }), [
      ".spec.size: Invalid value: -1: should be a non-negative integer",
      ".status.size: Invalid value: 2147483648: should be less than or equal to 2147483647",
    ]);
  });

  it("can be written before there is one to read", async () => {
    await cluster.call("POST", path, thing("a", {}));
    assert.equal((await cluster.call("GET", `${path}/a/scale`)).code, 500);
    const written = await cluster.call("PATCH", `${path}/a/scale`, { spec: { replicas: 2 } }, merge);
    assert.deepEqual([written.code, written.object.spec], [200, { replicas: 2 }]);
  });

  it("metadata is checked as of other kinds, but a finalizer may have any name; what may not change is told twice", async () => {
    const odd = { apiVersion: "example.com/v1", kind: "Thing", metadata: { name: "odd", finalizers: ["bare"] } };
    assert.equal((await cluster.call("POST", path, odd)).code, 201);
    const { object } = await cluster.call("PATCH", `${path}/odd`, { metadata: { uid: "x" } }, merge);
    const uid = { reason: "FieldValueInvalid", field: "metadata.uid", message: 'Invalid value: "x": field is immutable' };
    assert.deepEqual(object.details.causes, [uid, uid]);
  });
});
