// The watch cache of one resource: every object by key, the latest changes, and who watches them (D7).
import sortedBtree from "sorted-btree";
import type { ApiObject, Stored } from "#api";
import type { KeyValue, StoreEvent } from "#store";
import { Entry, type ParsedCache, type Sidecar } from "./entry.ts";
import { parseStored, type StoredForm, servedBytes, withResourceVersion, withRevision } from "./stored-bytes.ts";
import { type CacheEvent, CacheWatcher, type WatcherOptions } from "./watcher.ts";

const { default: BTree } = sortedBtree;
const ringCapacity = 10_000;

export interface ResourceCacheOptions {
  readonly form: StoredForm;
  /** Store prefix with its final slash. */
  readonly prefix: string;
  readonly parsed: ParsedCache;
  readonly selectableFields: (object: ApiObject) => Readonly<Record<string, string>>;
  /** Objects that this process has just written, by the bytes that it gave to the store. */
  readonly written: WeakMap<Buffer, ApiObject>;
  /** Asks for one flush later in this turn. */
  readonly wantFlush: (cache: ResourceCache) => void;
}

type ChangeListener = (object: Stored<ApiObject>, event: "ADDED" | "MODIFIED" | "DELETED") => void;

export class ResourceCache {
  readonly form: StoredForm;
  readonly prefix: string;
  readonly #options: ResourceCacheOptions;
  readonly #entries = new BTree<string, Entry>(undefined, sortedBtree.simpleComparator);
  readonly #watchers = new Set<CacheWatcher>();
  readonly #listeners = new Set<ChangeListener>();
  #ring: CacheEvent[] = [];
  /** Changes up to this revision may be missing from the ring. */
  #ringStart: number;
  #lastChange: number;
  #unflushed = 0;

  constructor(options: ResourceCacheOptions, revision: number) {
    this.#options = options;
    this.form = options.form;
    this.prefix = options.prefix;
    this.#ringStart = revision;
    this.#lastChange = revision;
  }

  /** Starts afresh: everything up to this revision comes by `load`. */
  begin(revision: number): void {
    this.#entries.clear();
    this.#ring = [];
    this.#unflushed = 0;
    this.#ringStart = revision;
    this.#lastChange = revision;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Nothing of this resource has changed after this revision. */
  get lastChange(): number {
    return this.#lastChange;
  }

  get watcherCount(): number {
    return this.#watchers.size;
  }

  /** Takes an object in without telling anybody: the first load. */
  load(kv: KeyValue): void {
    this.#entries.set(kv.key, this.entryOf(kv));
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  /** Entries in key order from `from` (inclusive), while their keys begin with `prefix`. */
  *range(prefix: string, from = prefix): IterableIterator<Entry> {
    for (const [key, entry] of this.#entries.entries(from < prefix ? prefix : from)) {
      if (!key.startsWith(prefix)) return;
      yield entry;
    }
  }

  /** All entries whose keys begin with `prefix`, in key order. */
  select(prefix: string, matches?: (entry: Entry) => boolean): Entry[] {
    const found: Entry[] = [];
    this.#entries.forRange(prefix, `${prefix}\uffff`, false, (_key, entry) => {
      if (matches === undefined || matches(entry)) found.push(entry);
    });
    return found;
  }

