// One watch on a real etcd: a stream of its own that is opened again, where it stopped, when it breaks.
import { type Clock, GrpcError, type Log, sleep } from "#base";
import { inInterval, interval } from "../engine/range.ts";
import { type Revision, type StoreEvent, type StoreWatch, type WatchBatch, WatchCancelled, type WatchRequest } from "../store.ts";
import type { Endpoints, EtcdStream } from "./endpoints.ts";
import { storeError } from "./errors.ts";
import { fromWire, keyBytes, type WireWatchResponse } from "./wire.ts";

interface EtcdWatchOptions {
  readonly endpoints: Endpoints;
  readonly clock: Clock;
  readonly log: Log;
  readonly request: WatchRequest;
  /** The newest revision that this process knows of: what "progress" means to who asks for it here. */
  readonly newest: () => Revision;
  /** How long to look for a member that accepts it before the watch is refused. */
  readonly timeoutMs: number;
  readonly deliver: (batch: WatchBatch) => void;
}

const retryMs = 250;

/**
 * Progress is never taken from etcd's answer to a progress request: before 3.4.25 and 3.5.8 it may run ahead of events (etcd-io/etcd#15220).
 * A watch that is asked for its progress listens to every key from then on: each revision then shows itself, of whatever key.
 */
export class EtcdWatch implements StoreWatch {
  readonly closed: Promise<WatchCancelled | undefined>;
  /** Resolves when etcd has accepted it for the first time. */
  readonly created: Promise<void>;
  readonly #options: EtcdWatchOptions;
  readonly #resolve: (reason: WatchCancelled | undefined) => void;
  readonly #accept: () => void;
  readonly #refuse: (error: Error) => void;
  readonly #abort = new AbortController();
  readonly #openedAt: number;
  #accepted = false;
  #broken = false;
  #stream: EtcdStream | undefined;
  /** Where to go on; undefined until etcd has said what "now" is. */
  #next: Revision | undefined;
  #fragments: StoreEvent[] = [];
  /** Every key is listened to. */
  #wide = false;
  /** Progress is wanted once this revision is reached. */
  #wanted: Revision | undefined;

  constructor(options: EtcdWatchOptions) {
    this.#options = options;
    this.#openedAt = options.clock.monotonic();
    this.#next = options.request.startRevision;
    const closing = Promise.withResolvers<WatchCancelled | undefined>();
    this.closed = closing.promise;
    this.#resolve = closing.resolve;
    const creating = Promise.withResolvers<void>();
    this.created = creating.promise;
    this.#accept = creating.resolve;
    this.#refuse = creating.reject;
    options.request.signal?.addEventListener("abort", () => this.#end(undefined), { once: true });
    if (options.request.signal?.aborted) this.#end(undefined);
    void this.#run();
  }

  requestProgress(): void {
    const wanted = this.#options.newest();
    this.#wanted = wanted;
    if (this.#next !== undefined && this.#next > wanted) this.#tellProgress(wanted);
    else if (!this.#wide) {
      this.#wide = true;
      this.#stream?.cancel(); // opened again, wide
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end(undefined);
  }

  #end(reason: WatchCancelled | undefined): void {
    this.#abort.abort();
    this.#stream?.cancel();
    this.#resolve(reason);
    this.#accept();
  }

  async #run(): Promise<void> {
    const { clock, log, timeoutMs } = this.#options;
    while (!this.#abort.signal.aborted) {
      const wide = this.#wide;
      try {
        await this.#follow();
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        const patient = error instanceof GrpcError && error.code === "UNAVAILABLE";
        if (!this.#accepted && !(patient && clock.monotonic() - this.#openedAt < timeoutMs))
          return this.#refuse(storeError(error, "read"));
        if (!this.#broken) log.warn("the watch on etcd broke and is opened again", { error: String(error) });
        this.#broken = true;
      }
      if (wide !== this.#wide) continue;
      this.#stream?.failed();
      await sleep(clock, retryMs, this.#abort.signal).catch(() => {});
    }
  }

  /** One life of the stream. */
  async #follow(): Promise<void> {
    const { request, endpoints } = this.#options;
    const stream = endpoints.stream("Watch.Watch", { signal: this.#abort.signal });
    this.#stream = stream;
    this.#fragments = [];
    const { key, end } = this.#wide ? { key: "\0", end: "\0" } : request;
    stream.write({
      create_request: {
        key: keyBytes(key),
        ...(end === undefined ? {} : { range_end: keyBytes(end) }),
        start_revision: this.#next ?? 0,
        progress_notify: true,
        prev_kv: request.previous ?? false,
        filters: this.#wide ? [] : (request.filters ?? []).map((filter) => filter.toUpperCase()),
        fragment: true,
      },
    });
    for await (const response of stream) {
      if (this.#abort.signal.aborted) return;
      this.#take(response as unknown as WireWatchResponse);
    }
  }

  #take(response: WireWatchResponse): void {
    const revision = Number(response.header?.revision ?? 0);
    if (response.canceled) {
      const compacted = Number(response.compact_revision ?? 0);
      const message = response.cancel_reason || "etcdserver: mvcc: required revision has been compacted";
      this.#end(compacted > 0 ? new WatchCancelled(message, compacted) : new WatchCancelled(message));
      return;
    }
    if (response.created) {
      this.#next ??= revision + 1;
      this.#accepted = true;
      this.#accept();
      if (this.#broken) this.#options.log.info("the watch on etcd goes on", { revision: this.#next });
      this.#broken = false;
      if (this.#wanted !== undefined) this.requestProgress();
      return;
    }
    if (response.events.length > 0) this.#takeEvents(response);
    // Of this watch (not of the stream, which has the id -1): in order with its events.
    else if (Number(response.watch_id) >= 0) this.#reach(revision, []);
  }

  #takeEvents(response: WireWatchResponse): void {
    this.#fragments.push(...response.events.map(fromWire.event));
    if (response.fragment) return;
    const events = this.#fragments;
    this.#fragments = [];
    const last = (events.at(-1) as StoreEvent).kv.modRevision; // not empty
    this.#reach(last, this.#wide ? events.filter((event) => wants(this.#options.request, event)) : events);
  }

  #reach(revision: Revision, events: readonly StoreEvent[]): void {
    if (this.#next === undefined || revision < this.#next) return;
    this.#next = revision + 1;
    this.#options.deliver({ revision, events });
    if (this.#wanted === undefined || revision < this.#wanted) return;
    if (events.length > 0) this.#tellProgress(revision);
    else this.#wanted = undefined;
  }

  #tellProgress(revision: Revision): void {
    this.#wanted = undefined;
    this.#options.deliver({ revision, events: [] });
  }
}

function wants({ key, end, filters }: WatchRequest, { type, kv }: StoreEvent): boolean {
  if (filters?.includes(type === "put" ? "noput" : "nodelete")) return false;
  const { start, end: stop } = interval(key, end);
  return inInterval(kv.key, start, stop);
}
