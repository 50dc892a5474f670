// One watch stream of a client: many watches, one sequence of answers. A client that reads slowly costs little memory: a watch whose next
// event finds no room is put down, and taken up again there, from the store's history, when the client has caught up.
import { type Clock, every, type Timer } from "#base";
import type { Revision, Store, StoreEvent, StoreWatch, WatchBatch, WatchRequest } from "../store.ts";
import type { FacadeStream, FacadeStreamHandler } from "./facade.ts";
import { type Int, keyOf, toWire, type WireEvent, type WireHeader } from "./wire.ts";

interface WireCreate {
  readonly key: Buffer;
  readonly range_end: Buffer;
  readonly start_revision: Int;
  readonly progress_notify: boolean;
  readonly filters: readonly ("NOPUT" | "NODELETE")[];
  readonly prev_kv: boolean;
  readonly watch_id: Int;
  readonly fragment: boolean;
}

interface Following {
  readonly id: number;
  readonly request: WatchRequest;
  readonly fragment: boolean;
  /** The first revision that the client may not have been sent. */
  next: Revision;
  /** Undefined: put down, the client has not read what was sent before. */
  reading: Reading | undefined;
  /** Since the last tick of the progress timer. */
  quiet: boolean;
  readonly timer: Timer | undefined;
}

/** One life of a watch in the store. */
interface Reading {
  readonly stop: AbortController;
  watch: StoreWatch | undefined;
}

/** etcd's interval of progress notifications. */
const progressMs = 600_000;
/** Answers to clients that asked for fragments are cut here. */
const fragmentBytes = 2 * 1024 * 1024;
/** A long history goes out in answers of about this size; only a revision that is larger makes a larger one. */
const answerBytes = 128 * 1024;

interface WatchStreamOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly stream: FacadeStream;
  readonly header: (revision?: Revision) => WireHeader;
  readonly ended: () => void;
}

export class WatchStream implements FacadeStreamHandler {
  readonly #options: WatchStreamOptions;
  readonly #following = new Map<number, Following>();
  #ids = 0;
  #paused = false;
  #ended = false;
  /** Watches whose own progress a request for the stream's progress waits for. */
  readonly #awaited = new Set<number>();
  #reached: Revision = 0;

  constructor(options: WatchStreamOptions) {
    this.#options = options;
  }

  message(request: Record<string, unknown>): void {
    const { create_request, cancel_request, progress_request } = request as {
      readonly create_request?: WireCreate;
      readonly cancel_request?: { readonly watch_id: Int };
      readonly progress_request?: object;
    };
    if (create_request !== undefined) this.#create(create_request);
    else if (cancel_request !== undefined) this.#cancel(Number(cancel_request.watch_id));
    else if (progress_request !== undefined) this.#progressOfAll();
  }

