// Which code answers a request on a resource path, once it is authorized.
import { apiError, badRequest, methodNotAllowed, notFound, type ResourceType } from "#api";
import type { HttpMethod, UserInfo } from "#client";
import type { Answer } from "./answer.ts";
import type { RequestBody } from "./body.ts";
import { isTrue, type Query } from "./query.ts";
import type { Catalogue } from "./registry/catalogue.ts";
import { get, list, type Place, type Reads, watch } from "./registry/read.ts";
import type { Writes } from "./registry/request.ts";
import type { ServedResource } from "./registry/resource.ts";
import {
  createVerb,
  deleteCollectionVerb,
  deleteVerb,
  noSuchResource,
  notAllowed,
  patchVerb,
  updateVerb,
  type VerbRequest,
} from "./registry/verbs.ts";
import type { ParsedRequest } from "./request-info.ts";
import type { Subresources } from "./subresources/subresources.ts";

export interface ServerRequest {
  readonly method: HttpMethod | string;
  readonly info: ParsedRequest;
  readonly query: Query;
  readonly body: RequestBody;
  readonly user: UserInfo;
  readonly userAgent: string;
  readonly signal?: AbortSignal;
  warn(message: string): void;
  /** Throws Forbidden unless the caller may also do this to the same target (a PUT that creates). */
  authorize(verb: string): Promise<void>;
  /** Path and query as they came. */
  readonly uri: string;
  /** A request header; undefined in process. */
  header(name: string): string | undefined;
}

export interface Dispatcher {
  readonly catalogue: Catalogue;
  readonly reads: Reads;
  readonly writes: Writes;
  readonly subresources: Subresources;
  /** How long a watch lasts that names no time-out, in seconds. */
  readonly watchSeconds: () => number;
}

export const pageNotFound: Answer = {
  kind: "raw",
  code: 404,
  contentType: "text/plain; charset=utf-8",
  body: "404 page not found\n",
  headers: { "x-content-type-options": "nosniff" },
};

interface Target {
  readonly namespace: string | undefined;
  readonly plural: string;
  readonly name: string | undefined;
  readonly subresource: readonly string[];
  readonly watchPrefix: boolean;
}

/** The path behind the group version, or undefined when it has no such form. */
function targetOf(parts: readonly string[]): Target | undefined {
  let rest = parts[0] === "apis" ? parts.slice(3) : parts.slice(2);
  const watchPrefix = rest[0] === "watch";
  if (watchPrefix) rest = rest.slice(1);
  if (rest[0] === "namespaces" && rest.length >= 3 && rest[2] !== "status" && rest[2] !== "finalize") {
    const [, namespace, plural, name, ...subresource] = rest as [string, string, string, string | undefined, ...string[]];
    return { namespace, plural, name, subresource, watchPrefix };
  }
  const [plural, name, ...subresource] = rest;
  if (plural === undefined || plural === "") return undefined;
  return { namespace: undefined, plural, name, subresource, watchPrefix };
}

export async function dispatch(server: Dispatcher, request: ServerRequest): Promise<Answer> {
  const { info } = request;
  const { catalogue } = server;
  if (info.parts[0] === "apis" && !catalogue.hasGroup(info.group)) return pageNotFound;
  const target = targetOf(info.parts);
  if (target === undefined) throw noSuchResource();
  const resource = catalogue.get(info.group, info.version, target.plural);
  if (resource === undefined) {
    const virtual = catalogue.virtual(info.group, info.version, target.plural);
    // Upstream serves custom groups by another server in the chain, whose last word is plain text.
    if (virtual === undefined && catalogue.isCustom(info.group)) return pageNotFound;
    if (virtual === undefined) throw noSuchResource();
    return await server.subresources.virtual(virtual, request, target);
  }
  if (resource.custom && isElsewhere(resource.type, target, request.method)) return pageNotFound;
  if (target.name === "" || (target.subresource[0] !== "proxy" && target.subresource.some((part) => part === "")))
    throw noSuchResource();
  if (target.subresource.length > 0 && !Object.hasOwn(resource.type.subresources, target.subresource[0] as string))
    throw resource.custom ? notFound(resource.type, target.name ?? "") : noSuchResource();
  if (target.subresource.length > 1 && target.subresource[0] !== "proxy") throw noSuchResource();
  checkScope(resource.type, target);
  if (resource.type.kind === "Endpoints" && resource.type.group === "")
    request.warn("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice");
  if (resource.deprecation !== undefined) request.warn(resource.deprecation);
  if (resource.custom && target.subresource.length === 0) checkCustomMethod(resource.type, target, request.method);
  if (target.watchPrefix) return await watchPath(server, request, resource, target);
  if (target.subresource.length > 0) {
    if (!Object.hasOwn(resource.type.subresources, target.subresource[0] as string)) throw noSuchResource();
    return await server.subresources.answer(verbRequest(request, resource, target), request.method, target.subresource);
  }
  return target.name === undefined
    ? await collection(server, request, resource, target)
    : await named(server, request, resource, target);
}

