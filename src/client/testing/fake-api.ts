// For unit tests only: objects in memory behind a Transport, with resource versions, conflicts, finalizers and watches, and nothing else of an API server.
import {
  ApiError,
  type ApiObject,
  alreadyExists,
  apiError,
  conflict,
  type JsonObject,
  notFound,
  type ResourceType,
  type Stored,
} from "#api";
import type { Clock } from "#base";
import { objectPath } from "../paths.ts";
import type { ApiReply, ApiRequest, Transport, WatchFrame } from "../transport.ts";

export interface FakeApi extends Transport {
  /** Every request, oldest first; watches included. */
  readonly requests: readonly ApiRequest[];
  /** Called before each request: throw, or return an ApiError, to refuse it; a promise delays it. */
  before: (request: ApiRequest) => ApiError | undefined | Promise<ApiError | undefined>;
  /** Called after a write was done: throwing loses the answer ("commit unknown"). */
  after: (request: ApiRequest) => void;
  /** Stores without a request, for the givens of a test. */
  put<T extends ApiObject>(type: ResourceType<T>, object: T): Stored<T>;
  /** Removes at once, whatever the finalizers. */
  remove(type: ResourceType, ref: { namespace?: string; name: string }): void;
  peek<T extends ApiObject>(type: ResourceType<T>, ref: { namespace?: string; name: string }): Stored<T> | undefined;
  all<T extends ApiObject>(type: ResourceType<T>, namespace?: string): readonly Stored<T>[];
  /** Ends every watch, as a server that goes away. */
  endWatches(): void;
  /** Forgets history: watches from before answer 410. */
  compact(): void;
}

interface Change {
  readonly revision: number;
  readonly collection: string;
  readonly namespace: string;
  readonly frame: WatchFrame;
}

type Meta = Record<string, unknown>;

