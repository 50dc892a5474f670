// The virtual clock: order, cancellation, promises that settle between timers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { every, sleep } from "./clock.ts";
import { VirtualClock } from "./virtual-clock.ts";

test("advance() fires timers in order of time, then of creation", async () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  clock.after(20, () => seen.push(`c@${clock.monotonic()}`));
  clock.after(10, () => seen.push(`a@${clock.monotonic()}`));
  clock.after(10, () => seen.push(`b@${clock.monotonic()}`));
  clock.after(30, () => seen.push("late"));
  await clock.advance(25);
  assert.deepEqual(seen, ["a@10", "b@10", "c@20"]);
  assert.equal(clock.monotonic(), 25);
});

test("advance() runs what timers start, within the same span", async () => {
  const clock = new VirtualClock();
  let ticks = 0;
  const ticking = every(clock, 10, () => void ticks++);
  await clock.advance(100);
  ticking.cancel();
  await clock.advance(100);
  assert.equal(ticks, 10);
});

test("sleep() rejects at once when its signal aborts, and leaves no timer behind", async () => {
  const clock = new VirtualClock();
  const abort = new AbortController();
  const sleeping = sleep(clock, 1000, abort.signal);
  abort.abort(new Error("enough"));
  await assert.rejects(sleeping, /enough/);
  await assert.rejects(
    clock.runUntil(() => false),
    /nothing is left to fire/,
  );
});

test("a cancelled timer does not fire", async () => {
  const clock = new VirtualClock();
  let fired = false;
  clock.after(5, () => (fired = true)).cancel();
  await clock.advance(10);
  assert.equal(fired, false);
});
