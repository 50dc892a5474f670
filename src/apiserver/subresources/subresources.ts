// What a resource answers behind an object's name (status, scale, binding, log, ...), and resources that store nothing.
import {
  type ApiObject,
  apiVersionOf,
  certificateSigningRequests,
  forbidden,
  isForbidden,
  methodNotAllowed,
  notFound,
  type ObjectSchema,
  objectSchema,
  parseSelector,
  qualified,
  type ResourceType,
  type Stored,
  schemaOfKind,
  selectorMatches,
  updateManagedFields,
} from "#api";
import { rfc3339 } from "#client";
import type { Answer } from "../answer.ts";
import { decodeObject } from "../body.ts";
import type { ObjectReader, ObjectWriter } from "../contract.ts";
import type { ServerRequest } from "../dispatch.ts";
import { isTrue } from "../query.ts";
import type { Catalogue } from "../registry/catalogue.ts";
import { placeInNamespace } from "../registry/metadata.ts";
import { type WriteOptions, writeOptions } from "../registry/options.ts";
import { get, type Reads } from "../registry/read.ts";
import { admissionContext, admit, managerOf, validateAdmission, type Writes } from "../registry/request.ts";
import { noSuchResource, notAllowed, patchVerb, updateVerb, type VerbRequest, writeRequest } from "../registry/verbs.ts";
import type { Security } from "../security/mod.ts";
import { bind } from "./binding.ts";
import { evict } from "./eviction.ts";
import { approvalRules, ephemeralContainersRules, finalizeRules, resizeRules, signingRules } from "./partial-updates.ts";
import { type ConnectDeps, podExec, podLog, podPortForward, proxy } from "./pod-connect.ts";
import { scale } from "./scale.ts";

