// A watch stream whose client reads slowly, and one whose client asks for its progress.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { VirtualClock } from "#base";
import { openMemoryStore } from "../memory.ts";
import type { Store } from "../store.ts";
import { WatchStream } from "./facade-watch.ts";
import { etcdMessages, keyBytes, type WireWatchResponse } from "./wire.ts";

/** A client that takes `room` answers and then no more until it is asked to drain. */
class Client {
  readonly store: Store;
  readonly answers: WireWatchResponse[] = [];
  readonly failures: unknown[] = [];
  room = Number.POSITIVE_INFINITY;
  readonly clock = new VirtualClock();
  readonly #stream: WatchStream;

  constructor(store: Store = openMemoryStore({ clock: new VirtualClock() })) {
    this.store = store;
    this.#stream = new WatchStream({
      store,
      clock: this.clock,
      header: (revision = store.revision) => ({ revision }),
      ended: () => {},
      stream: {
        send: (response) => {
          this.answers.push(response as WireWatchResponse);
          return --this.room > 0;
        },
        end: () => {},
        fail: (error) => this.failures.push(error),
      },
    });
  }

  get slow(): number {
    return this.#stream.counts.slow;
  }

  /** Sends a request and lets what follows from it happen. */
  async say(request: object): Promise<void> {
    this.#stream.message(
      etcdMessages.decode("etcdserverpb.WatchRequest", etcdMessages.encode("etcdserverpb.WatchRequest", request)),
    );
    await settle();
  }

  watch(key: string, more: object = {}): Promise<void> {
    return this.say({ create_request: { key: keyBytes(key), ...more } });
  }

  async drain(room = Number.POSITIVE_INFINITY): Promise<void> {
    this.room = room;
    this.#stream.drained();
    await settle();
  }

  async put(key: string, value = "x"): Promise<void> {
    await this.store.transact({ if: [], then: [{ kind: "put", key, value: Buffer.from(value) }] });
    await settle();
  }

  /** "id: revisions" of each answer with events, "id: progress to R", "id: cancelled at R". */
  lines(): string[] {
    return this.answers.flatMap(({ watch_id, created, canceled, events = [], header, compact_revision }) => {
      if (created) return [];
      if (canceled) return [`${watch_id}: cancelled at ${compact_revision}`];
      if (events.length === 0) return [`${watch_id}: progress to ${header?.revision}`];
      return [`${watch_id}: ${events.map(({ kv }) => kv.mod_revision).join(" ")}`];
    });
  }
}

