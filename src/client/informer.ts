// Informers: a local copy of a resource, kept by one list and one watch. (Contract; the implementation is in reflector.ts.)
import type { ApiObject, ResourceType, Stored } from "#api";
import type { ListOptions } from "./client.ts";

export interface InformerHandler<T extends ApiObject> {
  added?(object: Stored<T>): void;
  updated?(object: Stored<T>, before: Stored<T>): void;
  /** `object` is the last state seen. */
  deleted?(object: Stored<T>): void;
}

export interface Lister<T extends ApiObject> {
  /** By "namespace/name", or "name". */
  get(key: string): Stored<T> | undefined;
  list(namespace?: string): readonly Stored<T>[];
  /** Objects for which the named index function gave this value. "owner" (controller uid) and "namespace" always exist. */
  byIndex(index: string, value: string): readonly Stored<T>[];
}

export interface Informer<T extends ApiObject> extends Lister<T> {
  readonly type: ResourceType<T>;
  /** Resolves when the first list is in. */
  readonly synced: Promise<void>;
  readonly hasSynced: boolean;
  /** The resourceVersion that this cache has reached ("" before the first list). Comparable as integers (KEP-5504). */
  readonly resourceVersion: string;
  /** Handlers added later get `added` for what is there. They run synchronously and must not throw; they only enqueue keys. */
  addHandler(handler: InformerHandler<T>): Disposable;
  addIndex(name: string, values: (object: Stored<T>) => readonly string[]): void;
  /** Resolves when this cache has seen `resourceVersion` or a later one: how a controller waits for its own writes. */
  reached(resourceVersion: string, signal?: AbortSignal): Promise<void>;
}

/** One informer per resource (and selector) of a process. `start` begins those asked for so far; later ones begin when asked for. */
export interface InformerFactory extends AsyncDisposable {
  informer<T extends ApiObject>(
    type: ResourceType<T>,
    options?: Pick<ListOptions, "namespace" | "labelSelector" | "fieldSelector">,
  ): Informer<T>;
  start(): void;
  /** Resolves when every informer asked for has synced. */
  synced(signal?: AbortSignal): Promise<void>;
}
