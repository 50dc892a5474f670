import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { seededRandom } from "#base";
import { evicted } from "../engine/state.ts";
import { Restoration } from "./restore.ts";
import { type Chunk, WireWriter } from "./wire.ts";

interface Row {
  readonly revision: number;
  readonly key: string;
  /** 0: deleted. */
  readonly version: number;
  readonly value?: string;
}

interface NumberedRow extends Row {
  readonly row: number;
}

/** Rows newest first, as they come from the file. */
function chunkOf(...rows: readonly NumberedRow[]): Chunk {
  const writer = new WireWriter(1000);
  const values = rows.map(({ value }) => Buffer.from(value ?? "old"));
  for (const [index, { row, revision, key, version }] of rows.entries())
    writer.writeHead(row, revision, 0, Buffer.from(key), 0, key.length, revision, version, 0n, values[index]?.length ?? 0);
  return { heads: writer.buffer, length: writer.length, values: Uint8Array.from(Buffer.concat(values.reverse())) };
}

/** Rows oldest first, numbered from 1; a chunk each. */
function restore(rows: readonly Row[], compactedRevision: number) {
  const restoration = new Restoration(seededRandom(1));
  rows
    .map((row, index) => chunkOf({ ...row, row: index + 1 }))
    .reverse()
    .forEach((chunk) => void restoration.add(chunk, compactedRevision));
  const revision = rows.at(-1)?.revision ?? 1;
  const { state, garbage } = restoration.finish({ revision, row: rows.length, compactedRevision, leases: [] });
  const log: (readonly [revision: number, row: number, previousRow: number | undefined])[] = [];
  state.log.scan(0, undefined, (entry) => {
    for (const { version, previous } of entry.changes) {
      log.push([entry.revision, version.row, previous?.row]);
      assert.ok(version.version === 0 || version.value === evicted, "the log holds no values");
    }
  });
  const live: string[] = [];
  state.live.scan("", undefined, ({ key, value }) => void live.push(`${key}=${value}`));
  return { live, log, garbage };
}

suite("Restoration", () => {
  test("keeps the newest of each key, in the order of keys", () => {
    const rows: Row[] = [
      { revision: 2, key: "b", version: 1 },
      { revision: 3, key: "c", version: 1, value: "C" },
      { revision: 4, key: "a", version: 1, value: "A" },
      { revision: 5, key: "b", version: 2, value: "B" },
    ];
    assert.deepEqual(restore(rows, 0).live, ["a=A", "b=B", "c=C"]);
  });

  test("condemns a deletion after what it deleted: a kill between the two must not bring that back", () => {
    const rows: Row[] = [
      { revision: 2, key: "a", version: 1 },
      { revision: 3, key: "a", version: 2 },
      { revision: 4, key: "a", version: 0 },
      { revision: 5, key: "b", version: 1, value: "B" },
    ];
    const { garbage, live } = restore(rows, 5);
    assert.deepEqual(garbage, [1, 2, 3]);
    assert.deepEqual(live, ["b=B"]);
  });

  test("gives each change after the compaction what was there before, also from before the compaction", () => {
    const rows: Row[] = [
      { revision: 2, key: "a", version: 1 },
      { revision: 3, key: "a", version: 2 },
      { revision: 4, key: "a", version: 0 },
      { revision: 5, key: "a", version: 1, value: "new" },
    ];
    const { log, garbage } = restore(rows, 2);
    assert.deepEqual(log, [
      [2, 1, undefined],
      [3, 2, 1],
      [4, 3, 2],
      [5, 4, undefined], // a deletion is nothing to have been before
    ]);
    assert.deepEqual(garbage, []);
  });

  test("condemns what was replaced at or before the compaction, and deletions before it", () => {
    const rows: Row[] = [
      { revision: 2, key: "a", version: 1 },
      { revision: 3, key: "a", version: 2 }, // needed: what "a" was at the compaction
      { revision: 4, key: "gone", version: 1 },
      { revision: 5, key: "gone", version: 0 },
      { revision: 6, key: "late", version: 1 },
      { revision: 7, key: "late", version: 0 }, // the compacted revision itself is kept
      { revision: 8, key: "a", version: 3, value: "A" },
    ];
    const { live, log, garbage } = restore(rows, 7);
    assert.deepEqual(live, ["a=A"]);
    assert.deepEqual(log, [
      [7, 6, undefined],
      [8, 7, 2],
    ]);
    assert.deepEqual(garbage, [1, 3, 4, 5]);
  });

  test("what was replaced does not stay in memory with what was not", () => {
    const restoration = new Restoration(seededRandom(1));
    const rows = [
      { row: 4, revision: 5, key: "c", version: 1, value: "third" },
      { row: 3, revision: 4, key: "a", version: 2, value: "second" },
      { row: 2, revision: 3, key: "b", version: 1, value: "first" },
      { row: 1, revision: 2, key: "a", version: 1, value: "replaced".repeat(1000) },
    ];
    restoration.add(chunkOf(...rows), 0);
    const { state } = restoration.finish({ revision: 5, row: 4, compactedRevision: 0, leases: [] });
    const values = ["a", "b", "c"].map((key) => state.live.get(key)?.value);
    assert.deepEqual(values.map(String), ["second", "first", "third"]);
    assert.equal(values[0]?.buffer.byteLength, "secondfirstthird".length);
  });
});
