// The one implementation of Client: turns calls into requests of a Transport and answers into objects or ApiErrors.
import {
  ApiError,
  type ApiObject,
  apiError,
  apiVersionOf,
  type DeleteOptions,
  type ResourceType,
  type Status,
  type Stored,
} from "#api";
import type { Client, ListOptions, ObjectList, ObjectRef, Patch, WatchEvent, WatchOptions, WriteOptions } from "./client.ts";
import { collectionPath, listQuery, objectPath, watchQuery, writeQuery } from "./paths.ts";
import type { ApiReply, ApiRequest, Transport, WatchFrame } from "./transport.ts";

export interface ClientOptions {
  /** Sent with every write that does not name its own; absent: the server derives it from the user agent. */
  readonly fieldManager?: string;
  /** Called with each Warning header's text. */
  readonly onWarning?: (text: string, request: ApiRequest) => void;
}

const patchTypes = {
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  json: "application/json-patch+json",
} as const satisfies Record<Patch["type"], string>;

/** A Client over any Transport. The transport stays the caller's to close. */
export function createClient(transport: Transport, options: ClientOptions = {}): Client {
  const send = async (request: ApiRequest): Promise<ApiReply> => {
    const reply = await transport.send(request);
    if ("frames" in reply) return reply;
    if (reply.code >= 400) throw asApiError(reply);
    if (reply.warnings !== undefined) for (const text of reply.warnings) options.onWarning?.(text, request);
    return reply;
  };
  const sendForObject = async <R>(request: ApiRequest): Promise<R> => {
    const reply = await send(request);
    if ("frames" in reply)
      throw apiError("InternalError", `Cannot read the answer to "${request.method} ${request.path}": the server began a watch`);
    return reply.object as R; // the server answers with the resource's own type
  };
  const write = (more: WriteOptions): Record<string, string> => ({
    ...writeQuery({ fieldManager: options.fieldManager, ...more }),
  });

  return {
    get: <T extends ApiObject>(
      type: ResourceType<T>,
      ref: ObjectRef,
      more: { resourceVersion?: string; signal?: AbortSignal } = {},
    ) =>
      sendForObject<Stored<T>>({
        method: "GET",
        path: objectPath(type, ref),
        query: listQuery({ resourceVersion: more.resourceVersion }),
        signal: more.signal,
      }),

    list: <T extends ApiObject>(type: ResourceType<T>, more: ListOptions = {}) =>
      sendForObject<ObjectList<T>>({
        method: "GET",
        path: collectionPath(type, more.namespace),
        query: listQuery(more),
        signal: more.signal,
      }),

    watch: <T extends ApiObject>(type: ResourceType<T>, more: WatchOptions = {}) =>
      watchEvents<T>(send, {
        method: "GET",
        path: collectionPath(type, more.namespace),
        query: watchQuery(more),
        signal: more.signal,
      }),

    create: <T extends ApiObject>(type: ResourceType<T>, object: T, more: WriteOptions = {}) => {
      const path =
        more.subresource === undefined
          ? collectionPath(type, object.metadata.namespace)
          : objectPath(type, refOf(type, object), more.subresource);
      return sendForObject<Stored<T>>({
        method: "POST",
        path,
        query: write(more),
        body: withKind(type, object),
        signal: more.signal,
      });
    },

    update: <T extends ApiObject>(type: ResourceType<T>, object: T, more: WriteOptions = {}) =>
      sendForObject<Stored<T>>({
        method: "PUT",
        path: objectPath(type, refOf(type, object), more.subresource),
        query: write(more),
        body: withKind(type, object),
        signal: more.signal,
      }),

    patch: <T extends ApiObject>(type: ResourceType<T>, ref: ObjectRef, patch: Patch, more: WriteOptions = {}) =>
      sendForObject<Stored<T>>({
        method: "PATCH",
        path: objectPath(type, ref, more.subresource),
        query: write(more),
        contentType: patchTypes[patch.type],
        body: patch.body,
        signal: more.signal,
      }),

    apply: <T extends ApiObject>(
      type: ResourceType<T>,
      object: T,
      more: WriteOptions & { fieldManager: string; force?: boolean },
    ) =>
      sendForObject<Stored<T>>({
        method: "PATCH",
        path: objectPath(type, refOf(type, object), more.subresource),
        query: write(more),
        contentType: "application/apply-patch+yaml",
        body: withKind(type, object),
        signal: more.signal,
      }),

    delete: <T extends ApiObject>(type: ResourceType<T>, ref: ObjectRef, more: DeleteOptions & { signal?: AbortSignal } = {}) => {
      const { signal, ...deletion } = more;
      return sendForObject<unknown>({
        method: "DELETE",
        path: objectPath(type, ref),
        query: {},
        body: deleteBody(deletion),
        signal,
      });
    },

    deleteCollection: async <T extends ApiObject>(type: ResourceType<T>, more: ListOptions & { delete?: DeleteOptions } = {}) => {
      await sendForObject<unknown>({
        method: "DELETE",
        path: collectionPath(type, more.namespace),
        query: listQuery(more),
        body: deleteBody(more.delete ?? {}),
        signal: more.signal,
      });
    },

    createSubresource: <T extends ApiObject>(
      type: ResourceType<T>,
      ref: ObjectRef,
      subresource: string,
      body: unknown,
      more: WriteOptions = {},
    ) =>
      sendForObject<unknown>({
        method: "POST",
        path: objectPath(type, ref, subresource),
        query: write(more),
        body,
        signal: more.signal,
      }),

    send,
  };
}

