// One watch on a real etcd: a stream of its own that is opened again, where it stopped, when it breaks.
import { type Clock, type GrpcDuplex, GrpcError, type Log, sleep } from "#base";
import { type Revision, type StoreEvent, type StoreWatch, type WatchBatch, WatchCancelled, type WatchRequest } from "../store.ts";
import { type Endpoints, storeError } from "./endpoints.ts";
import { fromWire, keyBytes, type WireWatchResponse } from "./wire.ts";

interface EtcdWatchOptions {
  readonly endpoints: Endpoints;
  readonly clock: Clock;
  readonly log: Log;
  readonly request: WatchRequest;
  readonly deliver: (batch: WatchBatch) => void;
}

const retryMs = 500;

export class EtcdWatch implements StoreWatch {
  readonly closed: Promise<WatchCancelled | undefined>;
  /** Resolves when etcd has accepted it for the first time. */
  readonly created: Promise<void>;
  readonly #options: EtcdWatchOptions;
  readonly #resolve: (reason: WatchCancelled | undefined) => void;
  readonly #accept: () => void;
  readonly #refuse: (error: Error) => void;
  #accepted = false;
  readonly #abort = new AbortController();
  #stream: GrpcDuplex | undefined;
  /** Where to go on; undefined until etcd has said what "now" is. */
  #next: Revision | undefined;
  #fragments: StoreEvent[] = [];
  #progressWanted = false;

  constructor(options: EtcdWatchOptions) {
    this.#options = options;
    this.#next = options.request.startRevision;
    const closing = Promise.withResolvers<WatchCancelled | undefined>();
    this.closed = closing.promise;
    this.#resolve = closing.resolve;
    const creating = Promise.withResolvers<void>();
    this.created = creating.promise;
    this.#accept = creating.resolve;
    this.#refuse = creating.reject;
    void this.#run();
  }

  requestProgress(): void {
    this.#progressWanted = true;
    this.#stream?.write({ progress_request: {} });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end(undefined);
  }

  #end(reason: WatchCancelled | undefined): void {
    this.#abort.abort();
    this.#stream?.cancel();
    this.#resolve(reason);
    if (!this.#accepted) this.#accept();
  }

  async #run(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      try {
        await this.#follow();
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        if (!this.#accepted && !(error instanceof GrpcError && error.code === "UNAVAILABLE"))
          return this.#refuse(storeError(error, "read"));
        this.#options.log.warn("the watch on etcd broke and is opened again", { error: String(error) });
      }
      this.#options.endpoints.streamFailed();
      await sleep(this.#options.clock, retryMs, this.#abort.signal).catch(() => {});
    }
  }

  /** One life of the stream. */
  async #follow(): Promise<void> {
    const { request, endpoints } = this.#options;
    const stream = endpoints.stream("Watch.Watch", { signal: this.#abort.signal });
    this.#stream = stream;
    this.#fragments = [];
    stream.write({
      create_request: {
        key: keyBytes(request.key),
        ...(request.end === undefined ? {} : { range_end: keyBytes(request.end) }),
        start_revision: this.#next ?? 0,
        progress_notify: true,
        prev_kv: request.previous ?? false,
        filters: (request.filters ?? []).map((filter) => filter.toUpperCase()),
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
      if (this.#progressWanted) this.#stream?.write({ progress_request: {} });
      return;
    }
    if (response.events.length === 0) {
      this.#progress(revision);
      return;
    }
    this.#fragments.push(...response.events.map(fromWire.event));
    if (response.fragment) return;
    const events = this.#fragments;
    this.#fragments = [];
    const last = (events.at(-1) as StoreEvent).kv.modRevision; // not empty
    this.#next = last + 1;
    this.#options.deliver({ revision: last, events });
  }

  #progress(revision: Revision): void {
    this.#progressWanted = false;
    if (this.#next === undefined || revision < this.#next - 1) return;
    this.#next = revision + 1;
    this.#options.deliver({ revision, events: [] });
  }
}
