// Writers whose every write is known beforehand, and the check that what a store holds is what they wrote: nothing lost, halved or invented.
import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import type { KeyValue, Operation, Revision, Store, StoreEvent } from "#store";

/** Which write it was: the run, the writer in it, and that writer's count. */
export interface WriteName {
  readonly cycle: number;
  readonly writer: number;
  readonly n: number;
}

export interface Acknowledged extends WriteName {
  readonly revision: Revision;
}

/** Now and then a deletion beside the put, three keys at once, a large value; `bytes` scales the values. */
export function operationsOf({ cycle, writer, n }: WriteName, bytes = 3000): readonly Operation[] {
  const key = (of: number | string): string => `/crash/${writer}/${of}`;
  const size = n % 50 === 49 ? 100_000 : (n * 104_729) % bytes;
  const name = `${cycle} ${writer} ${n} ${bytes} `;
  const put: Operation = { kind: "put", key: key(n % 20), value: Buffer.from(name + "x".repeat(size)) };
  if (n % 7 === 6) return [{ kind: "delete", key: key((n - 1) % 20) }, put];
  if (n % 5 !== 4) return [put];
  return [put, ...["second", "third"].map((beside): Operation => ({ kind: "put", key: key(beside), value: Buffer.from(name) }))];
}

/** The write that an event came from; its value says so. */
function writeOf(events: readonly StoreEvent[]): { readonly name: WriteName; readonly bytes: number } {
  const put = events.find(({ type }) => type === "put");
  assert.ok(put !== undefined, `revision ${events[0]?.kv.modRevision} has no put, and every write has one`);
  const [cycle = 0, writer = 0, n = 0, bytes = 0] = put.kv.value.toString("latin1", 0, 100).split(" ").map(Number);
  return { name: { cycle, writer, n }, bytes };
}

/** What the writers were told. */
export interface Told {
  readonly acknowledged: readonly Acknowledged[];
  /** Acknowledged after the moment that the store was taken back to: may be there or not. */
  readonly later: readonly Acknowledged[];
  /** With an error that says that nothing was written. */
  readonly refused: readonly WriteName[];
}

type Held = Omit<KeyValue, "lease" | "key">;

/** What the store must hold, from the writes alone. Goes on from run to run. */
export class Replay {
  revision: Revision = 1;
  readonly #keys = new Map<string, Held>();
  /** The last count seen of each writer of each run. */
  readonly #last = new Map<string, number>();

  /** Everything that the store has gained since the last call; throws at the first thing that is not as it must be. */
  async follow(store: Store, { acknowledged, later, refused }: Told): Promise<void> {
    const from = this.revision;
    const middle = from + Math.floor((store.revision - from) / 2);
    const byRevision = await history(store, from + 1);
    const names = new Map<Revision, string>();
    for (let revision = from + 1; revision <= store.revision; revision++) {
      const events = byRevision.get(revision);
      assert.ok(events !== undefined, `revision ${revision} is missing`);
      const { name, bytes } = writeOf(events);
      const expected = this.#apply(revision, operationsOf(name, bytes));
      assert.deepEqual(events.map(lineOf), expected, `revision ${revision} is not the whole write`);
      this.#count(name, revision);
      names.set(revision, JSON.stringify(name));
      // Older revisions come from disk.
      if (revision === middle) assert.equal(await hashOf(store, middle), this.hash(), `the hash at revision ${middle}`);
    }
    for (const { revision, ...name } of acknowledged)
      assert.equal(names.get(revision), JSON.stringify(name), `acknowledged at revision ${revision}`);
    this.#boundPhantoms(names, [...acknowledged, ...later]);
    const refusals = new Set(refused.map((name) => JSON.stringify(name)));
    for (const [revision, name] of names)
      assert.ok(!refusals.has(name), `revision ${revision} holds write ${name}, which was refused`);
    assert.equal(await hashOf(store), this.hash(), `the hash at revision ${store.revision}`);
  }