/** Upstream hands a request for a custom resource that is out of its scope on to the end of the chain; only reads go across namespaces. */
function isElsewhere(type: ResourceType, target: Target, method: string): boolean {
  if (!type.namespaced) return target.namespace !== undefined;
  return target.namespace === undefined && (target.name !== undefined || method !== "GET");
}

/** A namespaced object has its namespace in the path; a cluster-scoped one never. */
function checkScope(type: ResourceType, target: Target): void {
  if (type.namespaced ? target.namespace === undefined && target.name !== undefined : target.namespace !== undefined)
    throw noSuchResource();
  for (const part of [target.namespace, target.name]) {
    if (part === "." || part === "..") throw apiError("", `invalid key: "/${type.plural}/${part}"`);
  }
}

function verbRequest(request: ServerRequest, resource: ServedResource, target: Target): VerbRequest {
  return {
    resource,
    namespace: target.namespace ?? "",
    name: target.name ?? "",
    subresource: target.subresource.join("/"),
    query: request.query,
    body: request.body,
    user: request.user,
    userAgent: request.userAgent,
    ...(request.signal === undefined ? {} : { signal: request.signal }),
    warn: (message) => request.warn(message),
    authorize: (verb) => request.authorize(verb),
    uri: request.uri,
  };
}

function placeOf(request: ServerRequest, resource: ServedResource, target: Target): Place {
  return {
    resource,
    namespace: target.namespace ?? "",
    name: target.name ?? "",
    query: request.query,
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  };
}

async function collection(server: Dispatcher, request: ServerRequest, resource: ServedResource, target: Target): Promise<Answer> {
  const { verbs, namespaced } = resource.type;
  const everywhere = namespaced && target.namespace === undefined;
  switch (request.method) {
    case "GET":
      return isTrue(request.query, "watch")
        ? await watch(server.reads, placeOf(request, resource, target), server.watchSeconds())
        : await list(server.reads, placeOf(request, resource, target));
    case "POST":
      if (everywhere || !verbs.includes("create")) throw notAllowed();
      return await createVerb(server.writes, verbRequest(request, resource, target));
    case "DELETE":
      if (everywhere || !verbs.includes("deletecollection")) throw notAllowed();
      return await deleteCollectionVerb(server.reads, server.writes, verbRequest(request, resource, target));
    default:
      throw notAllowed();
  }
}

async function named(server: Dispatcher, request: ServerRequest, resource: ServedResource, target: Target): Promise<Answer> {
  const { verbs } = resource.type;
  const verb = verbRequest(request, resource, target);
  switch (request.method) {
    case "GET":
      return await get(server.reads, placeOf(request, resource, target));
    case "PUT":
      if (!verbs.includes("update")) throw notAllowed();
      return await updateVerb(server.writes, verb);
    case "PATCH":
      if (!verbs.includes("patch")) throw notAllowed();
      return await patchVerb(server.writes, verb);
    case "DELETE":
      if (!verbs.includes("delete")) throw notAllowed();
      return await deleteVerb(server.writes, verb);
    case "POST":
      // the name in the path of a custom resource is not looked at: the object's own is taken
      if (!resource.custom) throw notAllowed();
      return await createVerb(server.writes, { ...verb, name: "" });
    default:
      throw notAllowed();
  }
}

/** The server of custom resources looks at the method before it looks at the path. */
function checkCustomMethod(type: ResourceType, { name }: Target, method: string): void {
  if (name === undefined && (method === "PUT" || method === "PATCH")) throw badRequest("name must be provided");
  if (["GET", "POST", "PUT", "PATCH", "DELETE"].includes(method)) return;
  throw methodNotAllowed(type, "");
}

/** The old form of a watch: /api/v1/watch/.... */
async function watchPath(server: Dispatcher, request: ServerRequest, resource: ServedResource, target: Target): Promise<Answer> {
  if (target.subresource.length > 0) throw noSuchResource();
  if (request.method !== "GET") throw notAllowed();
  return await watch(server.reads, placeOf(request, resource, target), server.watchSeconds());
}
