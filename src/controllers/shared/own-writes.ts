// Remembers what a controller wrote until its caches show it, so that no decision is made on a copy from before (D9; upstream's timed expectations miss this).
import { ApiError, type ApiObject, type ResourceType, type Stored } from "#api";
import { type Client, compareResourceVersions, type Informer } from "#client";

export class OwnWrites<T extends ApiObject> {
  readonly #informer: Informer<T>;
  readonly #client: Client;
  readonly #type: ResourceType<T>;
  readonly #floor = new Map<string, string>();
  readonly #deleted = new Map<string, Set<string>>();
  readonly #unsure = new Set<string>();

  constructor(options: { readonly informer: Informer<T>; readonly client: Client; readonly type: ResourceType<T> }) {
    this.#informer = options.informer;
    this.#client = options.client;
    this.#type = options.type;
  }

  /** Resolves when the cache shows every write noted under this key. Call it before reading the cache. */
  async settled(key: string, signal?: AbortSignal): Promise<void> {
    if (this.#unsure.has(key)) {
      await this.#makeSure(key, signal);
    }
    const floor = this.#floor.get(key);
    if (floor === undefined) return;
    await this.#informer.reached(floor, signal);
    if (this.#floor.get(key) === floor) this.#floor.delete(key);
  }

  wrote(key: string, object: Stored<ApiObject>): void {
    this.#raise(key, object.metadata.resourceVersion);
  }

  /** The object with this uid was deleted, or will be: it no longer counts, whatever the cache says. */
  deleted(key: string, uid: string): void {
    const uids = this.#deleted.get(key);
    if (uids === undefined) this.#deleted.set(key, new Set([uid]));
    else uids.add(uid);
  }

  /** The deletion was refused: the object counts again. */
  notDeleted(key: string, uid: string): void {
    this.#deleted.get(key)?.delete(uid);
  }

  /** Splits the cached objects of a key into those that live and those whose deletion the cache does not show yet. */
  living(
    key: string,
    objects: readonly Stored<T>[],
  ): { readonly living: readonly Stored<T>[]; readonly dying: readonly Stored<T>[] } {
    const uids = this.#deleted.get(key);
    if (uids === undefined || uids.size === 0) return { living: objects, dying: [] };
    const dying = objects.filter(({ metadata }) => uids.has(metadata.uid) && metadata.deletionTimestamp === undefined);
    const awaited = new Set(dying.map(({ metadata }) => metadata.uid));
    for (const uid of uids) if (!awaited.has(uid)) uids.delete(uid);
    return { living: objects.filter(({ metadata }) => !awaited.has(metadata.uid)), dying };
  }

  /** A write failed in a way that does not say whether it was done: nothing is decided until the cache has seen the present. */
  unsure(key: string): void {
    this.#unsure.add(key);
  }

  forget(key: string): void {
    this.#floor.delete(key);
    this.#deleted.delete(key);
    this.#unsure.delete(key);
  }

  // The list's own resourceVersion would do as well, but a cache reaches that of another resource's write only with the next bookmark.
  async #makeSure(key: string, signal?: AbortSignal): Promise<void> {
    const namespace = key.includes("/") ? key.slice(0, key.indexOf("/")) : undefined;
    const { items } = await this.#client.list(this.#type, { namespace, signal });
    const uids = this.#deleted.get(key);
    for (const { metadata } of items) {
      this.#raise(key, metadata.resourceVersion);
      if (metadata.deletionTimestamp === undefined) uids?.delete(metadata.uid);
    }
    this.#unsure.delete(key);
  }

  #raise(key: string, resourceVersion: string): void {
    const floor = this.#floor.get(key);
    if (floor === undefined || compareResourceVersions(floor, resourceVersion) < 0) this.#floor.set(key, resourceVersion);
  }
}

/** True when the server certainly did not do what it was asked. */
export const wasRefused = (error: unknown): boolean => error instanceof ApiError && error.code < 500;

/** A create in a namespace that is being deleted; retrying is pointless. */
export const isNamespaceTerminating = (error: unknown): boolean =>
  error instanceof ApiError && (error.status.details?.causes ?? []).some(({ reason }) => reason === "NamespaceTerminating");
