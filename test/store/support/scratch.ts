// Directories that go away, stores in them, and the short words that the tests of bad days share.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom, silentLog, systemClock } from "#base";
import { type DiskStore, type DiskStoreOptions, openDiskStore, type Store, StoreError } from "#store";

/** A fresh directory, gone with everything in it at the end of the scope. */
export class Scratch implements Disposable {
  readonly path: string;

  /** `inMemory`: where fsync costs nothing, for tests that make hundreds of stores and pull no plug. */
  constructor(name: string, { inMemory = false }: { readonly inMemory?: boolean } = {}) {
    this.path = mkdtempSync(join(inMemory && existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), `tiphys-${name}-`));
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Without compaction on a timer. */
export const openStore = (directory: string, more: Partial<DiskStoreOptions> = {}): Promise<DiskStore> =>
  openDiskStore({ directory, clock: systemClock, random: seededRandom(1), log: silentLog, compactEveryMs: 0, ...more });

export const put = (store: Store, key: string, value: string | Buffer) =>
  store.transact({ if: [], then: [{ kind: "put", key, value: Buffer.from(value) }] });

/** For assert.rejects: a StoreError of that code whose message matches. */
export const storeError = (expected: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof StoreError, String(error));
  assert.equal(error.code, expected, error.message);
  assert.match(error.message, message);
  return true;
};

/** How often a test does its round: `name` in the environment, or what fits into a run of all tests. */
export const times = (name: string, normally: number): number => Number(process.env[name] ?? normally);

/** Runs `work` so many times at once; when one fails the others still come to their end before this throws, so that nothing outlives a test. */
export async function inLanes<T>(lanes: number, work: (lane: number) => Promise<T>): Promise<T[]> {
  const results = await Promise.allSettled(Array.from({ length: lanes }, (_, lane) => work(lane)));
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}
