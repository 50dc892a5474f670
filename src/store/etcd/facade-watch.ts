// One watch stream of a client: many watches, one sequence of answers. A client that reads slowly costs no memory: its watches are put
// down and taken up again where they were, from the store's history.
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
  /** Where to go on after a pause. */
  next: Revision;
  watch: StoreWatch | undefined;
  /** Since the last tick of the progress timer. */
  quiet: boolean;
  readonly timer: Timer | undefined;
}

/** etcd's interval of progress notifications. */
const progressMs = 600_000;
/** Answers to clients that asked for fragments are cut here. */
const fragmentBytes = 2 * 1024 * 1024;

interface WatchStreamOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly stream: FacadeStream;
  readonly header: (revision?: Revision) => WireHeader;
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

  /** The client has caught up: watches go on where they were. */
  drained(): void {
    if (!this.#paused || this.#ended) return;
    this.#paused = false;
    for (const following of this.#following.values()) if (following.watch === undefined) this.#follow(following);
  }

  end(): void {
    this.#ended = true;
    for (const following of this.#following.values()) this.#drop(following);
    this.#following.clear();
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
      watch: undefined,
      quiet: true,
      timer: create.progress_notify ? every(this.#options.clock, progressMs, () => this.#tick(id)) : undefined,
    };
    this.#following.set(id, following);
    this.#send({ header: header(), watch_id: id, created: true });
    if (!this.#paused) this.#follow(following);
  }

  #follow(following: Following): void {
    const { store, header, stream } = this.#options;
    store
      .watch({ ...following.request, startRevision: following.next }, (batch) => {
        if (this.#ended || this.#paused || this.#following.get(following.id) !== following) return;
        this.#deliver(following, batch);
      })
      .then((watch) => {
        if (this.#ended || this.#paused || this.#following.get(following.id) !== following) {
          void watch[Symbol.asyncDispose]();
          return;
        }
        following.watch = watch;
        if (this.#awaited.has(following.id)) watch.requestProgress();
        void watch.closed.then((reason) => {
          if (reason === undefined || this.#following.get(following.id) !== following) return;
          this.#drop(following);
          this.#following.delete(following.id);
          this.#send({
            header: header(),
            watch_id: following.id,
            canceled: true,
            compact_revision: reason.compactedRevision ?? 0,
            cancel_reason: reason.message,
          });
        });
      })
      .catch((error) => stream.fail(error));
  }

  #deliver(following: Following, { revision, events }: WatchBatch): void {
    following.next = revision + 1;
    following.quiet = false;
    const header = this.#options.header(revision);
    if (events.length === 0 && this.#awaited.delete(following.id)) {
      this.#reached = Math.min(this.#reached, revision);
      this.#answerProgress();
      return;
    }
    if (events.length === 0) {
      this.#send({ header, watch_id: following.id, events: [] });
      return;
    }
    const parts = following.fragment ? cut(events) : [events.map(toWire.event)];
    parts.forEach((part, index) => {
      this.#send({ header, watch_id: following.id, events: part, ...(index < parts.length - 1 ? { fragment: true } : {}) });
    });
  }

  #send(response: object): void {
    if (this.#ended || this.#options.stream.send(response) || this.#paused) return;
    this.#paused = true;
    for (const following of this.#following.values()) {
      void following.watch?.[Symbol.asyncDispose]();
      following.watch = undefined;
    }
  }

  #cancel(id: number): void {
    const following = this.#following.get(id);
    if (following === undefined) return;
    this.#drop(following);
    this.#following.delete(id);
    this.#send({ header: this.#options.header(), watch_id: id, canceled: true });
  }

  #drop(following: Following): void {
    if (this.#awaited.delete(following.id)) this.#answerProgress();
    following.timer?.cancel();
    void following.watch?.[Symbol.asyncDispose]();
    following.watch = undefined;
  }

  #tick(id: number): void {
    const following = this.#following.get(id);
    if (following === undefined) return;
    if (following.quiet) following.watch?.requestProgress();
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
    for (const following of this.#following.values()) following.watch?.requestProgress();
    if (this.#following.size === 0) this.#answerProgress();
  }

  #answerProgress(): void {
    if (this.#awaited.size === 0 && !this.#ended)
      this.#send({ header: this.#options.header(this.#reached), watch_id: -1, events: [] });
  }
}

function cut(events: readonly StoreEvent[]): WireEvent[][] {
  const parts: WireEvent[][] = [[]];
  let size = 0;
  for (const event of events) {
    const bytes = event.kv.key.length + event.kv.value.length + (event.previous?.value.length ?? 0) + 64;
    if (size > 0 && size + bytes > fragmentBytes) {
      parts.push([]);
      size = 0;
    }
    size += bytes;
    (parts.at(-1) as WireEvent[]).push(toWire.event(event)); // never empty
  }
  return parts;
}
