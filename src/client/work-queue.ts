// A queue of keys for a controller: each key once, one worker per key at a time, retries with growing delay.
import type { Clock, Timer } from "#base";

/** Upstream's workqueue metrics; names and buckets are the caller's. */
export interface WorkQueueMetrics {
  depth(keys: number): void;
  added(): void;
  retried(): void;
  /** Milliseconds that a key waited for a worker. */
  waited(milliseconds: number): void;
  /** Milliseconds that a worker spent on a key. */
  worked(milliseconds: number): void;
}

export interface WorkQueueOptions {
  readonly clock: Clock;
  readonly metrics?: WorkQueueMetrics;
  /** Delay of the first retry; doubles with each further one. Default 5 ms. */
  readonly firstDelayMs?: number;
  /** Default 1000 s. */
  readonly longestDelayMs?: number;
}

/**
 * Semantics of upstream's rate-limiting queue: a key added while it waits is not added again; added while it is being processed it comes
 * again after `done`. Keys come out in the order in which they went in.
 */
export class WorkQueue implements Disposable {
  readonly #clock: Clock;
  readonly #metrics: WorkQueueMetrics | undefined;
  readonly #firstDelayMs: number;
  readonly #longestDelayMs: number;
  /** Waiting keys, with the time since when. */
  readonly #waiting = new Map<string, number>();
  readonly #processing = new Map<string, number>();
  readonly #again = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #delayed = new Map<string, { readonly at: number; readonly timer: Timer }>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #shutDown = false;

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock;
    this.#metrics = options.metrics;
    this.#firstDelayMs = options.firstDelayMs ?? 5;
    this.#longestDelayMs = options.longestDelayMs ?? 1_000_000;
  }

  get length(): number {
    return this.#waiting.size;
  }

  /** True when nothing waits, is being processed or is due later. */
  get idle(): boolean {
    return this.#waiting.size === 0 && this.#processing.size === 0 && this.#delayed.size === 0;
  }

  add(key: string): void {
    if (this.#shutDown || this.#waiting.has(key) || this.#again.has(key)) return;
    this.#metrics?.added();
    if (this.#processing.has(key)) {
      this.#again.add(key);
      return;
    }
    this.#waiting.set(key, this.#clock.monotonic());
    this.#metrics?.depth(this.#waiting.size);
    this.#hand();
  }

  /** Adds the key after a delay; of several delays of one key the shortest counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#shutDown) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const at = this.#clock.monotonic() + delayMs;
    const earlier = this.#delayed.get(key);
    if (earlier !== undefined) {
      if (earlier.at <= at) return;
      earlier.timer.cancel();
    }
    const timer = this.#clock.after(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { at, timer });
  }

  /** Adds the key after its own backoff: the delay doubles each time until `forget`. */
  retry(key: string): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.#metrics?.retried();
    this.addAfter(key, Math.min(this.#firstDelayMs * 2 ** failures, this.#longestDelayMs));
  }

  /** How often the key was retried since it was last forgotten. */
  retries(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** The key is well: its next failure starts with the shortest delay. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, or undefined once the queue is shut down. Call `done` with it. */
  take(): Promise<string | undefined> {
    return new Promise((resolve) => {
      if (this.#shutDown) return resolve(undefined);
      this.#takers.push(resolve);
      this.#hand();
    });
  }

  done(key: string): void {
    const since = this.#processing.get(key);
    if (since === undefined) return;
    this.#processing.delete(key);
    this.#metrics?.worked(this.#clock.monotonic() - since);
    if (this.#again.delete(key)) this.add(key);
  }

  /** Forgets everything that waits and wakes the workers with undefined. */
  [Symbol.dispose](): void {
    this.#shutDown = true;
    for (const { timer } of this.#delayed.values()) timer.cancel();
    this.#delayed.clear();
    this.#waiting.clear();
    this.#again.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  #hand(): void {
    while (this.#takers.length > 0) {
      const next = this.#waiting.entries().next();
      if (next.done === true) return;
      const [key, since] = next.value;
      const now = this.#clock.monotonic();
      this.#waiting.delete(key);
      this.#processing.set(key, now);
      this.#metrics?.depth(this.#waiting.size);
      this.#metrics?.waited(now - since);
      this.#takers.shift()?.(key);
    }
  }
}
