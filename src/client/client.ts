// The door: all that a component may know of the cluster.
import type { ApiObject, DeleteOptions, JsonObject, ResourceType, Stored } from "#api";
import type { ApiReply, ApiRequest } from "./transport.ts";

export interface ObjectRef {
  /** Absent for cluster-scoped resources. */
  readonly namespace?: string;
  readonly name: string;
}

export interface ListOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: "Exact" | "NotOlderThan";
  readonly signal?: AbortSignal;
}

export interface ObjectList<T extends ApiObject> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string; readonly remainingItemCount?: number };
  readonly items: readonly Stored<T>[];
}

export interface WatchOptions extends Omit<ListOptions, "limit" | "continue"> {
  readonly allowBookmarks?: boolean;
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds?: number;
}

/** An ERROR frame is thrown as ApiError by the iterator (410 Expired: list again). */
export type WatchEvent<T extends ApiObject> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: Stored<T> }
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string; readonly initialEventsEnd: boolean };

export interface WriteOptions {
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  readonly fieldValidation?: "Strict" | "Warn" | "Ignore";
  /** "status", "scale", "binding", ... */
  readonly subresource?: string;
  readonly signal?: AbortSignal;
}

export type Patch =
  | { readonly type: "merge" | "strategic"; readonly body: JsonObject }
  | { readonly type: "json"; readonly body: readonly JsonObject[] };

/**
 * Every method throws ApiError with upstream's reason. Objects returned are shared: never change them, copy with spread.
 * Nothing is retried here except what is safe by HTTP (a GET on a connection that was closed before it was sent).
 */
export interface Client {
  get<T extends ApiObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    options?: { resourceVersion?: string; signal?: AbortSignal },
  ): Promise<Stored<T>>;
  list<T extends ApiObject>(type: ResourceType<T>, options?: ListOptions): Promise<ObjectList<T>>;
  /** Ends when the server ends it (time-out) or the signal aborts; the caller resumes from the last resourceVersion it saw. */
  watch<T extends ApiObject>(type: ResourceType<T>, options?: WatchOptions): AsyncIterable<WatchEvent<T>>;
  /** The namespace is the object's. */
  create<T extends ApiObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<Stored<T>>;
  update<T extends ApiObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<Stored<T>>;
  patch<T extends ApiObject>(type: ResourceType<T>, ref: ObjectRef, patch: Patch, options?: WriteOptions): Promise<Stored<T>>;
  /** Server-side apply. */
  apply<T extends ApiObject>(
    type: ResourceType<T>,
    object: T,
    options: WriteOptions & { fieldManager: string; force?: boolean },
  ): Promise<Stored<T>>;
  delete<T extends ApiObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    options?: DeleteOptions & { signal?: AbortSignal },
  ): Promise<unknown>;
  deleteCollection<T extends ApiObject>(type: ResourceType<T>, options?: ListOptions & { delete?: DeleteOptions }): Promise<void>;
  /** POST of another kind to a subresource: pods/binding, pods/eviction, serviceaccounts/token. Returns what the server answers. */
  createSubresource<T extends ApiObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    subresource: string,
    body: unknown,
    options?: WriteOptions,
  ): Promise<unknown>;
  /** Anything else, such as /version or a resource known only at run time. Throws ApiError from 400 on. */
  send(request: ApiRequest): Promise<ApiReply>;
}
