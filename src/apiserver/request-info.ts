// What a request is about, from its method, path and query (k8s.io/apiserver pkg/endpoints/request/requestinfo.go says the same in Go).
import { verbOf } from "#client";
import type { RequestInfo } from "./contract.ts";
import { isTrue, type Query } from "./query.ts";

/** Subresources of a namespace itself; anything else behind a namespace's name is a resource in it. */
const namespaceSubresources = new Set(["status", "finalize"]);

/** `parts` are the path's segments as they came, without a leading or trailing slash. */
export interface ParsedRequest extends RequestInfo {
  readonly parts: readonly string[];
}

export function requestInfo(method: string, path: string, query: Query): ParsedRequest {
  const trimmed = path.replace(/^\/+|\/+$/g, "");
  const parts = trimmed === "" ? [] : trimmed.split("/");
  const other: ParsedRequest = {
    verb: method.toLowerCase(),
    path,
    isResource: false,
    group: "",
    version: "",
    resource: "",
    subresource: "",
    namespace: "",
    name: "",
    parts,
  };
  const grouped = parts[0] === "apis";
  if (!(grouped ? parts.length >= 4 : parts[0] === "api" && parts.length >= 3)) return other;

  let rest = grouped ? parts.slice(3) : parts.slice(2);
  const group = grouped ? (parts[1] as string) : "";
  const version = (grouped ? parts[2] : parts[1]) as string;
  let verb = verbOf(method);
  if (rest[0] === "watch" || rest[0] === "proxy") {
    if (rest.length < 2) return other;
    verb = rest[0];
    rest = rest.slice(1);
  }
  let namespace = "";
  if (rest[0] === "namespaces") {
    if (rest.length > 1) {
      namespace = rest[1] as string;
      if (rest.length > 2 && !namespaceSubresources.has(rest[2] as string)) rest = rest.slice(2);
    }
  }
  const [resource = "", pathName = "", subresource = ""] = rest;
  let name = pathName;
  if (name === "" && (verb === "get" || verb === "watch")) {
    const byName = nameSelector(query.first("fieldSelector"));
    verb = verb === "watch" || isTrue(query, "watch") ? "watch" : "list";
    name = byName;
  } else if (name === "" && verb === "delete") {
    verb = "deletecollection";
  } else if (verb === "get" && isTrue(query, "watch") && subresource === "") verb = "get";
  return { verb, path, isResource: true, group, version, resource, subresource, namespace, name, parts };
}

/** The name that `metadata.name=x` asks for: authorization sees it (a Role may grant one name). */
function nameSelector(fieldSelector: string | undefined): string {
  if (fieldSelector === undefined) return "";
  for (const term of fieldSelector.split(",")) {
    const match = /^metadata\.name==?([^=!]+)$/.exec(term.trim());
    if (match !== null) return match[1] as string;
  }
  return "";
}
