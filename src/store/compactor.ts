// Automatic compaction: every period, forget what was already old a period ago (as upstream's API server does every five minutes).
import { type Clock, every, type Log, type Timer } from "#base";
import { type Revision, type Store, StoreError } from "./store.ts";

/** Keeps between one and two periods of history. The caller cancels it before it closes the store. */
export function compactPeriodically(store: Store, clock: Clock, periodMs: number, log: Log): Timer {
  let previous: Revision = store.revision;
  return every(clock, periodMs, async () => {
    const revision = previous;
    previous = store.revision;
    if (revision <= 1) return;
    try {
      await store.compact(revision);
    } catch (error) {
      // Nothing was written since the last time, or somebody else compacted further.
      if (error instanceof StoreError && (error.code === "compacted" || error.code === "closed")) return;
      log.warn("cannot compact the store", { revision, error: String(error) });
    }
  });
}
