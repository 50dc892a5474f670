// Hands committed revisions to watchers: synchronously, whole revisions, in order, each event once.
import type { Key, Revision, StoreEvent, StoreWatch, WatchBatch, WatchRequest } from "../store.ts";
import { WatchCancelled } from "../store.ts";
import { inInterval, interval } from "./range.ts";
import type { Change, LogEntry, Version } from "./state.ts";

/** Watches of the same range share the search for their events. */
interface Group {
  readonly start: Key;
  readonly end: Key | undefined;
  readonly watches: Set<Watch>;
}

export class WatchHub {
  readonly #single = new Map<Key, Group>();
  readonly #ranges = new Map<string, Group>();
  readonly #queue: (() => void)[] = [];
  #draining = false;
  /** Everything up to here has been handed out. */
  #delivered: Revision;

  constructor(revision: Revision) {
    this.#delivered = revision;
  }

  /** Watches that are served as things happen. */
  get live(): number {
    let count = 0;
    for (const groups of [this.#single, this.#ranges]) for (const group of groups.values()) count += group.watches.size;
    return count;
  }

  /** Watches that are still being brought up to the present. */
  slow = 0;
  /** Handed out so far. */
  events = 0;

  /** A watch that gets nothing before `start()`. */
  open(request: WatchRequest, deliver: (batch: WatchBatch) => void): Watch {
    this.slow++;
    return new Watch(this, request, deliver);
  }

  /** Adds a watch to the live ones; it gets revisions from `next` on. */
  join(watch: Watch): void {
    const groups: Map<string, Group> = watch.request.end === undefined ? this.#single : this.#ranges;
    let group = groups.get(watch.groupKey);
    if (group === undefined) {
      group = { ...interval(watch.request.key, watch.request.end), watches: new Set() };
      groups.set(watch.groupKey, group);
    }
    group.watches.add(watch);
  }

  leave(watch: Watch): void {
    const groups: Map<string, Group> = watch.request.end === undefined ? this.#single : this.#ranges;
    const group = groups.get(watch.groupKey);
    if (group?.watches.delete(watch) && group.watches.size === 0) groups.delete(watch.groupKey);
  }

  /** Delivers consecutive revisions that are durable. Called again from inside a delivery, it waits its turn. */
  publish(entries: readonly LogEntry[]): void {
    if (entries.length > 0) this.#run(() => this.#deliver(entries));
  }

  progress(watch: Watch): void {
    this.#run(() => watch.progress(this.#delivered));
  }

  /** Ends every watch, with the reason if there is one. */
  close(reason?: WatchCancelled): void {
    for (const groups of [this.#single, this.#ranges]) {
      for (const group of [...groups.values()]) for (const watch of [...group.watches]) watch.end(reason);
    }
  }

  #run(task: () => void): void {
    this.#queue.push(task);
    if (this.#draining) return;
    this.#draining = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next();
    } finally {
      this.#draining = false;
    }
  }

  #deliver(entries: readonly LogEntry[]): void {
    const revision = (entries[entries.length - 1] as LogEntry).revision; // publish() refuses an empty list
    const byGroup = new Map<Group, LogEntry[]>();
    for (const entry of entries) {
      for (const change of entry.changes) {
        const { key } = change.version;
        const single = this.#single.get(key);
        if (single !== undefined) collect(byGroup, single, entry, change);
        for (const group of this.#ranges.values())
          if (inInterval(key, group.start, group.end)) collect(byGroup, group, entry, change);
      }
    }
    this.#delivered = revision;
    for (const [group, matching] of byGroup) for (const watch of [...group.watches]) watch.offer(matching, revision);
  }
}

/** Appends a change to what a group gets, keeping revisions whole. */
function collect(byGroup: Map<Group, LogEntry[]>, group: Group, entry: LogEntry, change: Change): void {
  let entries = byGroup.get(group);
  if (entries === undefined) {
    entries = [];
    byGroup.set(group, entries);
  }
  if (entry.changes.length === 1) {
    entries.push(entry);
    return;
  }
  const last = entries[entries.length - 1];
  if (last !== undefined && last.revision === entry.revision) (last.changes as Change[]).push(change);
  else entries.push({ revision: entry.revision, changes: [change] });
}

export class Watch implements StoreWatch {
  readonly request: WatchRequest;
  readonly groupKey: string;
  readonly closed: Promise<WatchCancelled | undefined>;
  /** The first revision not yet offered. */
  next: Revision;
  readonly #hub: WatchHub;
  readonly #deliver: (batch: WatchBatch) => void;
  readonly #resolve: (reason: WatchCancelled | undefined) => void;
  #ended = false;
  #live = false;
  #progressWanted = false;

  constructor(hub: WatchHub, request: WatchRequest, deliver: (batch: WatchBatch) => void) {
    this.#hub = hub;
    this.request = request;
    this.groupKey = request.end === undefined ? request.key : `${request.key.length}:${request.key}${request.end}`;
    this.#deliver = deliver;
    this.next = request.startRevision ?? 0;
    const { promise, resolve } = Promise.withResolvers<WatchCancelled | undefined>();
    this.closed = promise;
    this.#resolve = resolve;
    request.signal?.addEventListener("abort", () => this.end(), { once: true });
    if (request.signal?.aborted) this.end();
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Makes it live: it gets revisions from `next` on as they are published. */
  start(next: Revision): void {
    if (this.#ended || this.#live) return;
    this.next = Math.max(this.next, next);
    this.#live = true;
    this.#hub.slow--;
    this.#hub.join(this);
    if (this.#progressWanted) this.#hub.progress(this);
  }

  requestProgress(): void {
    if (this.#live) this.#hub.progress(this);
    else this.#progressWanted = true;
  }

  /** The hub's answer to a request for progress: how far this watch has been served. */
  progress(revision: Revision): void {
    if (!this.#ended) this.#send({ revision: Math.max(revision, this.next - 1), events: [] });
  }

  /** Delivers those of `entries` (changes in this watch's range) that it has not had, up to and including `revision`. */
  offer(entries: readonly LogEntry[], revision: Revision): void {
    if (this.#ended || revision < this.next) return;
    const { next, request } = this;
    this.next = revision + 1;
    const events: StoreEvent[] = [];
    for (const entry of entries) {
      if (entry.revision < next) continue;
      for (const change of entry.changes) {
        const type = change.version.version === 0 ? "delete" : "put";
        if (request.filters?.includes(type === "put" ? "noput" : "nodelete")) continue;
        const previous = request.previous ? before(entry, change) : undefined;
        events.push(previous === undefined ? { type, kv: change.version } : { type, kv: change.version, previous });
      }
    }
    this.#hub.events += events.length;
    if (events.length > 0) this.#send({ revision, events });
  }

  end(reason?: WatchCancelled): void {
    if (this.#ended) return;
    this.#ended = true;
    if (!this.#live) this.#hub.slow--;
    this.#hub.leave(this);
    this.#resolve(reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
  }

  #send(batch: WatchBatch): void {
    try {
      this.#deliver(batch);
    } catch (error) {
      // A watcher that fails has lost events; it must not take the others with it.
      this.end(new WatchCancelled(`Cannot deliver to a watch of "${this.request.key}": ${String(error)}`));
    }
  }
}

/** What the key was before the revision: a transaction that puts a key and deletes it shows both times what was there before it. */
function before({ revision, changes }: LogEntry, { version, previous }: Change): Version | undefined {
  if (previous?.modRevision !== revision) return previous;
  return changes.find((change) => change.version.key === version.key)?.previous;
}

/** The changes of a log entry that a watch asks for; undefined when there are none. */
export function matching(entry: LogEntry, request: WatchRequest): LogEntry | undefined {
  const { start, end } = interval(request.key, request.end);
  const changes = entry.changes.filter((change) => inInterval(change.version.key, start, end));
  return changes.length === 0 ? undefined : { revision: entry.revision, changes };
}
