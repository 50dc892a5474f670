// OpenAPI documents of custom resources, versions 2 and 3: enough for `kubectl explain` and for kubectl's choice of server-side field validation.
import { createHash } from "node:crypto";
import { apiVersionOf, openApiV3MetaSchemas, type ResourceType } from "#api";
import type { CustomDocuments } from "../openapi.ts";
import type { CustomPartV2 } from "../openapi-v2.ts";
import type { Catalogue } from "../registry/catalogue.ts";
import type { CustomResources } from "./definitions.ts";
import { versionTwo } from "./openapi-v2.ts";
import type { Props } from "./props.ts";

type Version = "v2" | "v3";
const prefix = { v2: "#/definitions/", v3: "#/components/schemas/" } as const;
const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

const typeMeta = {
  apiVersion: { type: "string", description: "APIVersion defines the versioned schema of this representation of an object." },
  kind: { type: "string", description: "Kind is a string value representing the REST resource this object represents." },
};

const nameOf = (type: ResourceType): string => `${type.group.split(".").reverse().join(".")}.${type.version}.${type.kind}`;

function schemaOf(type: ResourceType, props: Props | undefined, version: Version): object {
  const identity = { "x-kubernetes-group-version-kind": [{ group: type.group, kind: type.kind, version: type.version }] };
  // nothing more may stand in version 2: kubectl would refuse every field that is not named
  if (version === "v2" && (props === undefined || props["x-kubernetes-preserve-unknown-fields"] === true))
    return { type: "object", ...identity };
  const reference = { $ref: prefix[version] + objectMeta };
  const schema = version === "v2" ? versionTwo(props ?? {}) : props;
  return {
    ...schema,
    type: "object",
    properties: {
      ...typeMeta,
      ...schema?.properties,
      metadata: {
        ...(version === "v2" ? reference : { allOf: [reference] }),
        description: "Standard object's metadata.",
      },
    },
    ...identity,
  };
}

function listSchema(type: ResourceType, listKind: string): object {
  return {
    description: `${listKind} is a list of ${type.kind}`,
    type: "object",
    required: ["items"],
    properties: {
      ...typeMeta,
      items: {
        description: `List of ${type.plural}. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md`,
        type: "array",
        items: { $ref: prefix.v2 + nameOf(type) },
      },
      metadata: {
        description: "Standard list metadata.",
        $ref: `${prefix.v2}io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta`,
      },
    },
    "x-kubernetes-group-version-kind": [{ group: type.group, kind: listKind, version: type.version }],
  };
}

function parameter(name: string, version: Version): object {
  const type = { type: name === "force" ? "boolean" : "string", uniqueItems: true };
  return { name, in: "query", ...(version === "v2" ? type : { schema: type }) };
}

function pathsOf(type: ResourceType, version: Version): Record<string, object> {
  const root = `/apis/${apiVersionOf(type)}/${type.namespaced ? "namespaces/{namespace}/" : ""}${type.plural}`;
  const gvk = { "x-kubernetes-group-version-kind": { group: type.group, kind: type.kind, version: type.version } };
  const schema = { $ref: prefix[version] + nameOf(type) };
  const answer = version === "v2" ? { schema } : { content: { "application/json": { schema } } };
  const operation = (action: string, names: readonly string[]): object => ({
    responses: { "200": { description: "OK", ...answer } },
    "x-kubernetes-action": action,
    ...(version === "v2" ? { schemes: ["https"], produces: ["application/json", "application/yaml"] } : {}),
    parameters: names.map((name) => parameter(name, version)),
    ...gvk,
  });
  const write = ["dryRun", "fieldManager", "fieldValidation"];
  return {
    [root]: { get: operation("list", []), post: operation("post", write), delete: operation("deletecollection", []) },
    [`${root}/{name}`]: {
      get: operation("get", []),
      put: operation("put", write),
      patch: operation("patch", [...write, "force"]),
      delete: operation("delete", ["dryRun"]),
    },
  };
}

interface Documents {
  /** Of version 3, by path. */
  readonly bodies: ReadonlyMap<string, Buffer>;
  readonly index: Readonly<Record<string, { readonly serverRelativeURL: string }>>;
  readonly v2: CustomPartV2;
}

function build(custom: CustomResources, metaSchemas: object): Documents {
  const groups = new Map<string, { schemas: Record<string, object>; paths: Record<string, object> }>();
  const v2 = { paths: {} as Record<string, object>, definitions: {} as Record<string, object> };
  for (const { type, props, listKind } of custom.versions()) {
    const path = `apis/${apiVersionOf(type)}`;
    const document = groups.get(path) ?? { schemas: {}, paths: {} };
    groups.set(path, document);
    document.schemas[nameOf(type)] = schemaOf(type, props, "v3");
    Object.assign(document.paths, pathsOf(type, "v3"));
    v2.definitions[nameOf(type)] = schemaOf(type, props, "v2");
    v2.definitions[nameOf({ ...type, kind: listKind })] = listSchema(type, listKind);
    Object.assign(v2.paths, pathsOf(type, "v2"));
  }
  const bodies = new Map(
    [...groups].map(([path, { schemas, paths }]) => [
      path,
      Buffer.from(
        JSON.stringify({
          openapi: "3.0.0",
          info: { title: "Kubernetes CRD Swagger", version: "v0.1.0" },
          paths,
          components: { schemas: { ...metaSchemas, ...schemas } },
        }),
      ),
    ]),
  );
  const hash = (body: Buffer): string => createHash("sha512").update(body).digest("hex").toUpperCase();
  const index = [...bodies].map(([path, body]) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash(body)}` }]);
  return { bodies, index: Object.fromEntries(index) as Documents["index"], v2 };
}

/** Built when asked for, and again after a definition has changed. */
export function customDocuments(custom: CustomResources, catalogue: Pick<Catalogue, "onChange">): CustomDocuments {
  let built: Promise<Documents> | undefined;
  catalogue.onChange(() => {
    built = undefined;
  });
  const documents = (): Promise<Documents> => {
    built ??= openApiV3MetaSchemas().then((bytes) => build(custom, JSON.parse(bytes.toString("utf8")) as object));
    return built;
  };
  return {
    index: async () => (await documents()).index,
    document: async (path) => (await documents()).bodies.get(path),
    v2: async () => (await documents()).v2,
  };
}
