// From a request on a stored resource to the registry: options, bodies, and the form of the answer.
import { type ApiObject, apiError, badRequest, DecodeError, type DeleteOptions, decodeTyped, objectSchema } from "#api";
import type { UserInfo } from "#client";
import type { Answer } from "../answer.ts";
import { bodyFormat, decodeObject, type ExpectedKind, noKindIn, type RawBody, type RequestBody, rawBody } from "../body.ts";
import type { Query } from "../query.ts";
import { create } from "./create.ts";
import { remove } from "./delete.ts";
import { filterOf } from "./filter.ts";
import { listOptions } from "./list-options.ts";
import { checkDeleteOptions, deleteOptionsFromQuery, writeOptions } from "./options.ts";
import { patch, patchType } from "./patch.ts";
import { listMetadata, type Reads, select } from "./read.ts";
import type { SubresourceRules, WriteRequest, Writes } from "./request.ts";
import type { ServedResource } from "./resource.ts";
import { update } from "./update.ts";

export interface VerbRequest {
  readonly resource: ServedResource;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
  readonly query: Query;
  readonly body: RequestBody;
  readonly user: UserInfo;
  readonly userAgent: string;
  readonly signal?: AbortSignal;
  readonly special?: SubresourceRules;
  /** Path and query as they came. */
  readonly uri: string;
  warn(message: string): void;
  authorize(verb: string): Promise<void>;
}

const expectedKind = (resource: ServedResource): ExpectedKind => ({
  group: resource.type.group,
  version: resource.type.version,
  kind: resource.type.kind,
  schema: resource.strategy.schema,
  strictKind: resource.custom,
  specs: resource.specs,
  ...(resource.strategy.decode === undefined ? {} : { decode: resource.strategy.decode }),
});

export const writeRequest = (request: VerbRequest, options: WriteRequest["options"]): WriteRequest => ({
  resource: request.resource,
  namespace: request.namespace,
  name: request.name,
  subresource: request.subresource,
  options,
  user: request.user,
  userAgent: request.userAgent,
  warn: (message) => request.warn(message),
  authorize: (verb) => request.authorize(verb),
  ...(request.special === undefined ? {} : { special: request.special }),
});

function decoded(request: VerbRequest, options: WriteRequest["options"]): ApiObject {
  const object = decodeObject(request.body, expectedKind(request.resource), options.fieldValidation, request.warn);
  return request.resource.strategy.rules.default?.(object) ?? object;
}

export async function createVerb(writes: Writes, request: VerbRequest): Promise<Answer> {
  if (request.body.bytes !== undefined) bodyFormat(request.body.contentType);
  const options = writeOptions("CreateOptions", request.query);
  const entry = await create(writes, writeRequest(request, options), decoded(request, options));
  return { kind: "entry", code: 201, resource: request.resource, entry };
}

export async function updateVerb(writes: Writes, request: VerbRequest): Promise<Answer> {
  if (request.body.bytes !== undefined) bodyFormat(request.body.contentType);
  const options = writeOptions("UpdateOptions", request.query);
  const { entry, created } = await update(writes, writeRequest(request, options), decoded(request, options));
  return { kind: "entry", code: created ? 201 : 200, resource: request.resource, entry };
}

export async function patchVerb(writes: Writes, request: VerbRequest): Promise<Answer> {
  const type = patchType(request.body.contentType, request.resource.custom);
  const options = writeOptions("PatchOptions", request.query, { apply: type === "apply" });
  const { entry, created } = await patch(writes, writeRequest(request, options), type, request.body);
  return { kind: "entry", code: created ? 201 : 200, resource: request.resource, entry };
}

/** What upstream can decode as options at all. */
const metaKinds = new Set([
  "CreateOptions",
  "GetOptions",
  "ListOptions",
  "PatchOptions",
  "Status",
  "UpdateOptions",
  "WatchEvent",
]);

const deleteOptionsSchema = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";

