// Figures that a store keeps about itself, in the form of a metrics page.
import type { StoreMeasure } from "../store.ts";
import type { State } from "./state.ts";

/** Counts observations by size. */
export class Distribution {
  readonly #name: string;
  readonly #help: string;
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  /** `bounds`: upper bounds, ascending. */
  constructor(name: string, help: string, bounds: readonly number[]) {
    this.#name = name;
    this.#help = help;
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count++;
    const index = this.#bounds.findIndex((bound) => value <= bound);
    if (index >= 0) this.#counts[index] = (this.#counts[index] as number) + 1; // as many as bounds
  }

  get measure(): StoreMeasure {
    let below = 0;
    const buckets = this.#bounds.map((bound, index): readonly [number, number] => {
      below += this.#counts[index] as number; // as many as bounds
      return [bound, below];
    });
    return { kind: "histogram", name: this.#name, help: this.#help, buckets, sum: this.#sum, count: this.#count };
  }
}

/** `count` bounds from `start`, each `factor` times the one before. */
export const exponential = (start: number, factor: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, index) => start * factor ** index);

export const gauge = (name: string, help: string, value: number): StoreMeasure => ({ kind: "gauge", name, help, value });
export const counter = (name: string, help: string, value: number): StoreMeasure => ({ kind: "counter", name, help, value });

export interface WatchCounts {
  /** Served as things happen. */
  readonly live: number;
  /** Still being brought up to the present. */
  readonly slow: number;
  /** Events handed out so far. */
  readonly events: number;
}

/** What every store of ours can tell. */
export const stateMeasures = (state: State, watches: WatchCounts): readonly StoreMeasure[] => [
  gauge("etcd_debugging_mvcc_keys_total", "Total number of keys.", state.live.size),
  gauge("etcd_debugging_mvcc_current_revision", "The current revision of store.", state.revision),
  gauge("etcd_debugging_mvcc_compact_revision", "The revision of the last compaction in store.", state.compactedRevision),
  gauge("etcd_debugging_mvcc_watcher_total", "Total number of watchers.", watches.live + watches.slow),
  gauge("etcd_debugging_mvcc_slow_watcher_total", "Total number of unsynced slow watchers.", watches.slow),
  counter("etcd_debugging_mvcc_events_total", "Total number of events sent by this member.", watches.events),
];
