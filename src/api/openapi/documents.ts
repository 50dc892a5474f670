// The OpenAPI documents of the built-in groups, made from our facts on first use and kept as bytes.

import type { ResourceType } from "../resource-type.ts";
import { builtInResources } from "../resources.ts";
import { factsHash } from "../schema/read.ts";
import { pathsOf } from "./paths.ts";
import { allTypes, type Descriptions, type Json, schemasOf } from "./schemas.ts";

/** The Kubernetes version that the documents and GET /version name. */
const kubernetesVersion = "v1.36.2";

const bytes = new Map<string, Promise<Buffer>>();

/** What GET /openapi/v3 answers for the built-in groups: "apis/apps/v1" -> where its document is. */
export function openApiV3Index(): Record<string, { serverRelativeURL: string }> {
  return Object.fromEntries(
    [...groupVersions()].map(([path]) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${factsHash}` }]),
  );
}

/** The document of "api/v1" or "apis/apps/v1"; undefined for a group-version that is not built in. Made once, in about ten milliseconds. */
export async function openApiV3Document(path: string): Promise<Buffer | undefined> {
  const resources = groupVersions().get(path);
  return resources === undefined
    ? undefined
    : await remembered(path, (descriptions) => {
        const used = new Set<string>();
        const paths = pathsOf(resources, "v3", used);
        const schemas = schemasOf(used, "v3", descriptions);
        return {
          openapi: "3.0.0",
          info: { title: "Kubernetes", version: kubernetesVersion },
          paths,
          components: { schemas, securitySchemes },
        };
      });
}

/** The document of all built-in groups in version 2, as JSON. */
export async function openApiV2Document(): Promise<Buffer> {
  return await remembered("v2", (descriptions) => {
    const used = new Set(allTypes());
    const paths = pathsOf(builtInResources as readonly ResourceType[], "v2", used);
    return {
      swagger: "2.0",
      info: { title: "Kubernetes", version: kubernetesVersion },
      paths,
      definitions: schemasOf(used, "v2", descriptions),
      securityDefinitions: securitySchemes,
      security: [{ BearerToken: [] }],
    };
  });
}

/** The schema of ObjectMeta in version 3 and of what it refers to, by name, as JSON: custom resources' documents hold them too. */
export async function openApiV3MetaSchemas(): Promise<Buffer> {
  const names = ["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"];
  return await remembered("v3 meta", (descriptions) => schemasOf(names, "v3", descriptions));
}

const securitySchemes = {
  BearerToken: { description: "Bearer Token authentication", type: "apiKey", name: "authorization", in: "header" },
};

function remembered(key: string, make: (descriptions: Descriptions) => Json): Promise<Buffer> {
  const known = bytes.get(key);
  if (known !== undefined) return known;
  // 700 KB of text that only explain and these documents need: loaded here and nowhere else
  const promise = import("../schema/gen/descriptions.json", { with: { type: "json" } }).then((module) =>
    Buffer.from(JSON.stringify(make(module.default as unknown as Descriptions)), "utf8"),
  );
  bytes.set(key, promise);
  return promise;
}

function groupVersions(): Map<string, ResourceType[]> {
  const result = new Map<string, ResourceType[]>();
  for (const resource of builtInResources as readonly ResourceType[]) {
    const path = resource.group === "" ? `api/${resource.version}` : `apis/${resource.group}/${resource.version}`;
    result.set(path, [...(result.get(path) ?? []), resource]);
  }
  return result;
}