/** A DELETE's options: its body, or the query when there is none. */
export function deleteOptions(request: Pick<VerbRequest, "body" | "query">): DeleteOptions {
  const { body } = request;
  const given = body.bytes === undefined ? body.value !== undefined && body.value !== null : body.bytes.length > 0;
  const options = given ? bodyOptions(body) : deleteOptionsFromQuery(request.query);
  checkDeleteOptions(options);
  return options;
}

function bodyOptions(body: RequestBody): DeleteOptions {
  const { value } = optionsBody(body);
  if (typeof value !== "object" || Array.isArray(value)) throw badRequest(noKindIn(value));
  const { kind } = (value ?? {}) as { kind?: unknown };
  if (kind !== undefined && kind !== "" && kind !== "DeleteOptions") {
    if (!metaKinds.has(String(kind)))
      throw badRequest(
        `no kind ${JSON.stringify(kind)} is registered for version "v1" in scheme "pkg/apis/meta/internalversion/scheme/register.go:27"`,
      );
    throw badRequest("decoded object cannot be converted to DeleteOptions");
  }
  try {
    return decodeTyped(objectSchema(deleteOptionsSchema), value).object as DeleteOptions;
  } catch (error) {
    if (error instanceof DecodeError) throw badRequest(error.message);
    throw error;
  }
}

/** Syntax errors of options are told without the words for objects. */
function optionsBody(body: RequestBody): RawBody {
  try {
    return rawBody(body, { group: "", version: "v1", kind: "DeleteOptions" });
  } catch (error) {
    const text = (error as Error).message;
    const inner = /^the object provided is unrecognized \(must be of type DeleteOptions\): (.*) \([^)]*\)$/s.exec(text)?.[1];
    throw inner === undefined ? error : badRequest(inner);
  }
}

export async function deleteVerb(writes: Writes, request: VerbRequest): Promise<Answer> {
  const options = deleteOptions(request);
  warnOfOrphans(request, options);
  const deletion = await remove(writes, deleteRequest(request, options), options);
  if (deletion.entry !== undefined)
    return { kind: "entry", code: deletion.code, resource: request.resource, entry: deletion.entry };
  return { kind: "object", code: deletion.code, object: deletion.status };
}

/** Jobs are the one kind in use whose children stay unless told otherwise. */
function warnOfOrphans(request: VerbRequest, options: DeleteOptions): void {
  if (request.resource.type.group !== "batch" || request.resource.type.kind !== "Job") return;
  if (options.propagationPolicy !== undefined || options.orphanDependents !== undefined) return;
  request.warn(
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning",
  );
}

export const deleteRequest = (request: VerbRequest, options: DeleteOptions): WriteRequest =>
  writeRequest(request, { dryRun: (options.dryRun ?? []).length > 0, fieldManager: "", fieldValidation: "Warn", force: false });

/** Deletes what a list finds, one by one; objects that others removed meanwhile are skipped. */
export async function deleteCollectionVerb(reads: Reads, writes: Writes, request: VerbRequest): Promise<Answer> {
  const list = listOptions(request.query, false);
  const options = deleteOptions(request);
  const { resource } = request;
  warnOfOrphans(request, options);
  const filter = filterOf(resource, request.namespace, "", list.labelSelector, list.fieldSelector);
  const found = await select(reads, resource, filter, list);
  for (const entry of found.entries) {
    const one = { ...deleteRequest(request, options), namespace: entry.sidecar.namespace, name: entry.sidecar.name };
    try {
      await remove(writes, one, options);
    } catch (error) {
      if ((error as { reason?: string }).reason !== "NotFound") throw error;
    }
  }
  return { kind: "list", resource, entries: found.entries, metadata: listMetadata(resource, filter, found) };
}

export const noSuchResource = (): Error => apiError("NotFound", "the server could not find the requested resource", {});
export const notAllowed = (): Error =>
  apiError("MethodNotAllowed", "the server does not allow this method on the requested resource", {});