  entryOf(kv: KeyValue): Entry {
    const bytes = servedBytes(this.form, kv);
    const written = this.#options.written.get(kv.value);
    // It is asked for once; the entry keeps the object from now on, and forgets it one day.
    if (written !== undefined) this.#options.written.delete(kv.value);
    const object = written === undefined ? parseStored(bytes) : withResourceVersion(written, kv.modRevision);
    return new Entry(kv.key, bytes, kv.modRevision, this.#sidecarOf(object), this.#options.parsed, object);
  }

  /** The last state of an object with the revision of its deletion: what a DELETED event and the answer to a DELETE show. */
  entryGone(last: Entry, revision: number): Entry {
    return new Entry(last.key, withRevision(this.form, last.bytes, revision), revision, last.sidecar, this.#options.parsed);
  }

  /** A durable change, in order. */
  apply(event: StoreEvent): void {
    const { kv } = event;
    const previous = this.#entries.get(kv.key);
    let change: CacheEvent;
    if (event.type === "put") {
      const entry = this.entryOf(kv);
      this.#entries.set(kv.key, entry);
      change = this.#change(previous === undefined ? "ADDED" : "MODIFIED", entry, previous, kv.modRevision);
    } else {
      if (previous === undefined) return;
      this.#entries.delete(kv.key);
      change = this.#change("DELETED", previous, previous, kv.modRevision);
    }
    this.#lastChange = kv.modRevision;
    this.#ring.push(change);
    if (this.#ring.length >= 2 * ringCapacity) {
      const dropped = this.#ring.length - ringCapacity;
      this.#ringStart = (this.#ring[dropped - 1] as CacheEvent).revision; // dropped >= 1
      this.#unflushed = Math.max(0, this.#unflushed - dropped);
      if (this.#unflushed === 0) this.flush();
      this.#ring = this.#ring.slice(dropped);
    }
    for (const listener of this.#listeners)
      listener(change.type === "DELETED" ? change.gone().parse() : change.entry.parse(), change.type);
    if (this.#watchers.size > 0) this.#options.wantFlush(this);
    else this.#unflushed = this.#ring.length;
  }

  /** Tells the watchers of every change since the last flush. */
  flush(): void {
    const ring = this.#ring;
    const from = this.#unflushed;
    this.#unflushed = ring.length;
    for (const watcher of this.#watchers) {
      for (let i = from; i < ring.length; i++) watcher.offer(ring[i] as CacheEvent); // i < length
      watcher.flush();
    }
  }

  bookmark(revision: number): void {
    this.flush();
    for (const watcher of this.#watchers) {
      watcher.bookmark(revision);
      watcher.flush();
    }
  }

  /** Undefined: changes since `since` are no longer all known ("410 Expired"). */
  watch(options: WatcherOptions, revision: number): CacheWatcher | undefined {
    if (options.since < this.#ringStart) return undefined;
    const watcher = new CacheWatcher(options, revision, (left) => this.#watchers.delete(left));
    const first = firstAfter(this.#ring, options.since);
    for (let i = first; i < this.#ring.length; i++) watcher.offer(this.#ring[i] as CacheEvent); // i < length
    if (watcher.ended === undefined) this.#watchers.add(watcher);
    return watcher;
  }

  /** The oldest revision from which a watch can start. */
  get oldestWatchable(): number {
    return this.#ringStart;
  }

  onChange(listener: ChangeListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  endWatches(): void {
    for (const watcher of [...this.#watchers]) watcher.end("closed");
  }

  /** Every watch must list again: the store lost the thread (compaction, a new connection). */
  expireWatches(): void {
    for (const watcher of [...this.#watchers]) watcher.end("expired");
  }

  #change(type: CacheEvent["type"], entry: Entry, previous: Entry | undefined, revision: number): CacheEvent {
    let gone: Entry | undefined;
    return {
      type,
      entry,
      previous,
      revision,
      gone: () => {
        const last = previous ?? entry;
        gone ??= new Entry(last.key, withRevision(this.form, last.bytes, revision), revision, last.sidecar, this.#options.parsed);
        return gone;
      },
    };
  }

  #sidecarOf(object: ApiObject): Sidecar {
    const { metadata } = object;
    return {
      namespace: metadata.namespace ?? "",
      name: metadata.name ?? "",
      uid: metadata.uid ?? "",
      labels: metadata.labels,
      fields: this.#options.selectableFields(object),
    };
  }
}

/** Index of the first event with a greater revision. */
function firstAfter(ring: readonly CacheEvent[], revision: number): number {
  let low = 0;
  let high = ring.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ring[middle] as CacheEvent).revision <= revision)
      low = middle + 1; // middle < length
    else high = middle;
  }
  return low;
}