/** The same store, but for its watches. */
const withWatch = (store: Store, watch: Store["watch"]): Store =>
  new Proxy(store, {
    get: (target, name) => {
      const value = name === "watch" ? watch : Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

suite("a watch stream", () => {
  test("goes on, when its client has caught up, exactly where it stopped", async () => {
    const client = new Client();
    await client.watch("a", { watch_id: 1 });
    client.room = 2;
    for (let i = 0; i < 6; i++) await client.put("a");
    assert.deepEqual(client.lines(), ["1: 2", "1: 3"]);
    assert.equal(client.slow, 1);
    await client.drain();
    assert.deepEqual(client.lines(), ["1: 2", "1: 3", "1: 4 5 6 7"]);
    assert.equal(client.slow, 0);
    await client.put("a");
    assert.equal(client.lines().at(-1), "1: 8");
    assert.deepEqual(client.failures, []);
  });

  test("does not put down a watch that has nothing to say while its client is slow, however far compaction goes", async () => {
    const client = new Client();
    await client.watch("quiet", { watch_id: 1 });
    await client.watch("busy", { watch_id: 2 });
    client.room = 1;
    for (let i = 0; i < 4; i++) await client.put("busy");
    assert.equal(client.slow, 1);
    await client.store.compact(5);
    await client.drain();
    await client.put("quiet");
    assert.deepEqual(client.lines(), ["2: 2", "2: cancelled at 5", "1: 6"]);
  });

  test("takes up the watch that is farthest behind first", async () => {
    const client = new Client();
    for (const [index, key] of ["a", "b", "c"].entries()) await client.watch(key, { watch_id: index + 1 });
    client.room = 1;
    for (const key of ["a", "c", "b", "a"]) await client.put(key);
    for (let i = 0; i < 3; i++) await client.drain(1);
    assert.deepEqual(client.lines(), ["1: 2", "3: 3", "2: 4", "1: 5"]);
  });

  test("cuts a long history into answers of whole revisions, and stops where its client has no more room", async () => {
    const client = new Client();
    const large = Buffer.alloc(50_000, "x");
    for (let i = 0; i < 8; i++) {
      const then = ["a", "b"].map((key) => ({ kind: "put", key, value: large }) as const);
      await client.store.transact({ if: [], then });
    }
    client.room = 3;
    await client.watch("a", { watch_id: 1, range_end: keyBytes("c"), start_revision: 2 });
    assert.deepEqual(client.lines(), ["1: 2 2 3 3", "1: 4 4 5 5"]);
    assert.deepEqual(
      client.answers.slice(1).map(({ header }) => header?.revision),
      [3, 5],
    );
    await client.drain();
    assert.deepEqual(client.lines().slice(2), ["1: 6 6 7 7", "1: 8 8 9 9"]);
  });

  test("reads no further in the store than its client has room for", async () => {
    const client = new Client();
    for (let i = 0; i < 2000; i++) await client.put("a");
    let delivered = 0;
    const counting = new Client(
      withWatch(client.store, (request, deliver) =>
        client.store.watch(request, (batch) => {
          delivered += batch.events.length;
          deliver(batch);
        }),
      ),
    );
    counting.room = 2;
    await counting.watch("a", { watch_id: 1, start_revision: 2 });
    assert.equal(counting.slow, 1);
    assert.ok(delivered <= 300, `${delivered} events were read for a client that takes one answer`);
  });

  test("does not tell its progress before its slow watches have been served that far", async () => {
    const client = new Client();
    await client.watch("a", { watch_id: 1 });
    await client.watch("b", { watch_id: 2 });
    client.room = 1;
    for (let i = 0; i < 3; i++) await client.put("a");
    await client.say({ progress_request: {} });
    assert.deepEqual(client.lines(), ["1: 2"]);
    await client.drain();
    assert.deepEqual(client.lines(), ["1: 2", "1: 3 4", "-1: progress to 4"]);
  });

  test("does not tell a progress that a watch made meanwhile has not made", async () => {
    const { store } = new Client();
    const gates = new Map(["a", "b"].map((key) => [key, Promise.withResolvers<void>()]));
    const client = new Client(
      withWatch(store, async (request, deliver) => {
        await gates.get(request.key)?.promise;
        return store.watch(request, deliver);
      }),
    );
    await client.put("a");
    await client.put("b");
    await client.watch("a", { watch_id: 1, start_revision: 2 });
    await client.say({ progress_request: {} });
    await client.watch("b", { watch_id: 2, start_revision: 2 });
    gates.get("a")?.resolve();
    await settle();
    assert.deepEqual(client.lines(), ["1: 2"]);
    gates.get("b")?.resolve();
    await settle();
    assert.deepEqual(client.lines(), ["1: 2", "2: 3", "-1: progress to 3"]);
  });

  test("tells a watch that waits for a future revision how far the store is, every ten minutes", async () => {
    const client = new Client();
    await client.watch("a", { watch_id: 1, start_revision: 100, progress_notify: true });
    await client.clock.advance(600_000);
    await client.put("b");
    await client.clock.advance(600_000);
    assert.deepEqual(client.lines(), ["1: progress to 1", "1: progress to 2"]);
  });

  test("ends a slow watch whose next event is compacted away, without a gap before", async () => {
    const client = new Client();
    await client.watch("a", { watch_id: 1 });
    client.room = 2;
    for (let i = 0; i < 6; i++) await client.put("a");
    await client.store.compact(5);
    await client.drain();
    assert.deepEqual(client.lines(), ["1: 2", "1: 3", "1: cancelled at 5"]);
  });

  test("tells that a watch is cancelled before it tells a progress that this watch has not made", async () => {
    const client = new Client();
    await client.watch("a", { watch_id: 1 });
    await client.watch("b", { watch_id: 2 });
    client.room = 1;
    for (let i = 0; i < 4; i++) await client.put("a");
    await client.say({ progress_request: {} });
    await client.store.compact(5);
    await client.drain();
    assert.deepEqual(client.lines(), ["1: 2", "1: cancelled at 5", "-1: progress to 5"]);
  });

  test("that ends leaves no watch in the store", async () => {
    const client = new Client();
    await client.watch("a", { watch_id: 1 });
    await client.say({ cancel_request: { watch_id: 1 } });
    await client.put("a");
    assert.deepEqual(client.lines(), ["1: cancelled at undefined"]);
    assert.equal(client.slow, 0);
  });
});