/** Pods vanish at once when deleted unless `gracefulPods`: then they stay with a deletionTimestamp until `remove`. */
export function createFakeApi(options: { readonly clock: Clock; readonly gracefulPods?: boolean }): FakeApi {
  const objects = new Map<string, Stored<ApiObject>>();
  const requests: ApiRequest[] = [];
  let history: Change[] = [];
  let compacted = 0;
  let revision = 0;
  let names = 0;
  let watchers = new Set<() => void>();
  let epoch = 0;

  const commit = (key: string, object: ApiObject | undefined, type: "ADDED" | "MODIFIED" | "DELETED"): Stored<ApiObject> => {
    const { collection, namespace } = parsePath(key);
    revision++;
    const last = object ?? (objects.get(key) as ApiObject); // a deletion carries the last state
    const stored = { ...last, metadata: { ...last.metadata, resourceVersion: String(revision) } } as Stored<ApiObject>;
    if (type === "DELETED") objects.delete(key);
    else objects.set(key, stored);
    history.push({ revision, collection, namespace, frame: { type, object: stored } });
    for (const wake of [...watchers]) wake();
    return stored;
  };

  const create = (collection: string, object: ApiObject): Stored<ApiObject> => {
    const name = object.metadata.name ?? `${object.metadata.generateName ?? ""}${String(++names).padStart(5, "0")}`;
    const key = `${collection}/${name}`;
    if (objects.has(key)) throw alreadyExists(nameOf(collection), name);
    const metadata = {
      ...object.metadata,
      name,
      uid: `uid-${revision + 1}`,
      creationTimestamp: timestamp(options.clock),
      generation: 1,
    };
    return commit(key, { ...object, metadata }, "ADDED");
  };

  const replace = (key: string, object: ApiObject, subresource: string): Stored<ApiObject> => {
    const old = existing(key);
    const claimed = object.metadata.resourceVersion;
    if (claimed !== undefined && claimed !== "" && claimed !== old.metadata.resourceVersion)
      throw conflict(
        nameOf(key),
        old.metadata.name,
        "the object has been modified; please apply your changes to the latest version and try again",
      );
    const merged = (subresource === "status" ? { ...old, status: (object as unknown as Meta)["status"] } : object) as ApiObject;
    const kept = {
      uid: old.metadata.uid,
      creationTimestamp: old.metadata.creationTimestamp,
      deletionTimestamp: old.metadata.deletionTimestamp,
    };
    const specChanged = JSON.stringify((merged as unknown as Meta)["spec"]) !== JSON.stringify((old as unknown as Meta)["spec"]);
    const metadata = {
      ...merged.metadata,
      ...kept,
      resourceVersion: old.metadata.resourceVersion,
      generation: (old.metadata.generation ?? 1) + (specChanged ? 1 : 0),
    };
    const next = JSON.parse(JSON.stringify({ ...merged, metadata })) as ApiObject;
    if (JSON.stringify(next) === JSON.stringify(old)) return old;
    const held =
      (metadata.finalizers ?? []).length > 0 ||
      ((next as { spec?: { finalizers?: unknown[] } }).spec?.finalizers ?? []).length > 0;
    if (metadata.deletionTimestamp !== undefined && !held && !graceful(key)) {
      objects.set(key, next as Stored<ApiObject>);
      return commit(key, undefined, "DELETED");
    }
    return commit(key, next, "MODIFIED");
  };

  const existing = (key: string): Stored<ApiObject> => {
    const old = objects.get(key);
    if (old === undefined) throw notFound(nameOf(key), parsePath(key).name);
    return old;
  };

  const graceful = (key: string): boolean => options.gracefulPods === true && parsePath(key).collection.endsWith("/pods");

  const remove = (
    key: string,
    body: { preconditions?: { uid?: string; resourceVersion?: string }; propagationPolicy?: string } | undefined,
  ): Stored<ApiObject> => {
    const old = existing(key);
    const { uid, resourceVersion } = body?.preconditions ?? {};
    if (uid !== undefined && uid !== old.metadata.uid)
      throw conflict(
        nameOf(key),
        old.metadata.name,
        `the UID in the precondition (${uid}) does not match the UID in record (${old.metadata.uid}). The object might have been deleted and then recreated`,
      );
    if (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion)
      throw conflict(
        nameOf(key),
        old.metadata.name,
        `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${old.metadata.resourceVersion}).`,
      );
    const added =
      body?.propagationPolicy === "Foreground" ? ["foregroundDeletion"] : body?.propagationPolicy === "Orphan" ? ["orphan"] : [];
    const finalizers = [...(old.metadata.finalizers ?? []), ...added];
    if (finalizers.length > 0 || graceful(key)) {
      if (old.metadata.deletionTimestamp !== undefined) return old;
      const metadata = {
        ...old.metadata,
        deletionTimestamp: timestamp(options.clock),
        ...(finalizers.length > 0 ? { finalizers } : {}),
      };
      return commit(key, { ...old, metadata }, "MODIFIED");
    }
    return commit(key, undefined, "DELETED");
  };

  const inScope = (key: string, collection: string, namespace: string): boolean => {
    const parts = parsePath(key);
    return parts.collection === collection && (namespace === "" || parts.namespace === namespace);
  };

  async function* watch(request: ApiRequest, collection: string, namespace: string): AsyncGenerator<WatchFrame> {
    let at = Number(request.query["resourceVersion"] ?? revision);
    const born = epoch;
    if (at < compacted) {
      yield { type: "ERROR", object: apiError("Expired", `too old resource version: ${at} (${compacted})`).status };
      return;
    }
    for (;;) {
      for (const change of history.filter((item) => item.revision > at)) {
        at = change.revision;
        if (change.collection === collection && (namespace === "" || change.namespace === namespace)) yield change.frame;
      }
      if (request.signal?.aborted === true || epoch !== born) return;
      if (history.at(-1)?.revision !== undefined && (history.at(-1)?.revision ?? 0) > at) continue;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          watchers.delete(wake);
          request.signal?.removeEventListener("abort", wake);
          resolve();
        };
        watchers.add(wake);
        request.signal?.addEventListener("abort", wake, { once: true });
      });
    }
  }

  const handle = (request: ApiRequest): ApiReply => {
    const { path, method, body } = request;
    const target = parsePath(path);
    const ok = (object: unknown): ApiReply => ({ code: method === "POST" ? 201 : 200, object });
    if (target.name === "") {
      if (method === "POST") return ok(create(path, body as ApiObject));
      if (method === "DELETE") {
        for (const key of [...objects.keys()]) if (inScope(key, target.collection, target.namespace)) remove(key, undefined);
        return ok({});
      }
      if (request.query["watch"] === "true") return { code: 200, frames: watch(request, target.collection, target.namespace) };
      const items = [...objects].filter(([key]) => inScope(key, target.collection, target.namespace)).map(([, object]) => object);
      return ok({ metadata: { resourceVersion: String(revision) }, items });
    }
    const key = target.subresource === "" ? path : path.slice(0, -target.subresource.length - 1);
    switch (method) {
      case "GET":
        return ok(existing(key));
      case "PUT":
        return ok(replace(key, body as ApiObject, target.subresource));
      case "PATCH": {
        const patch = (
          target.subresource === "status"
            ? { status: (body as JsonObject)["status"], metadata: (body as JsonObject)["metadata"] }
            : body
        ) as JsonObject;
        return ok(replace(key, mergePatch(existing(key), patch) as ApiObject, ""));
      }
      case "DELETE":
        return ok(remove(key, body as { preconditions?: { uid?: string } }));
      default:
        throw apiError("MethodNotAllowed", `${method} is not supported`);
    }
  };

  const api: FakeApi = {
    requests,
    before: () => undefined,
    after: () => {},
    send: async (request) => {
      requests.push(request);
      request.signal?.throwIfAborted();
      try {
        const refusal = await api.before(request);
        if (refusal !== undefined) throw refusal;
        const reply = handle(request);
        if (request.method !== "GET") api.after(request);
        return reply;
      } catch (error) {
        if (error instanceof ApiError) return { code: error.code, object: error.status };
        throw error;
      }
    },
    put: <T extends ApiObject>(type: ResourceType<T>, object: T) => {
      const key = objectPath(type, { namespace: object.metadata.namespace, name: object.metadata.name ?? "" });
      const old = objects.get(key);
      if (old === undefined) return create(key.slice(0, key.lastIndexOf("/")), object) as Stored<T>;
      const kept = {
        uid: old.metadata.uid,
        creationTimestamp: old.metadata.creationTimestamp,
        generation: old.metadata.generation,
      };
      return commit(key, { ...object, metadata: { ...kept, ...object.metadata } }, "MODIFIED") as Stored<T>;
    },
    remove: (type, ref) => void commit(objectPath(type, ref), undefined, "DELETED"),
    peek: <T extends ApiObject>(type: ResourceType<T>, ref: { namespace?: string; name: string }) =>
      objects.get(objectPath(type, ref)) as Stored<T> | undefined,
    all: <T extends ApiObject>(type: ResourceType<T>, namespace?: string) => {
      const { collection } = parsePath(objectPath(type, { name: "any" }));
      return [...objects].filter(([key]) => inScope(key, collection, namespace ?? "")).map(([, object]) => object as Stored<T>);
    },
    endWatches: () => {
      epoch++;
      const old = watchers;
      watchers = new Set();
      for (const wake of [...old]) wake();
    },
    compact: () => {
      compacted = revision;
      history = [];
    },
    [Symbol.asyncDispose]: async () => api.endWatches(),
  };
  return api;
}

interface Target {
  /** Without the namespace: "/api/v1/pods". */
  readonly collection: string;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
}

function parsePath(path: string): Target {
  const parts = path.split("/").slice(1);
  const root = parts.splice(0, parts[0] === "api" ? 2 : 3).join("/");
  let namespace = "";
  if (parts[0] === "namespaces" && parts.length > 2 && parts[2] !== "status" && parts[2] !== "finalize")
    namespace = parts.splice(0, 2)[1] ?? "";
  const [plural = "", name = "", subresource = ""] = parts;
  return { collection: `/${root}/${plural}`, namespace, name, subresource };
}

function nameOf(path: string): { group: string; plural: string } {
  const { collection } = parsePath(path);
  const parts = collection.split("/");
  return { group: parts[1] === "apis" ? (parts[2] ?? "") : "", plural: parts.at(-1) ?? "" };
}

/** RFC 7386; lists are replaced, also for strategic patches. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const result: Meta = typeof target === "object" && target !== null && !Array.isArray(target) ? { ...(target as Meta) } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (value !== undefined) result[key] = mergePatch(result[key], value);
  }
  return result;
}

const timestamp = (clock: Clock): string => `${new Date(clock.now()).toISOString().slice(0, 19)}Z`;
