// Custom resources from definition to table.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type TestServer, testServer } from "../testing/server.ts";

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const widgets = "/apis/example.com/v1/namespaces/default/widgets";
const definition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.example.com" },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: { plural: "widgets", kind: "Widget", shortNames: ["wd"] },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {}, scale: { specReplicasPath: ".spec.size", statusReplicasPath: ".status.size" } },
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: {
              spec: {
                type: "object",
                required: ["color"],
                properties: {
                  color: { type: "string", enum: ["red", "blue"] },
                  size: { type: "integer", minimum: 1, default: 2 },
                  parts: {
                    type: "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    items: { type: "object", required: ["name"], properties: { name: { type: "string" } } },
                  },
                  tags: { type: "array", "x-kubernetes-list-type": "set", items: { type: "string" } },
                },
              },
              status: { type: "object", properties: { size: { type: "integer" } } },
            },
          },
        },
      },
    ],
  },
};
const widget = (name: string, spec: object): object => ({
  apiVersion: "example.com/v1",
  kind: "Widget",
  metadata: { name },
  spec,
});

describe("custom resources", () => {
  let cluster: TestServer;
  before(async () => {
    cluster = await testServer();
    assert.equal((await cluster.call("POST", definitions, definition)).code, 201);
    await cluster.clock.advance(0);
  });
  after(() => cluster[Symbol.asyncDispose]());

  it("take no item without its key into a list that is kept by key", async () => {
    const applied = widget("keyless", { color: "red", parts: [{}] });
    const options = { contentType: "application/apply-patch+yaml", query: { fieldManager: "m" } };
    const { code, object } = await cluster.call("PATCH", `${widgets}/keyless`, applied, options);
    assert.deepEqual(
      [code, object.message],
      [
        500,
        'failed to create typed patch object (/keyless; example.com/v1, Kind=Widget): .spec.parts: element 0: associative list with keys has an element that omits all key fields ["name"] (and doesn\'t have default values for any key fields)',
      ],
    );
  });

  it("are established and discovered", async () => {
    const { object } = await cluster.call("GET", `${definitions}/widgets.example.com`);
    assert.deepEqual(
      object.status.conditions.map((condition: { type: string; status: string }) => `${condition.type}=${condition.status}`),
      ["NamesAccepted=True", "Established=True"],
    );
    const found = await cluster.call("GET", "/apis/example.com/v1");
    assert.deepEqual(
      found.object.resources.map((resource: { name: string }) => resource.name),
      ["widgets", "widgets/status", "widgets/scale"],
    );
  });

  it("get defaults and lose unknown fields, with a warning", async () => {
    const { code, object, warnings } = await cluster.call("POST", widgets, widget("a", { color: "red", nope: 1 }));
    assert.equal(code, 201);
    assert.deepEqual(object.spec, { color: "red", size: 2 });
    assert.deepEqual(warnings, ['unknown field "spec.nope"']);
  });

  it("are checked against their schema, with upstream's texts", async () => {
    const { code, object } = await cluster.call("POST", widgets, widget("bad", { color: "green", size: 0, tags: ["x", "x"] }));
    assert.equal(code, 422);
    assert.deepEqual(
      object.details.causes.map((cause: { field: string; message: string }) => `${cause.field}: ${cause.message}`),
      [
        'spec.color: Unsupported value: "green": supported values: "red", "blue"',
        "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1",
        'spec.tags[1]: Duplicate value: "x"',
      ],
    );
  });

  it("have status and scale", async () => {
    await cluster.call("PATCH", `${widgets}/a/scale`, { spec: { replicas: 5 } }, { contentType: "application/merge-patch+json" });
    await cluster.call(
      "PATCH",
      `${widgets}/a/status`,
      { spec: { color: "blue" }, status: { size: 4 } },
      { contentType: "application/merge-patch+json" },
    );
    const { object } = await cluster.call("GET", `${widgets}/a`);
    assert.deepEqual([object.spec, object.status, object.metadata.generation], [{ color: "red", size: 5 }, { size: 4 }, 2]);
  });

  it("are answered in the words of the server that serves them", async () => {
    const answer = async (method: "GET" | "PUT" | "POST" | "DELETE", path: string, body?: object): Promise<unknown> => {
      const { code, object } = await cluster.call(method, path, body);
      return [code, object?.message];
    };
    const everywhere = "/apis/example.com/v1/widgets";
    assert.deepEqual(await answer("GET", `${widgets}/a/bogus`), [404, 'widgets.example.com "a" not found']);
    assert.equal((await cluster.call("POST", everywhere, widget("b", {}))).code, 404);
    assert.equal((await cluster.call("DELETE", everywhere)).code, 404);
    assert.equal((await cluster.call("GET", everywhere)).code, 200);
    assert.deepEqual(await answer("PUT", widgets, widget("b", {})), [400, "name must be provided"]);
    assert.deepEqual(await answer("POST", `${widgets}/x`, widget("posted", { color: "red" })), [201, undefined]);
    assert.equal((await cluster.call("GET", `${widgets}/posted`)).code, 200);
  });

  it("are listed with a token to go on with, if only an empty one", async () => {
    const { object } = await cluster.call("GET", widgets);
    assert.equal(object.metadata.continue, "");
    const page = await cluster.call("GET", widgets, undefined, { query: { limit: "1" } });
    assert.notEqual(page.object.metadata.continue, "");
  });

  it("cannot be patched into something else", async () => {
    const merge = { contentType: "application/merge-patch+json" };
    const { code, object } = await cluster.call("PATCH", `${widgets}/a`, { kind: "Gadget" }, merge);
    assert.deepEqual(
      [code, object.message],
      [422, 'Gadget.example.com "a" is invalid: kind: Invalid value: "Gadget": must be Widget'],
    );
    const moved = await cluster.call("PATCH", `${widgets}/a`, { apiVersion: "other/v1" }, merge);
    assert.equal(
      moved.object.message,
      'Widget.other "a" is invalid: apiVersion: Invalid value: "other/v1": must be example.com/v1',
    );
  });

  it("know no strategic merge", async () => {
    assert.equal(
      (await cluster.call("PATCH", `${widgets}/a`, {}, { contentType: "application/strategic-merge-patch+json" })).code,
      415,
    );
  });

  it("go with their definition", async () => {
    await cluster.call("DELETE", `${definitions}/widgets.example.com`);
    await cluster.clock.advance(0);
    assert.equal((await cluster.call("GET", widgets)).code, 404);
  });
});
