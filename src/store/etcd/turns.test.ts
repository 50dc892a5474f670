// Compaction in turns, and questions that many ask at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog, VirtualClock } from "#base";
import { openMemoryStore } from "../memory.ts";
import type { Store } from "../store.ts";
import { Shared } from "./shared.ts";
import { compactInTurns } from "./turns.ts";

const periodMs = 300_000;
const put = (store: Store, key: string) => store.transact({ if: [], then: [{ kind: "put", key, value: Buffer.from("1") }] });

test("of two servers that share a store one compacts each period, to where the store was a period ago", async () => {
  const clock = new VirtualClock();
  await using store = openMemoryStore({ clock });
  const compactions: number[] = [];
  const servers = [0, 1].map(() =>
    compactInTurns(
      {
        transact: (transaction) => store.transact(transaction),
        compact: async (revision) => {
          await store.compact(revision);
          compactions.push(revision);
        },
      },
      clock,
      periodMs,
      silentLog,
    ),
  );
  const ends: number[] = [];
  for (let period = 0; period < 4; period++) {
    for (let i = 0; i < 10; i++) await put(store, `/${i}`);
    await clock.advance(periodMs);
    ends.push(store.revision);
  }
  // In the first period nobody knows how old anything is.
  assert.deepEqual(compactions, ends.slice(0, 3));
  assert.equal((await store.get("compact_rev_key"))?.version, 4);
  assert.equal((await store.status()).compactedRevision, ends[2]);
  for (const server of servers) server.cancel();
});

test("a server whose turn is taken goes on from there, and a compaction further on by hand is no fault", async () => {
  const clock = new VirtualClock();
  await using store = openMemoryStore({ clock });
  await put(store, "/a");
  await store.transact({ if: [], then: [{ kind: "put", key: "compact_rev_key", value: Buffer.from("2") }] });
  const warnings: unknown[] = [];
  const log = { ...silentLog, warn: (...words: unknown[]) => void warnings.push(words) };
  const server = compactInTurns(store, clock, periodMs, log);
  await clock.advance(periodMs);
  const { revision } = await put(store, "/a");
  await store.compact(revision);
  await clock.advance(periodMs);
  await clock.advance(periodMs);
  assert.deepEqual(warnings, []);
  assert.equal((await store.get("compact_rev_key"))?.version, 3);
  server.cancel();
});

test("who asks while a question is under way shares the next one, which begins after he asked", async () => {
  const calls: PromiseWithResolvers<number>[] = [];
  const shared = new Shared(() => {
    const call = Promise.withResolvers<number>();
    calls.push(call);
    return call.promise;
  });
  const [first, second, third] = [shared.next(), shared.next(), shared.next()];
  assert.equal(calls.length, 1);
  calls[0]?.resolve(1);
  assert.equal(await first, 1);
  assert.equal(calls.length, 2);
  const fourth = shared.next();
  calls[1]?.reject(new Error("away"));
  await assert.rejects(second, /away/);
  await assert.rejects(third, /away/);
  assert.equal(calls.length, 3);
  calls[2]?.resolve(3);
  assert.equal(await fourth, 3);
});
