// The memory store: the contract, and what only it can do.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { VirtualClock } from "#base";
import { MemoryStore } from "./memory.ts";
import { bytes, put } from "./testing/contract/subject.ts";
import { storeContract } from "./testing/contract.ts";
import { Recorder } from "./testing/recorder.ts";

storeContract("memory", async () => {
  const clock = new VirtualClock();
  const store = new MemoryStore({ clock });
  return { store, advance: (ms) => clock.advance(ms), [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
});

suite("MemoryStore", () => {
  test("begins at revision 1", () => {
    assert.equal(new MemoryStore({ clock: new VirtualClock() }).revision, 1);
  });

  test("fork() shares the past and nothing of the future", async () => {
    const clock = new VirtualClock();
    await using store = new MemoryStore({ clock });
    for (let i = 0; i < 300; i++) await store.transact({ if: [], then: [put(`/f/${i}`, "before")] });
    await using fork = store.fork();
    await store.transact({ if: [], then: [put("/f/7", "left")] });
    await fork.transact({ if: [], then: [put("/f/7", "right"), { kind: "delete", key: "/f/8" }] });
    assert.equal(store.get("/f/7")?.value.toString(), "left");
    assert.equal(fork.get("/f/7")?.value.toString(), "right");
    assert.equal(fork.get("/f/7", 301)?.value.toString(), "before");
    assert.equal(store.get("/f/8")?.value.toString(), "before");
    assert.equal(fork.get("/f/8"), undefined);
    assert.deepEqual([store.revision, fork.revision], [302, 302]);
    await fork.compact(302);
    assert.equal(store.get("/f/7", 301)?.value.toString(), "before");
  });

  test("fork() carries leases, which run out in each on their own", async () => {
    const clock = new VirtualClock();
    await using store = new MemoryStore({ clock });
    const { id } = await store.grantLease(10);
    await store.transact({ if: [], then: [put("/f/a", "1", { lease: id })] });
    await using fork = store.fork();
    await clock.advance(8000);
    await store.keepLeaseAlive(id);
    await clock.advance(5000);
    assert.equal(store.get("/f/a")?.value.toString(), "1");
    assert.equal(fork.get("/f/a"), undefined);
  });

  test("a watcher that throws is ended with the reason and does not harm the others", async () => {
    await using store = new MemoryStore({ clock: new VirtualClock() });
    const bad = await store.watch({ key: "/a" }, () => {
      throw new Error("no room");
    });
    await using good = await Recorder.open(store, { key: "/a" });
    await store.transact({ if: [], then: [put("/a", "1")] });
    assert.match(String((await bad.closed)?.message), /no room/);
    assert.equal(good.events.length, 1);
  });

  test("closing ends watches and timers and refuses everything after", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore({ clock });
    const { id } = await store.grantLease(5);
    await store.transact({ if: [], then: [put("/a", "1", { lease: id })] });
    const watch = await store.watch({ key: "/a" }, () => {});
    await store[Symbol.asyncDispose]();
    assert.equal(await watch.closed, undefined);
    await clock.advance(10_000);
    assert.throws(() => store.get("/a"), /closed/);
    await assert.rejects(store.transact({ if: [], then: [] }), /closed/);
  });

  test("the revision slot is filled with the revision of the write", async () => {
    await using store = new MemoryStore({ clock: new VirtualClock() });
    await store.transact({ if: [], then: [{ kind: "put", key: "/a", value: bytes(`{${" ".repeat(18)}}`), revisionSlot: 1 }] });
    assert.equal(store.get("/a")?.value.toString(), `{"2"${" ".repeat(15)}}`);
  });
});