  /** Goes over writes that were checked elsewhere. */
  assume(writes: readonly Acknowledged[]): void {
    for (const { revision, ...name } of writes) {
      this.#apply(revision, operationsOf(name));
      this.#count(name, revision);
    }
  }

  /** Of the values at `revision`. */
  hash(): number {
    const sorted = [...this.#keys].sort(([a], [b]) => (a < b ? -1 : 1));
    return hashOfKeys(sorted.map(([key, held]) => ({ key, lease: 0n, ...held })));
  }

  /** The events that this makes. */
  #apply(revision: Revision, operations: readonly Operation[]): string[] {
    const expected: string[] = [];
    for (const operation of operations) {
      if (operation.kind === "put") {
        const before = this.#keys.get(operation.key);
        const { value } = operation;
        const held = {
          value,
          createRevision: before?.createRevision ?? revision,
          modRevision: revision,
          version: (before?.version ?? 0) + 1,
        };
        this.#keys.set(operation.key, held);
        expected.push(line("put", { key: operation.key, lease: 0n, ...held }));
      } else if (operation.kind === "delete" && this.#keys.delete(operation.key)) {
        expected.push(`delete ${operation.key}`);
      }
    }
    this.revision = revision;
    return expected;
  }

  /** A writer's writes come in its order, each once. */
  #count({ cycle, writer, n }: WriteName, revision: Revision): void {
    const last = this.#last.get(`${cycle} ${writer}`) ?? -1;
    assert.equal(n, last + 1, `revision ${revision}: write ${n} of writer ${writer} of run ${cycle} after its write ${last}`);
    this.#last.set(`${cycle} ${writer}`, n);
  }

  /** A writer waits for each answer: beyond the last acknowledged there is at most the one on its way. */
  #boundPhantoms(names: ReadonlyMap<Revision, string>, acknowledged: readonly Acknowledged[]): void {
    const last = new Map<string, number>();
    for (const { cycle, writer, n } of acknowledged) last.set(`${cycle} ${writer}`, n);
    for (const [revision, name] of names) {
      const { cycle, writer, n } = JSON.parse(name) as WriteName;
      assert.ok(n <= (last.get(`${cycle} ${writer}`) ?? -1) + 1, `revision ${revision} holds write ${name}, which nobody made`);
    }
  }
}

const line = (type: string, kv: KeyValue): string =>
  `${type} ${kv.key} ${kv.createRevision} ${kv.modRevision} ${kv.version} ${kv.lease} ${kv.value.length} ${crc32(kv.value)}`;

const lineOf = ({ type, kv }: StoreEvent): string => (type === "put" ? line("put", kv) : `delete ${kv.key}`);

/** Over every key, value and number. */
export const hashOfKeys = (kvs: readonly KeyValue[]): number => kvs.reduce((sum, kv) => crc32(line("", kv), sum), 0);

/** Over every key, value and number that the store shows at that revision. */
export async function hashOf(store: Store, revision: Revision = 0): Promise<number> {
  return hashOfKeys((await store.range("\0", { end: "\0", revision })).kvs);
}

/** Everything from `start` on, by revision, as a watch tells it. */
async function history(store: Store, start: Revision): Promise<Map<Revision, StoreEvent[]>> {
  const byRevision = new Map<Revision, StoreEvent[]>();
  if (start > store.revision) return byRevision;
  const reached = Promise.withResolvers<void>();
  await using watch = await store.watch({ key: "\0", end: "\0", startRevision: start }, ({ revision, events }) => {
    for (const event of events) {
      const together = byRevision.get(event.kv.modRevision);
      if (together === undefined) byRevision.set(event.kv.modRevision, [event]);
      else together.push(event);
    }
    if (revision >= store.revision) reached.resolve();
  });
  void watch.closed.then((reason) => reached.reject(reason ?? new Error("the watch ended")));
  watch.requestProgress();
  await reached.promise;
  return byRevision;
}
