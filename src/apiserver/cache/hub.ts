// All watch caches, fed by one watch of the store: every cache is at the same revision at every moment.

import type { ApiObject } from "#api";
import { type Clock, every, type Log, type Timer } from "#base";
import { prefixEnd, type Store, type StoreWatch, type WatchBatch } from "#store";
import { registryPrefix } from "../registry/storage-keys.ts";
import { ParsedCache } from "./entry.ts";
import { ResourceCache, type ResourceCacheOptions } from "./resource-cache.ts";

const bookmarkPeriodMs = 60_000;
const retryMs = 1_000;

export class CacheHub implements AsyncDisposable {
  readonly written = new WeakMap<Buffer, ApiObject>();
  readonly #store: Store;
  readonly #log: Log;
  readonly #clock: Clock;
  #closed = false;
  #retry: Timer | undefined;
  readonly #parsed: ParsedCache;
  readonly #caches = new Map<string, ResourceCache>();
  readonly #dirty = new Set<ResourceCache>();
  readonly #bookmarks: Timer;
  #revision = 0;
  #watch: StoreWatch | undefined;
  #flushing = false;
  #waiting: { readonly revision: number; readonly resolve: () => void }[] = [];

  constructor(options: { store: Store; clock: Clock; log: Log; freeze?: boolean; parsedCapacity?: number }) {
    this.#store = options.store;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#parsed = new ParsedCache({
      ...(options.parsedCapacity === undefined ? {} : { capacity: options.parsedCapacity }),
      freeze: options.freeze ?? false,
    });
    this.#bookmarks = every(options.clock, bookmarkPeriodMs, () => {
      for (const cache of this.#caches.values()) cache.bookmark(this.#revision);
    });
  }

  /** The revision that every cache has reached. */
  get revision(): number {
    return this.#revision;
  }

  get caches(): Iterable<ResourceCache> {
    return this.#caches.values();
  }

  /** Adds a cache; after `start` it is loaded at once (custom resources). */
  async add(options: Pick<ResourceCacheOptions, "form" | "prefix" | "selectableFields">): Promise<ResourceCache> {
    const cache = this.declare(options);
    if (this.#watch !== undefined) {
      const found = await this.#store.range(cache.prefix, { end: prefixEnd(cache.prefix), revision: this.#revision });
      for (const kv of found.kvs) if (cache.get(kv.key) === undefined) cache.load(kv);
    }
    return cache;
  }

  /** Adds a cache before `start`. */
  declare(options: Pick<ResourceCacheOptions, "form" | "prefix" | "selectableFields">): ResourceCache {
    const cache = new ResourceCache(
      { ...options, parsed: this.#parsed, written: this.written, wantFlush: (dirty) => this.#wantFlush(dirty) },
      this.#revision,
    );
    this.#caches.set(options.prefix, cache);
    return cache;
  }

  remove(cache: ResourceCache): void {
    this.#caches.delete(cache.prefix);
    cache.endWatches();
  }

  /** Loads everything and follows the store from there. */
  async start(): Promise<void> {
    await this.#watch?.[Symbol.asyncDispose]();
    const end = prefixEnd(registryPrefix);
    const found = await this.#store.range(registryPrefix, { end });
    this.#revision = found.revision;
    for (const cache of this.#caches.values()) cache.begin(found.revision);
    for (const kv of found.kvs) this.#guarded(kv.key, (cache) => cache.load(kv));
    this.#wake();
    this.#watch = await this.#store.watch({ key: registryPrefix, end, startRevision: found.revision + 1 }, (batch) =>
      this.#deliver(batch),
    );
    if (this.#waiting.length > 0) this.#watch.requestProgress(); // those who asked the last watch
    void this.#watch.closed.then((why) => {
      if (why === undefined || this.#closed) return;
      this.#log.warn("the store ended the watch; loading everything again", { error: why.message });
      this.#again();
    });
  }

  /** Watchers must list again: what happened in between is not known. */
  #again(): void {
    for (const cache of this.#caches.values()) cache.expireWatches();
    this.start().catch((error: unknown) => {
      this.#log.error("cannot read the store", { error: String(error) });
      this.#retry = this.#clock.after(retryMs, () => this.#again());
    });
  }

  /** Resolves when every cache has reached `revision`, or with false after the signal aborts. */
  async reached(revision: number, signal?: AbortSignal): Promise<boolean> {
    if (this.#revision >= revision) return true;
    if (signal?.aborted) return false;
    return await new Promise<boolean>((resolve) => {
      const waiter = { revision, resolve: () => resolve(true) };
      this.#waiting.push(waiter);
      signal?.addEventListener(
        "abort",
        () => {
          this.#waiting = this.#waiting.filter((other) => other !== waiter);
          resolve(false);
        },
        { once: true },
      );
      this.#watch?.requestProgress();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    this.#bookmarks.cancel();
    for (const cache of this.#caches.values()) cache.endWatches();
    await this.#watch?.[Symbol.asyncDispose]();
  }

  #deliver(batch: WatchBatch): void {
    for (const event of batch.events) this.#guarded(event.kv.key, (cache) => cache.apply(event));
    this.#revision = Math.max(this.#revision, batch.revision);
    this.#wake();
  }

  #wake(): void {
    if (this.#waiting.length === 0) return;
    const due = this.#waiting.filter((waiter) => waiter.revision <= this.#revision);
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter((waiter) => waiter.revision > this.#revision);
    for (const waiter of due) waiter.resolve();
  }

  /** A value that cannot be read (a foreign hand wrote it) must not take the others with it: it is left out, and the log says so. */
  #guarded(key: string, take: (cache: ResourceCache) => void): void {
    const cache = this.#cacheOf(key);
    if (cache === undefined) return;
    try {
      take(cache);
    } catch (error) {
      this.#log.error("cannot take a stored object into the watch cache", { key, error: String(error) });
    }
  }

  /** The prefix is the key's first segment, or its first two (services/specs, a custom resource's group and plural). */
  #cacheOf(key: string): ResourceCache | undefined {
    const first = key.indexOf("/", registryPrefix.length);
    if (first < 0) return undefined;
    const cache = this.#caches.get(key.slice(0, first + 1));
    if (cache !== undefined) return cache;
    const second = key.indexOf("/", first + 1);
    return second < 0 ? undefined : this.#caches.get(key.slice(0, second + 1));
  }

  #wantFlush(cache: ResourceCache): void {
    this.#dirty.add(cache);
    if (this.#flushing) return;
    this.#flushing = true;
    // A turn later: whoever wrote gets the answer first, and watchers take what several commits brought.
    setImmediate(() => {
      this.#flushing = false;
      const dirty = [...this.#dirty];
      this.#dirty.clear();
      for (const one of dirty) one.flush();
    });
  }
}
