// Reads of values that are on disk only, when these are large: what is in memory at once is counted in bytes, not in entries.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { seededRandom, silentLog, systemClock } from "#base";
import type { StoreEvent } from "../store.ts";
import type { DiskStore } from "./disk-store.ts";
import { openDiskStore } from "./open.ts";
import type { Answer } from "./protocol.ts";
import { Thread } from "./thread.ts";

/** Above the few megabytes that the reader gives at a time, far below what all of it is. */
const mostBytes = 6_000_000;
const valueBytes = 1_000_000;
const versions = 12;

const bytesOf = (kvs: readonly { readonly value: Uint8Array }[]): number => kvs.reduce((sum, { value }) => sum + value.length, 0);

suite("a read of large older values", () => {
  let directory: string;
  let store: DiskStore;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "tiphys-older-"));
    const open = () =>
      openDiskStore({ directory, clock: systemClock, random: seededRandom(1), log: silentLog, compactEveryMs: 0 });
    {
      await using writer = await open();
      for (let index = 0; index < versions; index++) {
        const key = `k${index % 4}`;
        await writer.transact({ if: [], then: [{ kind: "put", key, value: Buffer.alloc(valueBytes, 65 + index) }] });
      }
    }
    // Opened again, it has the last four in memory and the rest on disk only.
    store = await open();
  });

  after(async () => {
    await store[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  test("the reader hands over a few megabytes at a time, however many rows it is asked for, and every row in the end", async () => {
    const thread = new Thread(new URL("./reader-worker.ts", import.meta.url), directory);
    try {
      const rows = Float64Array.from({ length: versions }, (_, index) => index + 1);
      let read = 0;
      while (read < versions) {
        const answer = await thread.request<Answer>({ kind: "read", rows: rows.slice(read) });
        assert.ok(answer.buffer.byteLength <= mostBytes, `${answer.buffer.byteLength} bytes at once`);
        assert.ok(answer.rows > 0, "each answer goes on");
        read += answer.rows;
      }
      assert.equal(read, versions);
    } finally {
      await thread.close();
    }
  });

  test("a range at an older revision has all its values, in the order of keys", async () => {
    const { kvs } = await store.range("k", { end: "l", revision: 5 });
    assert.deepEqual(
      kvs.map(({ key, value }) => [key, value.length, value.toString("latin1", 0, 1)]),
      ["A", "B", "C", "D"].map((letter, index) => [`k${index}`, valueBytes, letter]),
    );
  });

  test("slices of all history are small, in order and complete", async () => {
    using history = await store.history();
    const found: number[] = [];
    for await (const slice of history.slices()) {
      assert.ok(bytesOf(slice) <= mostBytes, `${bytesOf(slice)} bytes at once`);
      for (const { modRevision, value } of slice) {
        assert.equal(value.length, valueBytes);
        found.push(modRevision);
      }
    }
    assert.deepEqual(
      found,
      Array.from({ length: versions }, (_, index) => index + 2),
    );
  });

  test("a watch from an older revision gets small batches, in order and complete, with what was there before", async () => {
    const events: StoreEvent[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    await using _watch = await store.watch({ key: "k", end: "l", startRevision: 2, previous: true }, (batch) => {
      const bytes = bytesOf(batch.events.flatMap(({ kv, previous }) => (previous === undefined ? [kv] : [kv, previous])));
      if (bytes > mostBytes) reject(new Error(`${bytes} bytes at once`));
      events.push(...batch.events);
      if (events.length >= versions) resolve();
    });
    await promise;
    assert.deepEqual(
      events.map(({ kv, previous }) => [kv.modRevision, kv.value.length, previous?.modRevision, previous?.value.length]),
      Array.from({ length: versions }, (_, index) => {
        const first = index < 4;
        return [index + 2, valueBytes, first ? undefined : index - 2, first ? undefined : valueBytes];
      }),
    );
  });
});
