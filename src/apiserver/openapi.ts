// /openapi/v2, /openapi/v3 and the OpenID discovery of service account tokens.
import { openApiV3Document, openApiV3Index } from "#api";
import type { Answer } from "./answer.ts";
import { checkType } from "./http/accept.ts";
import { type CustomPartV2, openApiV2 } from "./openapi-v2.ts";
import { methodRefused, type PathHandler } from "./paths.ts";
import { parseQuery } from "./query.ts";
import type { Security } from "./security/mod.ts";

/** Documents of custom resources, by path ("apis/stable.example.com/v1"). */
export interface CustomDocuments {
  index(): Promise<Readonly<Record<string, { readonly serverRelativeURL: string }>>>;
  document(path: string): Promise<Buffer | undefined>;
  /** What custom resources add to the document of version 2. */
  v2(): Promise<CustomPartV2>;
}

const plain = "text/plain; charset=utf-8";

export function openApiPaths(custom: CustomDocuments): PathHandler {
  const versionTwo = openApiV2(() => custom.v2());
  return (request) => {
    const { path } = request.info;
    if (path === "/openapi/v2") return versionTwo(request.header("accept") ?? "", request.header("if-none-match"));
    if (path === "/openapi/v3")
      return custom.index().then((index): Answer => {
        const body = JSON.stringify({ paths: { ...openApiV3Index(), ...index } });
        return { kind: "raw", code: 200, contentType: plain, body };
      });
    if (!path.startsWith("/openapi/v3/")) return undefined;
    const name = path.slice("/openapi/v3/".length);
    const empty: Answer = { kind: "raw", code: 404, contentType: "", body: "" };
    return (async (): Promise<Answer> => {
      const body = (await custom.document(name)) ?? (await openApiV3Document(name));
      if (body === undefined) return empty;
      const wanted = request.query.first("hash");
      const listed = { ...openApiV3Index(), ...(await custom.index()) }[name]?.serverRelativeURL;
      const hash = listed === undefined ? undefined : parseQuery(listed.slice(listed.indexOf("?") + 1)).first("hash");
      if (wanted !== undefined && hash !== undefined && wanted !== hash)
        return { kind: "raw", code: 301, contentType: "application/json", body: "", headers: { location: listed ?? "" } };
      const cached: Record<string, string> = wanted === undefined ? {} : { "cache-control": "public, immutable" };
      return {
        kind: "raw",
        code: 200,
        contentType: "application/json",
        body,
        headers: { ...(hash === undefined ? {} : { etag: `"${hash}"` }), vary: "Accept", ...cached },
      };
    })();
  };
}

export function openIdPaths(security: Pick<Security, "openidConfiguration" | "openidKeys">, server: () => string): PathHandler {
  return (request) => {
    const path = request.info.path.replace(/\/$/, "");
    const accepts = (type: string): void => {
      if (request.method !== "GET") throw methodRefused();
      const refused = checkType(request.header("accept"), type);
      if (refused !== undefined) throw refused;
    };
    if (path === "/.well-known/openid-configuration") {
      accepts("application/json");
      return {
        kind: "raw",
        code: 200,
        contentType: "application/json",
        body: JSON.stringify(security.openidConfiguration(server())),
        headers: { "cache-control": "public, max-age=3600" },
      };
    }
    if (path === "/openid/v1/jwks") {
      accepts("application/jwk-set+json");
      return {
        kind: "raw",
        code: 200,
        contentType: "application/jwk-set+json",
        body: JSON.stringify(security.openidKeys()),
        headers: { "cache-control": "public, max-age=3600" },
      };
    }
    return undefined;
  };
}
