// One watch: what it still has to be told. It holds references to shared events, never copies, and is cut off when it falls too far behind.
import type { Entry } from "./entry.ts";

type WatchEventType = "ADDED" | "MODIFIED" | "DELETED";

/** A change of one object, shared by all watchers of the resource. */
export interface CacheEvent {
  readonly type: WatchEventType;
  /** The state after the change; of a deletion the last state with the revision of the deletion. */
  readonly entry: Entry;
  /** Absent for an addition. */
  readonly previous: Entry | undefined;
  readonly revision: number;
  /** The state before with the revision of this change: what a watcher sees when the object leaves its selector. Made on first use. */
  gone(): Entry;
}

export type Delivery =
  | { readonly type: WatchEventType; readonly entry: Entry }
  | { readonly type: "BOOKMARK"; readonly revision: number; readonly initialEventsEnd: boolean };

export interface WatcherOptions {
  readonly matches: (entry: Entry) => boolean;
  /** Changes up to this revision are known to the caller. */
  readonly since: number;
  /** Objects told first, as ADDED. */
  readonly initial: readonly Entry[];
  /** Send a bookmark after the initial objects (KEP-3157). */
  readonly markInitialEnd: boolean;
  readonly bookmarks: boolean;
  /** How many events may wait. */
  readonly capacity: number;
}

/** Why a watch was ended by the server: "expired" asks the client to list again, "closed" is a normal end. */
type WatchEnd = "expired" | "closed";

export class CacheWatcher {
  readonly bookmarks: boolean;
  readonly #matches: (entry: Entry) => boolean;
  readonly #capacity: number;
  readonly #leave: (watcher: CacheWatcher) => void;
  #queue: Delivery[];
  #since: number;
  #ended: WatchEnd | undefined;
  #because = "The event in requested index is outdated and cleared";
  #wake: (() => void) | undefined;

  constructor(options: WatcherOptions, revision: number, leave: (watcher: CacheWatcher) => void) {
    this.bookmarks = options.bookmarks;
    this.#matches = options.matches;
    this.#capacity = options.capacity;
    this.#since = options.since;
    this.#leave = leave;
    this.#queue = options.initial.map((entry): Delivery => ({ type: "ADDED", entry }));
    if (options.markInitialEnd) this.#queue.push({ type: "BOOKMARK", revision, initialEventsEnd: true });
  }

  /** Takes note of a change, translated for this watcher's filter. */
  offer(event: CacheEvent): void {
    if (this.#ended !== undefined || event.revision <= this.#since) return;
    this.#since = event.revision;
    const now = event.type !== "DELETED" && this.#matches(event.entry);
    const before = event.previous !== undefined && this.#matches(event.previous);
    if (!now && !before) return;
    if (this.#queue.length >= this.#capacity) this.end("expired");
    else if (now) this.#queue.push({ type: before ? "MODIFIED" : "ADDED", entry: event.entry });
    else this.#queue.push({ type: "DELETED", entry: event.gone() });
  }

  bookmark(revision: number): void {
    if (this.#ended !== undefined || !this.bookmarks || this.#queue.length > 0) return;
    this.#queue.push({ type: "BOOKMARK", revision, initialEventsEnd: false });
  }

  /** Wakes the reader if something waits. Called once per turn. */
  flush(): void {
    if (this.#wake !== undefined && (this.#queue.length > 0 || this.#ended !== undefined)) {
      const wake = this.#wake;
      this.#wake = undefined;
      wake();
    }
  }

  /** Ends the watch. Events that wait are still delivered unless it expired; `because` is what an expired one is told. */
  end(why: WatchEnd, because = this.#because): void {
    if (this.#ended !== undefined) return;
    this.#ended = why;
    this.#because = because;
    if (why === "expired") this.#queue = [];
    this.#leave(this);
    this.flush();
  }

  /** All that waits, without waiting. */
  take(): readonly Delivery[] {
    const taken = this.#queue;
    if (taken.length > 0) this.#queue = [];
    return taken;
  }

  get ended(): WatchEnd | undefined {
    return this.#ended;
  }

  /** What an expired watch tells its reader. */
  get because(): string {
    return this.#because;
  }

  /** Calls `wake` once, when there is something to take or the watch has ended (at once if that is so now). */
  whenReady(wake: () => void): void {
    this.#wake = wake;
    this.flush();
  }
}

/** A watch that is over before it began: as upstream, it is answered like any other, and its first event says why. */
export function expiredWatcher(because: string): CacheWatcher {
  const options = { matches: () => false, since: 0, initial: [], markInitialEnd: false, bookmarks: false, capacity: 0 };
  const watcher = new CacheWatcher(options, 0, () => {});
  watcher.end("expired", because);
  return watcher;
}