interface VirtualTarget {
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

export interface Subresources {
  answer(request: VerbRequest, method: string, path: readonly string[]): Promise<Answer>;
  virtual(type: ResourceType, request: ServerRequest, target: VirtualTarget): Promise<Answer>;
}

interface SubresourceDeps extends ConnectDeps {
  readonly catalogue: Catalogue;
  readonly reads: Reads;
  readonly writes: Writes;
  readonly reader: ObjectReader;
  readonly writer: ObjectWriter;
  readonly security: Pick<Security, "review" | "requestToken">;
}

export function createSubresources(deps: SubresourceDeps): Subresources {
  return {
    answer: (request, method, path) => answerSubresource(deps, request, method, path),
    virtual: (type, request, target) => answerVirtual(deps, type, request, target),
  };
}

const certificateRequests = qualified(certificateSigningRequests);

/** A status whose rules need the time. */
function withOwnStatus({ writes }: SubresourceDeps, request: VerbRequest): VerbRequest {
  const { type, strategy } = request.resource;
  if (qualified(type) !== certificateRequests) return request;
  return { ...request, special: signingRules(strategy.rules, () => writes.clock.now()) };
}

async function answerSubresource(
  deps: SubresourceDeps,
  request: VerbRequest,
  method: string,
  path: readonly string[],
): Promise<Answer> {
  const { writes } = deps;
  const { resource } = request;
  const [name = ""] = path;
  switch (name) {
    case "status":
      return await part(deps, withOwnStatus(deps, request), method, ["GET", "PUT", "PATCH"]);
    case "scale":
      return await scale(writes, request, method);
    case "binding":
      if (method !== "POST") throw notAllowed();
      return await bind(writes, request);
    case "eviction":
      if (method !== "POST") throw notAllowed();
      return await evict(deps, request);
    case "token":
      if (method !== "POST") throw notAllowed();
      return await token(deps, request);
    case "finalize":
      return await part(deps, { ...request, special: finalizeRules }, method, ["PUT"]);
    case "approval":
      return await part(deps, { ...request, special: approvalRules(() => writes.clock.now()) }, method, ["GET", "PUT", "PATCH"]);
    case "ephemeralcontainers":
      return await part(deps, { ...request, special: ephemeralContainersRules }, method, ["GET", "PUT", "PATCH"]);
    case "resize":
      return await part(deps, { ...request, special: resizeRules(resource.strategy.rules) }, method, ["GET", "PUT", "PATCH"]);
    case "log":
      return podLog(deps, request, method);
    case "exec":
    case "attach":
      await mayUpgrade(request, method);
      await admitConnect(deps, request);
      return podExec(deps, request, method, name);
    case "portforward":
      await mayUpgrade(request, method);
      await admitConnect(deps, request);
      return podPortForward(deps, request, method);
    case "proxy":
      await admitConnect(deps, request);
      return proxy(deps, request, method, path.slice(1));
    default:
      throw noSuchResource();
  }
}

/** A WebSocket begins with GET, yet runs a command: it needs the right to create (KEP-4006). */
async function mayUpgrade(request: VerbRequest, method: string): Promise<void> {
  if (method !== "GET") return;
  try {
    await request.authorize("create");
  } catch (error) {
    throw isForbidden(error) ? forbidden(request.resource.type, request.name, "") : error;
  }
}

async function admitConnect(deps: SubresourceDeps, request: VerbRequest): Promise<void> {
  const options = { dryRun: false, fieldManager: "", fieldValidation: "Warn", force: false } as const;
  await validateAdmission(deps.writes, undefined, admissionContext(writeRequest(request, options), "CONNECT", request.name));
}

/** A subresource that reads and writes the whole object, keeping most of what is stored. */
async function part(deps: SubresourceDeps, request: VerbRequest, method: string, methods: readonly string[]): Promise<Answer> {
  if (!methods.includes(method)) throw notAllowed();
  if (method === "GET") return await get(deps.reads, request);
  return method === "PUT" ? await updateVerb(deps.writes, request) : await patchVerb(deps.writes, request);
}

const defaultTokenSeconds = 3_600;

async function token(deps: SubresourceDeps, request: VerbRequest): Promise<Answer> {
  const { namespace, name, resource } = request;
  const options = writeOptions("CreateOptions", request.query);
  const schema = objectSchema("io.k8s.api.authentication.v1.TokenRequest");
  const body = decodeObject(
    request.body,
    { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest", schema, strictKind: false },
    options.fieldValidation,
    request.warn,
  );
  const given = placeInNamespace(body, true, namespace) as ApiObject & {
    readonly spec?: { readonly expirationSeconds?: number };
  };
  const placed = {
    ...given,
    spec: { ...given.spec, expirationSeconds: given.spec?.expirationSeconds ?? defaultTokenSeconds },
  } as ApiObject;
  const managed = managedReview(deps, placed, "authentication.k8s.io/v1", schema, options, request.userAgent, "token");
  const admitted = await admit(deps.writes, managed, admissionContext(writeRequest(request, options), "CREATE", name));
  const account = deps.writes.objects.current(resource, namespace, name);
  if (account === undefined) throw notFound(resource.type, name);
  return { kind: "object", code: 201, object: await deps.security.requestToken(account.parse() as Stored<ApiObject>, admitted) };
}

/** Reviews are not stored, and still say who wrote which field. */
function managedReview(
  deps: SubresourceDeps,
  next: ApiObject,
  apiVersion: string,
  schema: ObjectSchema,
  options: WriteOptions,
  userAgent: string,
  subresource: string,
): ApiObject {
  return updateManagedFields({
    live: undefined,
    next,
    manager: managerOf(options, userAgent),
    subresource,
    apiVersion,
    time: rfc3339(deps.writes.clock.now()),
    schema,
  });
}

async function answerVirtual(
  deps: SubresourceDeps,
  type: ResourceType,
  request: ServerRequest,
  target: VirtualTarget,
): Promise<Answer> {
  if (request.info.parts.at(type.group === "" ? 2 : 3) === "watch") throw noSuchResource();
  if (type.kind === "ComponentStatus") return componentStatuses(type, request, target);
  if (target.name !== undefined || type.namespaced !== (target.namespace !== undefined)) {
    throw noSuchResource();
  }
  if (request.method !== "POST") throw notAllowed();
  const namespace = target.namespace ?? "";
  if (type.kind === "Binding") {
    const pods = deps.catalogue.get("", "v1", "pods");
    if (pods === undefined) throw noSuchResource();
    return await bind(deps.writes, {
      resource: pods,
      namespace,
      name: "",
      subresource: "binding",
      query: request.query,
      body: request.body,
      user: request.user,
      userAgent: request.userAgent,
      warn: (message) => request.warn(message),
      authorize: (verb) => request.authorize(verb),
      uri: request.uri,
    });
  }
  const options = writeOptions("CreateOptions", request.query);
  const schema = schemaOfKind(type);
  if (schema === undefined) throw noSuchResource();
  const decoded = decodeObject(request.body, { ...type, schema, strictKind: false }, options.fieldValidation, (message) =>
    request.warn(message),
  );
  const placed = type.namespaced ? placeInNamespace(decoded, true, namespace) : decoded;
  const review = deps.security.review(
    type,
    managedReview(deps, placed, apiVersionOf(type), schema, options, request.userAgent, ""),
    request.user,
    namespace,
  );
  if (review === undefined) throw noSuchResource();
  return { kind: "object", code: 201, object: await review };
}

const components = ["controller-manager", "scheduler", "etcd-0"];

/** Deprecated upstream, kept for old scripts. This server sees its store only: of the others it says that it does not know. */
function componentStatuses(type: ResourceType, request: ServerRequest, target: VirtualTarget): Answer {
  if (target.namespace !== undefined) throw noSuchResource();
  if (request.method !== "GET") throw notAllowed();
  request.warn("v1 ComponentStatus is deprecated in v1.19+");
  const of = (name: string): object => ({
    metadata: { name },
    conditions: [
      name === "etcd-0"
        ? { type: "Healthy", status: "True", message: "ok" }
        : { type: "Healthy", status: "Unknown", message: "not observed by the API server; ask its own health port" },
    ],
  });
  if (target.name === undefined) {
    if (isTrue(request.query, "watch")) throw methodNotAllowed(type, "watch");
    // none of them has labels
    const isSelected = selectorMatches(parseSelector(request.query.first("labelSelector") ?? ""), {});
    const items = isSelected ? components.map(of) : [];
    return { kind: "object", code: 200, object: { kind: "ComponentStatusList", apiVersion: "v1", metadata: {}, items } };
  }
  if (!components.includes(target.name)) throw notFound({ group: "", plural: "componentstatus" }, target.name);
  return { kind: "object", code: 200, object: { kind: type.kind, apiVersion: apiVersionOf(type), ...of(target.name) } };
}
