// The OpenAPI documents hold what kubectl looks for.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openApiV2Document, openApiV3Document, openApiV3Index } from "../mod.ts";

interface Document {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<
          string,
          {
            readonly parameters?: readonly { name: string }[];
            readonly requestBody?: { readonly content: object };
            readonly "x-kubernetes-group-version-kind"?: object;
          }
        >
      >
    >
  >;
  readonly components: {
    readonly schemas: Readonly<
      Record<string, { readonly properties?: Readonly<Record<string, Readonly<Record<string, unknown>>>> }>
    >;
  };
}

const read = async (path: string): Promise<Document> => JSON.parse(String(await openApiV3Document(path))) as Document;
const references = (text: string): Set<string> =>
  new Set([...text.matchAll(/"\$ref":"#\/(?:components\/schemas|definitions)\/([^"]+)"/g)].map(([, name]) => name ?? ""));

describe("OpenAPI documents", () => {
  it("are listed for the 22 group-versions, with a hash in the address", () => {
    const index = openApiV3Index();
    assert.equal(Object.keys(index).length, 22);
    assert.match(index["apis/apps/v1"]?.serverRelativeURL ?? "", /^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-F]{32}$/);
  });

  it("refer to nothing that they do not hold", async () => {
    for (const path of Object.keys(openApiV3Index())) {
      const { components } = await read(path);
      for (const name of references(String(await openApiV3Document(path))))
        assert.ok(name in components.schemas, `${path}: ${name}`);
    }
    const v2 = JSON.parse(String(await openApiV2Document())) as { definitions: object };
    for (const name of references(JSON.stringify(v2))) assert.ok(name in v2.definitions, name);
  });

  it("carry what kubectl apply looks for: the kind of an operation, fieldValidation, and the patch types", async () => {
    const patch = (await read("apis/apps/v1")).paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]?.patch;
    assert.deepEqual(patch?.["x-kubernetes-group-version-kind"], { group: "apps", kind: "Deployment", version: "v1" });
    assert.ok(patch?.parameters?.some(({ name }) => name === "fieldValidation"));
    assert.ok("application/strategic-merge-patch+json" in (patch?.requestBody?.content ?? {}));
  });

  it("carry what kubectl explain prints: descriptions, types, references, enums and merge keys", async () => {
    const { schemas } = (await read("api/v1")).components;
    const spec = schemas["io.k8s.api.core.v1.PodSpec"]?.properties ?? {};
    assert.equal(spec.containers?.["x-kubernetes-patch-merge-key"], "name");
    assert.match(String(spec.containers?.description), /^List of containers belonging to the pod/);
    assert.deepEqual(spec.restartPolicy?.enum, ["Always", "OnFailure", "Never"]);
    assert.deepEqual(spec.securityContext?.allOf, [{ $ref: "#/components/schemas/io.k8s.api.core.v1.PodSecurityContext" }]);
  });

  it("are made once", async () => {
    assert.equal(await openApiV3Document("api/v1"), await openApiV3Document("api/v1"));
    assert.equal(await openApiV3Document("apis/none/v1"), undefined);
  });
});
