// The local copy behind an informer: objects by key, indexes, handlers, and who waits for which resourceVersion.
import { type ApiObject, objectKey, type Stored } from "#api";
import type { InformerHandler } from "./informer.ts";
import { compareResourceVersions } from "./resource-version.ts";

interface Index<T extends ApiObject> {
  readonly values: (object: Stored<T>) => readonly string[];
  readonly entries: Map<string, Map<string, Stored<T>>>;
}

interface Waiter {
  readonly resourceVersion: string;
  readonly resolve: () => void;
}

/** Order is deterministic everywhere: objects in the order in which they first came. */
export class InformerCache<T extends ApiObject> {
  readonly #objects = new Map<string, Stored<T>>();
  readonly #indexes = new Map<string, Index<T>>();
  readonly #handlers = new Set<InformerHandler<T>>();
  readonly #waiters = new Set<Waiter>();
  #resourceVersion = "";

  constructor() {
    this.addIndex("namespace", (object) => [object.metadata.namespace ?? ""]);
    this.addIndex("owner", (object) => {
      const owner = object.metadata.ownerReferences?.find((reference) => reference.controller === true);
      return owner === undefined ? [] : [owner.uid];
    });
  }

  get resourceVersion(): string {
    return this.#resourceVersion;
  }

  get(key: string): Stored<T> | undefined {
    return this.#objects.get(key);
  }

  list(namespace?: string): readonly Stored<T>[] {
    return namespace === undefined ? [...this.#objects.values()] : this.byIndex("namespace", namespace);
  }

  byIndex(name: string, value: string): readonly Stored<T>[] {
    const index = this.#indexes.get(name);
    if (index === undefined) throw new Error(`Cannot look up index "${name}": it was never added`);
    const entries = index.entries.get(value);
    return entries === undefined ? [] : [...entries.values()];
  }

  addIndex(name: string, values: (object: Stored<T>) => readonly string[]): void {
    if (this.#indexes.has(name)) return;
    const index: Index<T> = { values, entries: new Map() };
    this.#indexes.set(name, index);
    for (const [key, object] of this.#objects) insert(index, key, object);
  }

  addHandler(handler: InformerHandler<T>): Disposable {
    this.#handlers.add(handler);
    for (const object of this.#objects.values()) handler.added?.(object);
    return { [Symbol.dispose]: () => void this.#handlers.delete(handler) };
  }

  /** Applies one watch event. */
  apply(type: "ADDED" | "MODIFIED" | "DELETED", object: Stored<T>): void {
    const key = objectKey(object);
    if (type === "DELETED") this.#remove(key, object);
    else this.#put(key, object);
    this.advance(object.metadata.resourceVersion);
  }

  /** Makes the cache equal to a fresh list; what is missing there was deleted while nobody watched. */
  replace(objects: readonly Stored<T>[], resourceVersion: string): void {
    const keys = new Set<string>();
    for (const object of objects) keys.add(objectKey(object));
    for (const [key, object] of [...this.#objects]) if (!keys.has(key)) this.#remove(key, object);
    for (const object of objects) this.#put(objectKey(object), object);
    this.advance(resourceVersion);
  }

  advance(resourceVersion: string): void {
    if (compareResourceVersions(resourceVersion, this.#resourceVersion) <= 0) return;
    this.#resourceVersion = resourceVersion;
    for (const waiter of this.#waiters) {
      if (compareResourceVersions(waiter.resourceVersion, resourceVersion) > 0) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }

  /** The server lost its history and counts anew (a restored backup): the next list may have a smaller resourceVersion. */
  forgetResourceVersion(): void {
    this.#resourceVersion = "";
  }

  reached(resourceVersion: string, signal?: AbortSignal): Promise<void> {
    if (compareResourceVersions(resourceVersion, this.#resourceVersion) <= 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error);
      const onAbort = (): void => {
        this.#waiters.delete(waiter);
        reject(signal?.reason as Error);
      };
      const waiter: Waiter = {
        resourceVersion,
        resolve: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      this.#waiters.add(waiter);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  #put(key: string, object: Stored<T>): void {
    const before = this.#objects.get(key);
    if (before !== undefined && before.metadata.uid !== object.metadata.uid) {
      // Deleted and created again under the same name while nobody watched: two objects, so two events.
      this.#remove(key, before);
      this.#put(key, object);
      return;
    }
    if (before !== undefined && before.metadata.resourceVersion === object.metadata.resourceVersion) return;
    this.#objects.set(key, object);
    for (const index of this.#indexes.values()) {
      if (before === undefined) insert(index, key, object);
      else reinsert(index, key, before, object);
    }
    for (const handler of this.#handlers) {
      if (before === undefined) handler.added?.(object);
      else handler.updated?.(object, before);
    }
  }

  #remove(key: string, last: Stored<T>): void {
    const before = this.#objects.get(key);
    if (before === undefined) return;
    this.#objects.delete(key);
    for (const index of this.#indexes.values()) withdraw(index, key, index.values(before));
    for (const handler of this.#handlers) handler.deleted?.(last);
  }
}

function insert<T extends ApiObject>(index: Index<T>, key: string, object: Stored<T>): void {
  for (const value of index.values(object)) {
    const entries = index.entries.get(value);
    if (entries === undefined) index.entries.set(value, new Map([[key, object]]));
    else entries.set(key, object);
  }
}

function reinsert<T extends ApiObject>(index: Index<T>, key: string, before: Stored<T>, object: Stored<T>): void {
  const values = index.values(object);
  withdraw(
    index,
    key,
    index.values(before).filter((value) => !values.includes(value)),
  );
  insert(index, key, object);
}

function withdraw<T extends ApiObject>(index: Index<T>, key: string, values: readonly string[]): void {
  for (const value of values) {
    const entries = index.entries.get(value);
    entries?.delete(key);
    if (entries?.size === 0) index.entries.delete(value);
  }
}
