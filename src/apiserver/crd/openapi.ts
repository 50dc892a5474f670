// OpenAPI v3 documents of custom resources: enough for `kubectl explain` and for kubectl's choice of server-side field validation.
import { createHash } from "node:crypto";
import { apiVersionOf, type ResourceType } from "#api";
import type { CustomDocuments } from "../openapi.ts";
import type { CustomResources } from "./definitions.ts";
import type { Props } from "./props.ts";

const meta = { $ref: "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" };

function schemaOf(type: ResourceType, props: Props | undefined): object {
  return {
    ...props,
    type: "object",
    properties: {
      apiVersion: { type: "string", description: "APIVersion defines the versioned schema of this representation of an object." },
      kind: { type: "string", description: "Kind is a string value representing the REST resource this object represents." },
      ...props?.properties,
      metadata: { allOf: [meta], description: "Standard object's metadata." },
    },
    "x-kubernetes-group-version-kind": [{ group: type.group, kind: type.kind, version: type.version }],
  };
}

const query = (name: string): object => ({ name, in: "query", schema: { type: "string", uniqueItems: true } });

function pathsOf(type: ResourceType, schema: string): Record<string, object> {
  const root = `/apis/${apiVersionOf(type)}/${type.namespaced ? "namespaces/{namespace}/" : ""}${type.plural}`;
  const gvk = { "x-kubernetes-group-version-kind": { group: type.group, kind: type.kind, version: type.version } };
  const body = { content: { "application/json": { schema: { $ref: schema } } } };
  const operation = (action: string, parameters: readonly object[]): object => ({
    responses: { "200": { description: "OK", ...body } },
    "x-kubernetes-action": action,
    parameters,
    ...gvk,
  });
  const write = [query("dryRun"), query("fieldManager"), query("fieldValidation")];
  return {
    [root]: { get: operation("list", []), post: operation("post", write), delete: operation("deletecollection", []) },
    [`${root}/{name}`]: {
      get: operation("get", []),
      put: operation("put", write),
      patch: operation("patch", [...write, query("force")]),
      delete: operation("delete", [query("dryRun")]),
    },
  };
}

/** Built when asked for: definitions change rarely and are read rarely. */
export function customDocuments(custom: CustomResources): CustomDocuments {
  const build = (): Map<string, Buffer> => {
    const groups = new Map<string, { schemas: Record<string, object>; paths: Record<string, object> }>();
    for (const { type, props } of custom.versions()) {
      const path = `apis/${apiVersionOf(type)}`;
      const document = groups.get(path) ?? { schemas: {}, paths: {} };
      groups.set(path, document);
      const name = `${type.group.split(".").reverse().join(".")}.${type.version}.${type.kind}`;
      document.schemas[name] = schemaOf(type, props);
      Object.assign(document.paths, pathsOf(type, `#/components/schemas/${name}`));
    }
    return new Map(
      [...groups].map(([path, { schemas, paths }]) => [
        path,
        Buffer.from(
          JSON.stringify({
            openapi: "3.0.0",
            info: { title: "Kubernetes CRD Swagger", version: "v0.1.0" },
            paths,
            components: {
              schemas: {
                ...schemas,
                "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": {
                  type: "object",
                  description: "ObjectMeta is metadata that all persisted resources must have.",
                },
              },
            },
          }),
        ),
      ]),
    );
  };
  return {
    index: () =>
      Object.fromEntries(
        [...build()].map(([path, body]) => [
          path,
          { serverRelativeURL: `/openapi/v3/${path}?hash=${createHash("sha512").update(body).digest("hex").toUpperCase()}` },
        ]),
      ),
    document: (path) => build().get(path),
  };
}