  /** How many watches there are, and how many of these the client is too slow for. */
  get counts(): { readonly watches: number; readonly slow: number } {
    let slow = 0;
    for (const { reading } of this.#following.values()) if (reading === undefined) slow++;
    return { watches: this.#following.size, slow };
  }

  /** The client has caught up: watches go on where they were, the one farthest behind first. */
  drained(): void {
    if (!this.#paused || this.#ended) return;
    this.#paused = false;
    const behind = [...this.#following.values()].filter(({ reading }) => reading === undefined).sort((a, b) => a.next - b.next);
    for (const following of behind) {
      if (this.#paused) return;
      this.#follow(following);
    }
  }

  end(): void {
    this.#ended = true;
    this.#options.ended();
    for (const following of this.#following.values()) this.#drop(following);
  }

  #create(create: WireCreate): void {
    const { header } = this.#options;
    const wanted = Number(create.watch_id);
    const key = create.key.length === 0 ? "\0" : keyOf(create.key);
    const end = create.range_end.length === 0 ? undefined : keyOf(create.range_end);
    const empty = end !== undefined && end !== "\0" && end <= key;
    if (empty || (wanted !== 0 && this.#following.has(wanted))) {
      const cancel_reason = empty ? "mvcc: watcher range is empty" : "mvcc: duplicate watch ID provided on the WatchStream";
      this.#send({ header: header(), watch_id: -1, created: true, canceled: true, cancel_reason });
      return;
    }
    let id = wanted;
    if (id === 0) {
      while (this.#following.has(this.#ids)) this.#ids++;
      id = this.#ids++;
    }
    const startRevision = Number(create.start_revision);
    const request: WatchRequest = {
      key,
      ...(end === undefined ? {} : { end }),
      previous: create.prev_kv,
      filters: create.filters.map((filter) => (filter === "NOPUT" ? "noput" : "nodelete")),
    };
    const next = startRevision > 0 ? startRevision : this.#options.store.revision + 1;
    const following: Following = {
      id,
      request,
      fragment: create.fragment,
      next,
      reading: undefined,
      quiet: true,
      timer: create.progress_notify ? every(this.#options.clock, progressMs, () => this.#tick(id)) : undefined,
    };
    this.#following.set(id, following);
    // The stream's progress, if it is under way, will speak for this watch as well.
    if (this.#awaited.size > 0) this.#awaited.add(id);
    this.#send({ header: header(), watch_id: id, created: true });
    if (!this.#paused) this.#follow(following);
  }

  #follow(following: Following): void {
    const { store, header, stream } = this.#options;
    const reading: Reading = { stop: new AbortController(), watch: undefined };
    following.reading = reading;
    const request = { ...following.request, startRevision: following.next, signal: reading.stop.signal };
    store
      .watch(request, (batch) => {
        if (following.reading === reading) this.#deliver(following, batch);
      })
      .then((watch) => {
        if (following.reading !== reading) return;
        reading.watch = watch;
        if (this.#awaited.has(following.id)) watch.requestProgress();
        void watch.closed.then((reason) => {
          if (reason === undefined || following.reading !== reading) return;
          const compact_revision = reason.compactedRevision ?? 0;
          this.#send({
            header: header(),
            watch_id: following.id,
            canceled: true,
            compact_revision,
            // etcd names the revision then, and clients make the words of it.
            cancel_reason: reason.compactedRevision === undefined ? reason.message : "",
          });
          this.#drop(following);
        });
      })
      .catch((error) => stream.fail(error));
  }

  #deliver(following: Following, { revision, events }: WatchBatch): void {
    following.quiet = false;
    if (events.length === 0) {
      following.next = Math.max(following.next, revision + 1);
      this.#progress(following.id, revision);
      return;
    }
    let sent = 0;
    while (sent < events.length && !this.#paused) {
      const end = answerEnd(events, sent);
      // The header says how far the watch is with this answer, not how far the store is.
      const reached = end === events.length ? revision : (events[end - 1] as StoreEvent).kv.modRevision; // end > sent >= 0
      this.#sendEvents(following, reached, events.slice(sent, end));
      following.next = reached + 1;
      sent = end;
    }
    const unsent = events[sent];
    if (unsent === undefined) return;
    following.next = unsent.kv.modRevision;
    putDown(following);
  }

  #sendEvents(following: Following, revision: Revision, events: readonly StoreEvent[]): void {
    const header = this.#options.header(revision);
    const parts = following.fragment ? cut(events) : [events.map(toWire.event)];
    parts.forEach((part, index) => {
      this.#send({ header, watch_id: following.id, events: part, ...(index < parts.length - 1 ? { fragment: true } : {}) });
    });
  }

  #progress(id: number, served: Revision): void {
    // A watch from a future revision has been served up to there; the store has not been there.
    const revision = Math.min(served, this.#options.store.revision);
    if (this.#awaited.delete(id)) {
      this.#reached = Math.min(this.#reached, revision);
      this.#answerProgress();
    } else if (!this.#paused) this.#send({ header: this.#options.header(revision), watch_id: id, events: [] });
  }

  #send(response: object): void {
    if (!this.#ended && !this.#options.stream.send(response)) this.#paused = true;
  }

  #cancel(id: number): void {
    const following = this.#following.get(id);
    if (following === undefined) return;
    this.#send({ header: this.#options.header(), watch_id: id, canceled: true });
    this.#drop(following);
  }

  /** After its client has been told: the stream's progress, which may have waited for this watch alone, no longer speaks for it. */
  #drop(following: Following): void {
    this.#following.delete(following.id);
    following.timer?.cancel();
    putDown(following);
    if (this.#awaited.delete(following.id)) this.#answerProgress();
  }

  #tick(id: number): void {
    const following = this.#following.get(id);
    if (following === undefined) return;
    if (following.quiet) following.reading?.watch?.requestProgress();
    following.quiet = true;
  }

  /**
   * Answers for the whole stream (watch id -1), once every watch of it has been served that far: never ahead of an event
   * (etcd-io/etcd#15220). Some may still be reading history.
   */
  #progressOfAll(): void {
    if (this.#awaited.size > 0) return; // the answer under way will do
    this.#reached = this.#options.store.revision;
    for (const id of this.#following.keys()) this.#awaited.add(id);
    for (const following of this.#following.values()) following.reading?.watch?.requestProgress();
    if (this.#following.size === 0) this.#answerProgress();
  }

  #answerProgress(): void {
    if (this.#awaited.size === 0 && !this.#ended)
      this.#send({ header: this.#options.header(this.#reached), watch_id: -1, events: [] });
  }
}

function putDown(following: Following): void {
  following.reading?.stop.abort();
  following.reading = undefined;
}

const weight = ({ kv, previous }: StoreEvent): number => kv.key.length + kv.value.length + (previous?.value.length ?? 0) + 64;

/** Where the answer that begins with event `start` ends: after a whole revision. */
function answerEnd(events: readonly StoreEvent[], start: number): number {
  let bytes = 0;
  for (let end = start; end < events.length; end++) {
    const event = events[end] as StoreEvent; // in bounds
    if (bytes >= answerBytes && event.kv.modRevision !== events[end - 1]?.kv.modRevision) return end;
    bytes += weight(event);
  }
  return events.length;
}

function cut(events: readonly StoreEvent[]): WireEvent[][] {
  const parts: WireEvent[][] = [[]];
  let size = 0;
  for (const event of events) {
    const bytes = weight(event);
    if (size > 0 && size + bytes > fragmentBytes) {
      parts.push([]);
      size = 0;
    }
    size += bytes;
    (parts.at(-1) as WireEvent[]).push(toWire.event(event)); // never empty
  }
  return parts;
}
