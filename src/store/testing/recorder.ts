// A watcher for tests: keeps what it was given and lets a test wait for it without sleeping.
import type { Revision, Store, StoreEvent, StoreWatch, WatchBatch, WatchCancelled, WatchRequest } from "../store.ts";

export class Recorder implements AsyncDisposable {
  readonly batches: WatchBatch[] = [];
  readonly events: StoreEvent[] = [];
  /** Set when the store has ended the watch: nothing more comes, and nobody waits any longer. */
  ended: WatchCancelled | undefined;
  #watch: StoreWatch | undefined;
  #waiting: { readonly done: () => boolean; readonly resolve: () => void }[] = [];

  static async open(store: Store, request: WatchRequest): Promise<Recorder> {
    const recorder = new Recorder();
    recorder.#watch = await store.watch(request, (batch) => recorder.#take(batch));
    void recorder.#watch.closed.then((reason) => {
      recorder.ended = reason;
      recorder.#wake();
    });
    return recorder;
  }

  get watch(): StoreWatch {
    if (this.#watch === undefined) throw new Error("the watch is not open yet");
    return this.#watch;
  }

  /** Resolves once `count` events have come. */
  async until(count: number): Promise<readonly StoreEvent[]> {
    await this.#wait(() => this.events.length >= count);
    return this.events;
  }

  /** Resolves once the watch says that it has reached `revision`: what has not come by then does not come. */
  async reached(revision: Revision): Promise<void> {
    this.watch.requestProgress();
    await this.#wait(() => this.batches.some((batch) => batch.events.length === 0 && batch.revision >= revision));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch?.[Symbol.asyncDispose]();
  }

  #take(batch: WatchBatch): void {
    this.batches.push(batch);
    this.events.push(...batch.events);
    this.#wake();
  }

  #wake(): void {
    this.#waiting = this.#waiting.filter(({ done, resolve }) => {
      if (this.ended === undefined && !done()) return true;
      resolve();
      return false;
    });
  }

  #wait(done: () => boolean): Promise<void> {
    if (this.ended !== undefined || done()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ done, resolve }));
  }
}
