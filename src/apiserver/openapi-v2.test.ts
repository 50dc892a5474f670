// /openapi/v2: formats, entity tags, and custom resources in it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openApiV2 } from "./openapi-v2.ts";
import { testServer } from "./testing/server.ts";

const none = { paths: {}, definitions: {} };
const protobuf = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
type Raw = {
  readonly code: number;
  readonly contentType: string;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
};

describe("GET /openapi/v2", () => {
  const answer = openApiV2(async () => none);
  for (const [accept, contentType] of [
    ["", "application/json"],
    ["application/json", "application/json"],
    ["*/*", "application/json"],
    ["application/com.github.proto-openapi.spec.v2@v1.0+protobuf", protobuf],
    [protobuf, protobuf],
    ["application/json;q=0.5, application/com.github.proto-openapi.spec.v2@v1.0+protobuf", protobuf],
  ] as const)
    it(`answers Accept "${accept}" with ${contentType}`, async () => {
      const { code, contentType: given, headers } = (await answer(accept, undefined)) as Raw;
      assert.deepEqual({ code, given, vary: headers["vary"] }, { code: 200, given: contentType, vary: "Accept" });
      assert.match(headers["etag"] ?? "", /^"[0-9A-F]{128}"$/);
    });

  it("refuses another type with 406 and no body", async () => {
    const { code, body } = (await answer("text/html", undefined)) as Raw;
    assert.deepEqual({ code, body }, { code: 406, body: "" });
  });

  it("answers 304 to who knows the hash, in either form, and 200 to who knows another", async () => {
    const { headers } = (await answer("application/json", undefined)) as Raw;
    assert.equal(((await answer("application/json", headers["etag"])) as Raw).code, 304);
    assert.equal(((await answer(protobuf, headers["etag"])) as Raw).code, 304);
    assert.equal(((await answer("application/json", '"00"')) as Raw).code, 200);
  });

  it("holds a custom resource while it is served, without what version 2 cannot say", async () => {
    await using cluster = await testServer();
    const definitions = async (): Promise<Record<string, { properties?: Record<string, object>; required?: string[] }>> =>
      (await cluster.call("GET", "/openapi/v2")).object.definitions;
    const before = Object.keys(await definitions()).length;
    const spec = {
      type: "object",
      required: ["size", "maybe"],
      properties: {
        size: { type: "integer", oneOf: [{ minimum: 1 }, { maximum: -1 }] },
        maybe: { type: "object", nullable: true, properties: { a: { type: "string" } } },
        open: { type: "object", "x-kubernetes-preserve-unknown-fields": true, properties: { a: { type: "string" } } },
      },
    };
    const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    const created = await cluster.call("POST", crds, {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "widgets.example.com" },
      spec: {
        group: "example.com",
        scope: "Namespaced",
        names: { plural: "widgets", kind: "Widget" },
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: "object", properties: { spec } } },
          },
          {
            name: "v2",
            served: true,
            storage: false,
            schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
          },
        ],
      },
    });
    assert.equal(created.code, 201);
    await cluster.clock.advance(0);
    const during = await definitions();
    assert.deepEqual(during["com.example.v1.Widget"]?.properties?.["spec"], {
      type: "object",
      required: ["size"],
      properties: {
        size: { type: "integer" },
        maybe: {},
        open: { "x-kubernetes-preserve-unknown-fields": true },
      },
    });
    assert.deepEqual(during["com.example.v1.Widget"]?.properties?.["metadata"], {
      $ref: "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
      description: "Standard object's metadata.",
    });
    assert.deepEqual(during["com.example.v2.Widget"], {
      type: "object",
      "x-kubernetes-group-version-kind": [{ group: "example.com", kind: "Widget", version: "v2" }],
    });
    assert.deepEqual(during["com.example.v1.WidgetList"]?.required, ["items"]);
    await cluster.call("DELETE", `${crds}/widgets.example.com`);
    await cluster.clock.advance(0);
    assert.equal(Object.keys(await definitions()).length, before);
  });
});
