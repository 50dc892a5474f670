// The discovery paths: /api, /apis, their groups and versions, and the list of all paths at /.
import { createHash } from "node:crypto";
import type { Answer } from "../answer.ts";
import { pageNotFound } from "../dispatch.ts";
import { json, methodRefused, type PathHandler, text } from "../paths.ts";
import type { Catalogue } from "../registry/catalogue.ts";
import { noSuchResource } from "../registry/verbs.ts";
import { aggregated, apiGroup, apiGroupList, apiResourceList, apiVersions } from "./documents.ts";

const aggregatedType = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

export function discoveryPaths(catalogue: Catalogue, address: () => string): PathHandler {
  const cache = new Map<string, { readonly body: Buffer; readonly etag: string }>();
  catalogue.onChange(() => cache.clear());
  const whole = (core: boolean): { readonly body: Buffer; readonly etag: string } => {
    const key = core ? "api" : "apis";
    let known = cache.get(key);
    if (known === undefined) {
      const body = Buffer.from(`${JSON.stringify(aggregated(catalogue, core))}\n`);
      known = { body, etag: `"${createHash("sha512").update(body).digest("hex").toUpperCase()}"` };
      cache.set(key, known);
    }
    return known;
  };
  return (request) => {
    const { parts } = request.info;
    const [root, first, second] = parts;
    // whatever is accepted
    if (parts.length === 0) {
      const body = JSON.stringify({ paths: allPaths(catalogue) }, undefined, 2);
      return { kind: "raw", code: 200, contentType: "application/json", body };
    }
    if (parts.length === (root === "api" ? 3 : 4) && (parts.at(-1) === "watch" || parts.at(-1) === "proxy")) {
      const { path } = request.info;
      const why = `failed to create RequestInfo: unable to determine kind and namespace from url, ${path}`;
      return text(`Internal Server Error: ${JSON.stringify(path)}: ${why}\n`, 500);
    }
    if (root === "api") {
      if (request.method !== "GET") throw methodRefused();
      if (parts.length === 1)
        return wantsAggregated(request.header("accept"))
          ? aggregatedAnswer(whole(true), request.header("if-none-match"))
          : json(apiVersions(address()));
      if (parts.length === 2 && first === "v1") return json(apiResourceList(catalogue, "", "v1"));
      throw noSuchResource();
    }
    if (root !== "apis") return undefined;
    if (parts.length === 1)
      return wantsAggregated(request.header("accept"))
        ? aggregatedAnswer(whole(false), request.header("if-none-match"))
        : json(apiGroupList(catalogue));
    if (first === undefined || !catalogue.hasGroup(first)) return pageNotFound;
    if (parts.length === 2) return json({ kind: "APIGroup", apiVersion: "v1", ...apiGroup(catalogue, first) });
    if (second === undefined || catalogue.groups.get(first)?.has(second) !== true) {
      if (catalogue.isCustom(first)) return pageNotFound;
      throw noSuchResource();
    }
    if (request.method !== "GET") throw methodRefused();
    return json(apiResourceList(catalogue, first, second));
  };
}

/** Whether the first clause that can be served is the aggregated form. */
function wantsAggregated(accept: string | undefined): boolean {
  for (const clause of (accept ?? "").split(",")) {
    const parameters = clause.split(";").map((part) => part.trim());
    const type = parameters[0] ?? "";
    const named = parameters.some((part) => part.startsWith("as=") || part.startsWith("g=") || part.startsWith("v="));
    if (type !== "application/json" && type !== "application/vnd.kubernetes.protobuf") continue;
    if (
      type === "application/json" &&
      ["as=APIGroupDiscoveryList", "g=apidiscovery.k8s.io", "v=v2"].every((part) => parameters.includes(part))
    )
      return true;
    if (!named && !parameters.some((part) => part.startsWith("q="))) return false;
  }
  return false;
}

function aggregatedAnswer(document: { readonly body: Buffer; readonly etag: string }, ifNoneMatch: string | undefined): Answer {
  const headers = { etag: document.etag, vary: "Accept" };
  if (ifNoneMatch === document.etag) return { kind: "raw", code: 304, contentType: aggregatedType, body: "", headers };
  return { kind: "raw", code: 200, contentType: aggregatedType, body: document.body, headers };
}

function allPaths(catalogue: Catalogue): string[] {
  const paths = ["/.well-known/openid-configuration", "/api", "/api/v1", "/apis", "/apis/"];
  for (const [group, versions] of catalogue.groups) {
    if (group === "") continue;
    paths.push(`/apis/${group}`, ...[...versions].map((version) => `/apis/${group}/${version}`));
  }
  for (const path of ["/healthz", "/livez", "/readyz"])
    paths.push(path, ...["etcd", "log", "ping"].map((check) => `${path}/${check}`));
  paths.push("/metrics", "/openapi/v2", "/openapi/v3", "/openapi/v3/", "/openid/v1/jwks", "/version");
  return paths.sort();
}
