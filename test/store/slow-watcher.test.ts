// One of a thousand watchers reads one event a second: it costs little memory, the others do not notice, and it never misses an event without
// being told. A second is what is written in it, so that the speed of the machine says nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog, sleep, systemClock } from "#base";
import { openMemoryStore, prefixEnd, type Store, startEtcdServer } from "#store";
import { openStore, put, Scratch } from "./support/scratch.ts";
import { openWatchChannel, openWatchStream, type WatchStreamClient } from "./support/watch-stream.ts";

const others = 999;
const streams = 9;
const seconds = 30;
const writesPerSecond = 100;
const writes = seconds * writesPerSecond;
const together = 10;
const value = Buffer.alloc(4_000, "x");
const keyOf = (index: number): string => `/slow/${String(index % others).padStart(4, "0")}`;
/** What the slow one may keep in memory, whatever it leaves unread. */
const mostBytes = 1024 * 1024;

test("a watcher that reads one event a second, among a thousand: memory", () =>
  scenario(openMemoryStore({ clock: systemClock })));

test("a watcher that reads one event a second, among a thousand: disk", async () => {
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
    const slowly = revisionsOf(slow);
    await Promise.all(created);

    const served = quick.map((stream, index) => {
      const count = writesOf(index).length;
      return take(stream, (got) => got.revisions.length === count);
    });
    let most = 0;
    for (let done = 0; done < writes; ) {
      await Promise.all(Array.from({ length: together }, (_, n) => put(store, keyOf(done + n), value)));
      await turn();
      most = Math.max(most, server.watching().mostUnreadBytes);
      done += together;
      if (done % writesPerSecond === 0)
        assert.deepEqual(await slowly.next(), { done: false, value: first - 1 + done / writesPerSecond }, "one event a second");
    }
    for (const [index, { revisions }] of (await Promise.all(served)).entries())
      assert.deepEqual(
        revisions.toSorted((a, b) => a - b),
        writesOf(index).map((n) => first + n),
        `the others, stream ${index}`,
      );

    assert.ok(most > 100_000 && most <= mostBytes, `${most} bytes waited for the slow one`);
    // What it read last may just have made room for more.
    while (server.watching().slow !== 1) await turn();
    assert.equal(server.watching().watches, others + 1);
    await endsWithoutGap(slowly, store, first + seconds);
  } finally {
    channel.close();
  }
}

const turn = (): Promise<void> => sleep(systemClock, 0);

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

/** One event at a time: an answer is taken from the connection when those before it are used up. Ends with the revision of a compaction. */
async function* revisionsOf({ responses }: WatchStreamClient): AsyncGenerator<number, number | undefined> {
  for await (const { canceled, compact_revision, events } of responses) {
    if (canceled) return Number(compact_revision);
    for (const { kv } of events) yield Number(kv.mod_revision);
  }
  return undefined;
}

/** It reads as fast as it can, from event `next` on, when what it has not been sent is compacted away. */
async function endsWithoutGap(slowly: ReturnType<typeof revisionsOf>, store: Store, next: number): Promise<void> {
  const last = store.revision;
  await store.compact(last);
  let wanted = next;
  let got = await slowly.next();
  for (; got.done !== true; got = await slowly.next()) assert.equal(got.value, wanted++, "the slow one, a gap");
  assert.equal(got.value, last, "the slow one's stream ended without a word of the compaction");
  assert.ok(wanted < last, `it was cancelled after revision ${wanted - 1} of ${last}`);
}
