// A clock that moves only when told: tests and simulations run hours in milliseconds, and the same each time.
import type { Clock, Timer } from "./clock.ts";

interface Pending {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
  cancelled: boolean;
}

export class VirtualClock implements Clock {
  readonly #epochMs: number;
  #elapsedMs = 0;
  #order = 0;
  readonly #heap: Pending[] = [];

  constructor(options: { startMs?: number } = {}) {
    this.#epochMs = options.startMs ?? Date.UTC(2026, 0, 1);
  }

  now(): number {
    return this.#epochMs + this.#elapsedMs;
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, fire: () => void): Timer {
    const pending: Pending = { at: this.#elapsedMs + Math.max(0, delayMs), order: this.#order++, fire, cancelled: false };
    push(this.#heap, pending);
    return {
      cancel: () => {
        pending.cancelled = true;
      },
    };
  }

  /** Fires every timer due within the next `durationMs`, in order, letting promises settle before and after each. */
  async advance(durationMs: number): Promise<void> {
    const until = this.#elapsedMs + durationMs;
    await settle();
    for (let next = this.#peek(); next !== undefined && next.at <= until; next = this.#peek()) {
      await this.#step(next);
    }
    this.#elapsedMs = until;
    await settle();
  }

  /** Moves from timer to timer until `done()` holds; throws when `limitMs` of virtual time pass first or nothing is left to fire. */
  async runUntil(done: () => boolean, limitMs = 3_600_000): Promise<void> {
    const until = this.#elapsedMs + limitMs;
    await settle();
    while (!done()) {
      const next = this.#peek();
      if (next === undefined) throw new Error("VirtualClock.runUntil: nothing is left to fire and the condition does not hold");
      if (next.at > until)
        throw new Error(`VirtualClock.runUntil: the condition does not hold after ${limitMs} ms of virtual time`);
      await this.#step(next);
    }
  }

  /** Moves to the next timer and fires it, or lets `limitMs` pass where none is due by then. */
  async next(limitMs: number): Promise<void> {
    await settle();
    const next = this.#peek();
    if (next !== undefined && next.at <= this.#elapsedMs + limitMs) return this.#step(next);
    this.#elapsedMs += limitMs;
  }

  async #step(next: Pending): Promise<void> {
    pop(this.#heap);
    this.#elapsedMs = Math.max(this.#elapsedMs, next.at);
    next.fire();
    await settle();
  }

  #peek(): Pending | undefined {
    while (this.#heap[0]?.cancelled) pop(this.#heap);
    return this.#heap[0];
  }
}

/** Lets every promise that can settle without time passing do so: turns of the event loop, until no work of ours is queued for the next one. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 10_000; turns++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (!process.getActiveResourcesInfo().includes("Immediate")) return;
  }
}

const before = (a: Pending, b: Pending): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

function push(heap: Pending[], item: Pending): void {
  let index = heap.length;
  heap.push(item);
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const above = heap[parent] as Pending; // parent < index, inside the heap
    if (!before(item, above)) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = item;
}

function pop(heap: Pending[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    const right = heap[child + 1];
    if (right !== undefined && before(right, heap[child] as Pending)) child++;
    const below = heap[child] as Pending; // child < heap.length
    if (!before(below, last)) break;
    heap[index] = below;
    index = child;
  }
  heap[index] = last;
}
