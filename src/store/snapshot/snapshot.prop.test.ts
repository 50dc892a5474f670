// Whatever is written is read back, and damage anywhere is noticed.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { randomInt, seededRandom, VirtualClock } from "#base";
import type { HistoryRecord } from "../engine/history.ts";
import { openMemoryStore } from "../memory.ts";
import type { Operation } from "../store.ts";
import { crc32c } from "./crc32c.ts";
import { BoltFile, DamagedFile, type Source } from "./file-reader.ts";
import { type Entry, measureFile, writeFile } from "./file-writer.ts";
import { hashHistory } from "./hash.ts";
import { Snapshot } from "./read.ts";
import {
  decodeKeyValue,
  decodeLease,
  encodeKeyValue,
  encodeLease,
  keyValueLength,
  parseRevisionKey,
  revisionKey,
} from "./records.ts";
import { replay } from "./replay.ts";
import { planSnapshot, snapshotBytes } from "./save.ts";

const sourceOf = (bytes: Buffer): Source => ({
  size: bytes.length,
  read: (position, length) => bytes.subarray(position, position + length),
});

async function written(buckets: readonly { name: string; entries: Entry<Buffer>[] }[]): Promise<Buffer> {
  const sliced = buckets.map(({ name, entries }) => ({ name, entries: [entries] }));
  const layout = await measureFile(sliced);
  const pages: Buffer[] = [];
  for await (const page of writeFile(sliced, layout)) pages.push(page);
  return Buffer.concat(pages);
}

const bytes = (constraints: fc.IntArrayConstraints) => fc.uint8Array(constraints).map((array) => Buffer.from(array));

/** Few numbers say what is in a bucket: how many entries, and how long the longest key and value are. */
const entries = fc
  .record({ count: fc.nat(400), key: fc.integer({ min: 4, max: 60 }), value: fc.nat(9000), seed: fc.nat() })
  .map((shape) => {
    const random = seededRandom(shape.seed);
    return Array.from({ length: shape.count }, (_, index) => {
      const key = Buffer.alloc(4 + randomInt(random, shape.key - 3), 0x6b);
      key.writeUInt32BE(index, 0);
      // Most are short, as in life; the others need pages of their own.
      const value = randomInt(random, 10) === 0 ? shape.value : Math.min(shape.value, 100);
      return { key, value: Buffer.from(random.bytes(randomInt(random, value + 1))) };
    });
  });

test("a file of any buckets is read back as it was written", async () => {
  await fc.assert(
    fc.asyncProperty(entries, entries, async (first, second) => {
      const file = new BoltFile(
        sourceOf(
          await written([
            { name: "a", entries: first },
            { name: "b", entries: [] },
            { name: "c", entries: second },
          ]),
        ),
      );
      const buckets = file.buckets();
      assert.deepEqual([...buckets.keys()], ["a", "b", "c"]);
      for (const [name, expected] of [
        ["a", first],
        ["b", []],
        ["c", second],
      ] as const) {
        const found = [...(buckets.get(name)?.entries() ?? [])];
        assert.deepEqual(
          found.map(({ key, value }) => [key.toString("hex"), value.toString("hex")]),
          expected.map(({ key, value }) => [key.toString("hex"), value.toString("hex")]),
        );
      }
    }),
    { numRuns: 30 },
  );
});

