// Writers, a reader and a watcher beside a fault, and the account of what they saw: nothing acknowledged is lost, nothing comes twice.
import assert from "node:assert/strict";
import { sleep, systemClock } from "#base";

export interface Written {
  readonly name: string;
  /** "unknown": it may or may not be there. "refused": it must not be. */
  readonly outcome: "acknowledged" | "unknown" | "refused";
  readonly revision: number;
}

/** What is under load: a store, or an API server. */
export interface Target {
  /** Creates one thing; the revision it got. */
  write(name: string): Promise<number>;
  /** One read that must see every acknowledged write: the names that are there. */
  read(): Promise<readonly string[]>;
  /** Whether a failed write may have been applied all the same. */
  mayBeApplied(error: unknown): boolean;
}

export interface Account {
  readonly written: readonly Written[];
  readonly reads: number;
  /** Messages of reads that failed. */
  readonly failedReads: readonly string[];
  /** Between two successful reads, the longest time. */
  readonly longestReadGapMs: number;
  /** Between two acknowledged writes, the longest time. */
  readonly longestWriteGapMs: number;
  /** All of it in one line. */
  readonly report: string;
}

const mostUnderWay = 500;

/** Writes at both rates and reads, until `during` is over. */
export async function underLoad(
  target: Target,
  rates: { readonly slowMs: number; readonly fastMs: number },
  during: () => Promise<void>,
): Promise<Account> {
  const written: Written[] = [];
  const failedReads: string[] = [];
  const broken: Error[] = [];
  let over = false;
  let reads = 0;
  let longestReadGapMs = 0;
  let longestWriteGapMs = 0;
  const underWay = new Set<Promise<void>>();
  let lastWrite = performance.now();
  const write = async (name: string): Promise<void> => {
    try {
      written.push({ name, outcome: "acknowledged", revision: await target.write(name) });
      longestWriteGapMs = Math.max(longestWriteGapMs, performance.now() - lastWrite);
      lastWrite = performance.now();
    } catch (error) {
      if (error instanceof assert.AssertionError) broken.push(error);
      written.push({ name, outcome: target.mayBeApplied(error) ? "unknown" : "refused", revision: 0 });
    }
  };
  /** Begins a write at each interval, whatever became of those before it. */
  const writer = async (prefix: string, everyMs: number): Promise<void> => {
    for (let i = 0; !over; i++) {
      if (underWay.size < mostUnderWay) {
        const running = write(`${prefix}-${i}`).finally(() => underWay.delete(running));
        underWay.add(running);
      }
      await sleep(systemClock, everyMs);
    }
    await Promise.all(underWay);
  };
  const reader = async (): Promise<void> => {
    let last = performance.now();
    while (!over) {
      const before = written.filter(({ outcome }) => outcome === "acknowledged").map(({ name }) => name);
      try {
        const seen = new Set(await target.read());
        const missed = before.filter((name) => !seen.has(name));
        assert.deepEqual(missed, [], "a read did not see what was acknowledged before it");
        reads++;
        longestReadGapMs = Math.max(longestReadGapMs, performance.now() - last);
        last = performance.now();
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        failedReads.push(String(error));
      }
      await sleep(systemClock, 20);
    }
  };
  const loads = Promise.all([writer("slow", rates.slowMs), writer("fast", rates.fastMs), reader()]);
  try {
    await Promise.race([during(), loads]);
  } finally {
    over = true;
  }
  await loads;
  if (broken[0] !== undefined) throw broken[0];
  const count = (outcome: string): number => written.filter((each) => each.outcome === outcome).length;
  const report =
    `${count("acknowledged")} writes acknowledged, ${count("unknown")} unknown, ${count("refused")} refused; ` +
    `${reads} reads, ${failedReads.length} failed; longest gap of reads ${Math.round(longestReadGapMs)} ms, of writes ${Math.round(longestWriteGapMs)} ms`;
  return { written, reads, failedReads, longestReadGapMs, longestWriteGapMs, report };
}

export interface Seen {
  readonly name: string;
  readonly revision: number;
}

/** Holds what was written against what is there and what a watch from the beginning has told. */
export function settle(written: readonly Written[], there: readonly Seen[], watched: readonly Seen[]): void {
  const revisions = new Map(there.map(({ name, revision }) => [name, revision]));
  const outcomes = new Map(written.map((each) => [each.name, each]));
  for (const { name, outcome, revision } of written) {
    if (outcome === "acknowledged") assert.equal(revisions.get(name), revision, `"${name}" was acknowledged`);
    else if (outcome === "refused") assert.equal(revisions.get(name), undefined, `"${name}" was refused`);
  }
  for (const { name } of there) assert.ok(outcomes.has(name), `"${name}" was never written`);
  const byRevision = [...there].sort((a, b) => a.revision - b.revision);
  assert.deepEqual(watched, byRevision, "the watch tells each write once, in order");
}