async function* watchEvents<T extends ApiObject>(
  send: (request: ApiRequest) => Promise<ApiReply>,
  request: ApiRequest,
): AsyncGenerator<WatchEvent<T>> {
  try {
    const reply = await send(request);
    if (!("frames" in reply))
      throw apiError("InternalError", `Cannot watch "${request.path}": the server answered with an object`);
    for await (const frame of reply.frames) yield eventOf<T>(frame);
  } catch (error) {
    if (request.signal?.aborted !== true) throw error;
  }
}

function eventOf<T extends ApiObject>(frame: WatchFrame): WatchEvent<T> {
  switch (frame.type) {
    case "ERROR":
      throw new ApiError(frame.object as Status);
    case "BOOKMARK": {
      const { metadata } = frame.object as ApiObject;
      return {
        type: "BOOKMARK",
        resourceVersion: metadata.resourceVersion ?? "",
        initialEventsEnd: metadata.annotations?.["k8s.io/initial-events-end"] === "true",
      };
    }
    default:
      return { type: frame.type, object: frame.object as Stored<T> };
  }
}

/** A refusal as ApiError, also when the answer is no Status (a proxy's page, an aggregated server's text). */
function asApiError(reply: { readonly code: number; readonly object: unknown }): ApiError {
  const status = reply.object as Status | undefined;
  if (status?.kind === "Status") return new ApiError({ ...status, code: status.code ?? reply.code });
  const text = typeof reply.object === "string" ? reply.object.trim() : "";
  return new ApiError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    code: reply.code,
    message: text === "" ? `the server answered ${reply.code}` : text,
  });
}

const refOf = (type: ResourceType, object: ApiObject): ObjectRef =>
  type.namespaced
    ? { namespace: object.metadata.namespace, name: object.metadata.name ?? "" }
    : { name: object.metadata.name ?? "" };

const withKind = <T extends ApiObject>(type: ResourceType<T>, object: T): T =>
  object.kind !== undefined && object.apiVersion !== undefined
    ? object
    : { ...object, apiVersion: apiVersionOf(type), kind: type.kind };

const deleteBody = (options: DeleteOptions): DeleteOptions => ({ kind: "DeleteOptions", apiVersion: "v1", ...options });
