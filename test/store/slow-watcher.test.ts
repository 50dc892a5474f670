// One of a thousand watchers hardly reads: it costs little memory, the others do not notice, and it never misses an event without being told.
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog, sleep, systemClock } from "#base";
import { openMemoryStore, prefixEnd, type Store, startEtcdServer } from "#store";
import { openStore, put, Scratch } from "./support/scratch.ts";
import { openWatchChannel, openWatchStream, type WatchStreamClient } from "./support/watch-stream.ts";

const others = 999;
const streams = 9;
const writes = 3_000;
const value = Buffer.alloc(4_000, "x");
const keyOf = (index: number): string => `/slow/${String(index % others).padStart(4, "0")}`;
/** What the slow one may keep in memory, whatever it leaves unread. */
const mostBytes = 1024 * 1024;

test("a watcher that does not read, among a thousand: memory", () => scenario(openMemoryStore({ clock: systemClock })));

test("a watcher that does not read, among a thousand: disk", async () => {
  using scratch = new Scratch("slow-watcher");
  await scenario(await openStore(scratch.path));
});

async function scenario(backend: Store): Promise<void> {
  await using store = backend;
  await using server = await startEtcdServer({ store, clock: systemClock, log: silentLog, listen: "127.0.0.1:0" });
  const channel = await openWatchChannel(server.url);
  try {
    const first = store.revision + 1;
    const quick = Array.from({ length: streams }, (_, stream) => {
      const keys = Array.from({ length: others / streams }, (_key, index) => keyOf(index * streams + stream));
      return openWatchStream(
        channel,
        keys.map((key) => ({ key })),
      );
    });
    const slow = openWatchStream(channel, [{ key: "/slow/", end: prefixEnd("/slow/") }]);
    const created = quick.map((stream) => take(stream, (got) => got.created === others / streams));
    assert.equal((await slow.responses.next()).value?.created, true);
    await Promise.all(created);

    const served = quick.map((stream, index) => {
      const count = writesOf(index).length;
      return take(stream, (got) => got.revisions.length === count);
    });
    let most = 0;
    for (let i = 0; i < writes; i += 10) {
      await Promise.all(Array.from({ length: 10 }, (_, n) => put(store, keyOf(i + n), value)));
      await sleep(systemClock, 0);
      most = Math.max(most, server.watching().mostUnreadBytes);
    }
    for (const [index, { revisions }] of (await Promise.all(served)).entries())
      assert.deepEqual(
        revisions.toSorted((a, b) => a - b),
        writesOf(index).map((n) => first + n),
        `the others, stream ${index}`,
      );

    const { slow: put_down, watches } = server.watching();
    assert.deepEqual([put_down, watches], [1, others + 1]);
    assert.ok(most > 100_000 && most <= mostBytes, `${most} bytes waited for the slow one`);
    await endsWithoutGap(slow, store, first);
  } finally {
    channel.close();
  }
}

/** The writes, by number, that the watches of one of the quick streams want. */
const writesOf = (stream: number): number[] =>
  Array.from({ length: writes }, (_, n) => n).filter((n) => (n % others) % streams === stream);

interface Got {
  created: number;
  readonly revisions: number[];
}

/** Each watch of the stream is in order; among themselves they need not be. */
async function take({ responses }: WatchStreamClient, enough: (got: Got) => boolean): Promise<Got> {
  const got: Got = { created: 0, revisions: [] };
  const last = new Map<unknown, number>();
  while (!enough(got)) {
    const { value: response } = await responses.next();
    assert.ok(response !== undefined && !response.canceled, "a quick watch ended");
    if (response.created) got.created++;
    for (const { kv } of response.events) {
      const revision = Number(kv.mod_revision);
      assert.ok(revision > (last.get(response.watch_id) ?? 0), "a quick watch is out of order");
      last.set(response.watch_id, revision);
      got.revisions.push(revision);
    }
  }
  return got;
}

/** It begins to read when what it has not been sent is compacted away. */
async function endsWithoutGap({ responses }: WatchStreamClient, store: Store, first: number): Promise<void> {
  const last = store.revision;
  await store.compact(last);
  let next = first;
  for await (const { canceled, compact_revision, events } of responses) {
    if (canceled) {
      assert.equal(Number(compact_revision), last);
      assert.ok(next > first && next < last, `it was cancelled after revision ${next - 1} of ${last}`);
      return;
    }
    for (const { kv } of events) assert.equal(Number(kv.mod_revision), next++, "the slow one, a gap");
  }
  assert.fail("the slow one's stream ended without a word");
}