test("a tree of three levels is read back in order", async () => {
  const many = Array.from({ length: 12_000 }, (_, i) => ({ key: revisionKey(i + 2, 0), value: Buffer.alloc(64, i) }));
  const file = new BoltFile(sourceOf(await written([{ name: "key", entries: many }])));
  let next = 0;
  for (const { key, value } of file.buckets().get("key")?.entries() ?? []) {
    assert.ok(key.equals(many[next]?.key ?? Buffer.alloc(0)) && value.equals(many[next]?.value ?? Buffer.alloc(0)));
    next++;
  }
  assert.equal(next, many.length);
});

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: fc.constant("put" as const), key: fc.constantFrom("a", "b", "c", "d"), value: bytes({ maxLength: 2000 }) }),
  fc.record({ kind: fc.constant("delete" as const), key: fc.constantFrom("a", "b", "c", "d") }),
);
const programs = fc.record({
  steps: fc.array(fc.uniqueArray(operation, { selector: (each) => (each as { key: string }).key, minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 30,
  }),
  compactAt: fc.double({ min: 0, max: 1, noNaN: true }),
});

/** A store after a program, and its snapshot. */
async function programmed({
  steps,
  compactAt,
}: {
  readonly steps: readonly (readonly Operation[])[];
  readonly compactAt: number;
}) {
  const store = openMemoryStore({ clock: new VirtualClock() });
  await store.grantLease(60, 5n);
  for (const then of steps) await store.transact({ if: [], then });
  const at = Math.floor(compactAt * store.revision);
  if (at > 0) await store.compact(at);
  const history = await store.history();
  const chunks: Buffer[] = [];
  const plan = await planSnapshot(history);
  for await (const chunk of snapshotBytes(history, plan)) chunks.push(chunk);
  const file = Buffer.concat(chunks);
  assert.equal(file.length, plan.totalBytes);
  return { store, history, file };
}

const withoutRow = ({ key, value, createRevision, modRevision, version, lease, sub }: HistoryRecord): HistoryRecord => ({
  key,
  value,
  createRevision,
  modRevision,
  version,
  lease,
  sub,
});

test("a snapshot holds every kept version, the leases and the compacted revision", async () => {
  await fc.assert(
    fc.asyncProperty(programs, async (program) => {
      const { store, history, file } = await programmed(program);
      const snapshot = new Snapshot(sourceOf(file));
      const expected: HistoryRecord[] = [];
      for await (const slice of history.slices()) expected.push(...slice.map(withoutRow));
      const found = [...snapshot.records()];
      assert.deepEqual(found, expected);
      assert.equal(snapshot.compactedRevision, history.compactedRevision);
      assert.deepEqual(snapshot.leases, [{ id: 5n, ttlSeconds: 60 }]);
      const { revision, totalKeys } = snapshot.status();
      assert.equal(totalKeys, (await store.status()).keyCount);
      assert.ok(revision <= store.revision);
    }),
    { numRuns: 60 },
  );
});

test("a flipped byte anywhere is refused by the checksum, and without it read without a crash", async () => {
  await fc.assert(
    fc.asyncProperty(
      programs,
      fc.double({ min: 0, max: 0.9999, noNaN: true }),
      fc.integer({ min: 1, max: 255 }),
      async (program, where, mask) => {
        const { file } = await programmed(program);
        const at = Math.floor(where * file.length);
        file[at] = (file[at] as number) ^ mask;
        assert.throws(() => new Snapshot(sourceOf(file)), DamagedFile);
        const body = file.length - 32;
        createHash("sha256").update(file.subarray(0, body)).digest().copy(file, body);
        try {
          new Snapshot(sourceOf(file)).status();
        } catch (error) {
          assert.ok(error instanceof DamagedFile, String(error));
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("the hash does not depend on whether a compaction has removed what it may", async () => {
  await fc.assert(
    fc.asyncProperty(programs, async (program) => {
      const { history, store } = await programmed(program);
      const { hash, revision } = await hashHistory(history);
      assert.equal(revision, store.revision);
      // From the definition, over a list.
      const all: { key: string; live: boolean; rev: number; bytes: Buffer }[] = [];
      for await (const slice of history.slices()) {
        for (const record of slice) {
          const bytes = Buffer.concat([
            revisionKey(record.modRevision, record.sub, record.version === 0),
            encodeKeyValue(record),
          ]);
          all.push({ key: record.key, live: record.version > 0, rev: record.modRevision, bytes });
        }
      }
      const anyLive = (await store.status()).keyCount > 0;
      const counted = all.filter(({ key, live, rev }, index) => {
        if (rev > history.compactedRevision) return true;
        return (
          live && !(anyLive && all.slice(index + 1).some((later) => later.key === key && later.rev > history.compactedRevision))
        );
      });
      assert.equal(hash, crc32c(Buffer.concat([Buffer.from("key"), ...counted.map((each) => each.bytes)])));
    }),
    { numRuns: 60 },
  );
});

test("a history written again into an empty store has the same kept versions and the same hash", async () => {
  await fc.assert(
    fc.asyncProperty(programs, async (program) => {
      const { history } = await programmed(program);
      const copy = openMemoryStore({ clock: new VirtualClock() });
      await replay(history, copy);
      const again = await copy.history();
      const lists = await Promise.all(
        [history, again].map(async (each) => {
          const records: HistoryRecord[] = [];
          for await (const slice of each.slices()) records.push(...slice.map(withoutRow));
          // Older etcds forget these, so a copy may have its own beside them.
          return records.filter(({ version, modRevision }) => version > 0 || modRevision > each.compactedRevision);
        }),
      );
      assert.deepEqual(lists[1], lists[0]);
      assert.deepEqual(await hashHistory(again), await hashHistory(history));
      assert.deepEqual(again.leases, history.leases);
      if (history.revision > 1) await assert.rejects(replay(history, copy), /only a new one takes older revisions/);
    }),
    { numRuns: 100 },
  );
});

test("crc32c() gives the check value of its definition, in pieces too", () => {
  assert.equal(crc32c(Buffer.from("123456789")), 0xe3069283);
  assert.equal(crc32c(Buffer.from("56789"), crc32c(Buffer.from("1234"))), 0xe3069283);
});

test("keys and values come back from their encoding; a deletion keeps its key only", () => {
  fc.assert(
    fc.property(
      fc.maxSafeNat(),
      fc.maxSafeNat(),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      bytes({ maxLength: 300 }),
      (a, b, lease, value) => {
        const kv = { key: "/k\xff", value, createRevision: a, modRevision: b, version: 1 + (a % 1000), lease };
        const encoded = encodeKeyValue(kv);
        assert.equal(encoded.length, keyValueLength(kv));
        assert.deepEqual(decodeKeyValue(encoded), kv);
        assert.deepEqual(parseRevisionKey(revisionKey(a, b, true)), { revision: a, sub: b, deleted: true });
        assert.deepEqual(decodeLease(encodeLease({ id: lease, ttlSeconds: 1 + (b % 100_000) })), {
          id: lease,
          ttlSeconds: 1 + (b % 100_000),
        });
      },
    ),
  );
  assert.equal(
    encodeKeyValue({ key: "a", value: Buffer.from("x"), createRevision: 1, modRevision: 2, version: 0, lease: 0n }).toString(
      "hex",
    ),
    "0a0161",
  );
});
