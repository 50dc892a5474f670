import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#base";
import { WorkQueue } from "./work-queue.ts";

const newQueue = () => {
  const clock = new VirtualClock();
  return { clock, queue: new WorkQueue({ clock }) };
};

test("take() gives keys in the order in which they were added, each once", async () => {
  const { queue } = newQueue();
  for (const key of ["a", "b", "a", "c", "b"]) queue.add(key);
  assert.deepEqual([await queue.take(), await queue.take(), await queue.take()], ["a", "b", "c"]);
  assert.equal(queue.length, 0);
});

test("a key added while it is processed comes again only after done()", async () => {
  const { queue } = newQueue();
  queue.add("a");
  await queue.take();
  queue.add("a");
  queue.add("a");
  assert.equal(queue.length, 0);
  queue.done("a");
  assert.equal(await queue.take(), "a");
  queue.done("a");
  assert.ok(queue.idle);
});

test("retry() doubles the delay from 5 ms to 1000 s and forget() starts over", async () => {
  const { clock, queue } = newQueue();
  const delays: number[] = [];
  for (let i = 0; i < 20; i++) {
    const before = clock.monotonic();
    queue.retry("a");
    const taken = queue.take();
    await clock.runUntil(() => queue.length === 0 && clock.monotonic() > before && queue.retries("a") === i + 1);
    assert.equal(await taken, "a");
    delays.push(clock.monotonic() - before);
    queue.done("a");
  }
  assert.deepEqual(delays.slice(0, 4), [5, 10, 20, 40]);
  assert.equal(delays.at(-1), 1_000_000);
  queue.forget("a");
  assert.equal(queue.retries("a"), 0);
});

test("addAfter() keeps the shortest of several delays", async () => {
  const { clock, queue } = newQueue();
  queue.addAfter("a", 500);
  queue.addAfter("a", 100);
  queue.addAfter("a", 900);
  await clock.advance(99);
  assert.equal(queue.length, 0);
  await clock.advance(1);
  assert.equal(await queue.take(), "a");
  queue.done("a");
  await clock.advance(10_000);
  assert.ok(queue.idle);
});

test("dispose wakes waiting workers with undefined and forgets delayed keys", async () => {
  const { clock, queue } = newQueue();
  const taken = queue.take();
  queue.addAfter("a", 10);
  queue[Symbol.dispose]();
  assert.equal(await taken, undefined);
  await clock.advance(100);
  assert.equal(await queue.take(), undefined);
  queue.add("b");
  assert.equal(queue.length, 0);
});

test("metrics hear of depth, adds, retries and durations", async () => {
  const clock = new VirtualClock();
  const heard: string[] = [];
  const queue = new WorkQueue({
    clock,
    metrics: {
      depth: (keys) => heard.push(`depth ${keys}`),
      added: () => heard.push("added"),
      retried: () => heard.push("retried"),
      waited: (ms) => heard.push(`waited ${ms}`),
      worked: (ms) => heard.push(`worked ${ms}`),
    },
  });
  queue.add("a");
  await clock.advance(7);
  await queue.take();
  await clock.advance(3);
  queue.done("a");
  queue.retry("a");
  assert.deepEqual(heard, ["added", "depth 1", "depth 0", "waited 7", "worked 3", "retried"]);
});
