// The way of a write: into the batch that waits, to the thread, durable, published; or given up, with everything that came after it.
import { noSpace } from "../engine/messages.ts";
import type { LogEntry, State } from "../engine/state.ts";
import { StoreError } from "../store.ts";
import type { Alarms } from "./alarms.ts";
import { Batch, type Waiter } from "./batch.ts";
import type { Checkpointer } from "./checkpointer.ts";
import type { Times } from "./protocol.ts";
import { failureFrom, type Thread } from "./thread.ts";

interface CommitsOptions {
  readonly thread: Thread;
  readonly state: State;
  readonly alarms: Alarms;
  readonly checkpointer: Checkpointer;
  /** Called with what has become durable, before those hear who wait for it. `times`: absent if there was nothing to write. */
  readonly publish: (entries: readonly LogEntry[], times: Times | undefined) => void;
}

export class Commits {
  readonly #options: CommitsOptions;
  #head: State;
  #durable: State;
  /** Waiting for their turn, oldest first; the last one is open. */
  #queue: Batch[] = [];
  #inFlight: Batch | undefined;
  #flushScheduled = false;
  #idle: (() => void)[] = [];

  constructor(options: CommitsOptions) {
    this.#options = options;
    this.#head = options.state;
    this.#durable = options.state.snapshot();
  }

  /** What will be true when everything on its way is durable; transactions run against it. */
  get head(): State {
    return this.#head;
  }

  /** What is durable: reads and watches see this. */
  get durable(): State {
    return this.#durable;
  }

  /** Something is on its way. */
  get busy(): boolean {
    return this.#inFlight !== undefined || this.#queue.length > 0;
  }

  whenIdle(): Promise<void> {
    if (!this.busy) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Adds what was written in `head` (undefined: nothing, to hear when what was read there is durable). */
  add(entry: LogEntry | undefined, waiter: Waiter): void {
    const batch = this.#openBatch();
    if (entry !== undefined) batch.add(entry);
    batch.waiters.push(waiter);
    this.#scheduleFlush();
  }

  /** Adds to the open batch; resolves when it is durable. */
  enqueue(add: (batch: Batch) => void, again: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const batch = this.#openBatch();
      add(batch);
      batch.waiters.push({ done: resolve, fail: reject, again: () => again().then(resolve, reject) });
      this.#scheduleFlush();
    });
  }

  /** Shows what has changed in `head` without being a commit: the log has become shorter. */
  refreshDurable(): void {
    if (!this.busy) this.#durable = this.#head.snapshot();
  }

  /** Sends the next batch, unless one is on its way. */
  flush(): void {
    if (this.#inFlight !== undefined) return;
    const { alarms, checkpointer, thread } = this.#options;
    if (checkpointer.commitsMustWait) return; // it calls again when it is done
    const batch = this.#queue.shift();
    if (batch === undefined) {
      this.#nowIdle();
      return;
    }
    if (alarms.readOnly && !batch.empty) {
      this.#queue.unshift(batch);
      this.#abandon(alarms.readOnlyError());
      return;
    }
    batch.state ??= this.#head.snapshot();
    this.#inFlight = batch;
    if (batch.empty) {
      this.#committed(batch);
      return;
    }
    const packed = batch.pack();
    checkpointer.count(packed.length);
    const request = {
      kind: "commit",
      buffer: packed.buffer,
      length: packed.length,
      leases: batch.leases,
      compactedRevision: batch.compactedRevision,
      revision: batch.state.revision,
    } as const;
    thread.request<Times>(request, [packed.buffer]).then(
      (times) => this.#committed(batch, times),
      (error) => this.#fail(error),
    );
  }

  #openBatch(): Batch {
    let batch = this.#queue.at(-1);
    if (batch === undefined || batch.full) {
      if (batch !== undefined) batch.state = this.#head.snapshot();
      batch = new Batch();
      this.#queue.push(batch);
    }
    return batch;
  }

  /** At the end of the turn, so that everybody in it shares one fsync; those who come while it runs share the next. */
  #scheduleFlush(): void {
    if (this.#inFlight !== undefined || this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(() => {
      this.#flushScheduled = false;
      this.flush();
    });
  }

  #committed(batch: Batch, times?: Times): void {
    this.#durable = batch.state as State; // set by flush()
    this.#inFlight = undefined;
    // The next batch is on its way while watchers and writers hear of this one.
    this.flush();
    this.#options.publish(batch.entries, times);
    for (const waiter of batch.waiters) waiter.done();
    this.#options.checkpointer.consider();
  }

  /** Gives up everything that waits. */
  #abandon(reason: Error): void {
    const waiters = this.#queue.flatMap((batch) => batch.waiters);
    this.#queue = [];
    this.#head = this.#durable.snapshot();
    for (const waiter of waiters) waiter.fail(reason);
    this.#nowIdle();
  }

  /** A batch did not get to disk: nothing that came after it stands. */
  #fail(error: unknown): void {
    const { alarms } = this.#options;
    const failure = failureFrom(error);
    const failed = this.#inFlight?.waiters ?? [];
    const unsent = this.#queue.flatMap((batch) => batch.waiters);
    this.#inFlight = undefined;
    this.#queue = [];
    this.#head = this.#durable.snapshot();
    if (failure.code === "noSpace" && failure.definite && alarms.madeRoom(failure)) {
      for (const waiter of [...failed, ...unsent]) waiter.again();
    } else if (failure.code === "noSpace" && failure.definite) {
      for (const waiter of [...failed, ...unsent]) waiter.fail(noSpace());
    } else {
      alarms.writeFailed(failure);
      const unknown = new StoreError("unknownOutcome", `Cannot write to the store: ${failure.message}`);
      for (const waiter of failed) waiter.fail(unknown);
      for (const waiter of unsent) waiter.fail(alarms.readOnlyError());
    }
    if (!this.busy) this.#nowIdle();
  }

  #nowIdle(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
