// kill -9 at random moments: nothing acknowledged or shown is lost, nothing appears that nobody wrote, the whole equals its replay.
// CRASH_CYCLES=2000 node --test test/store/crash.test.ts
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { randomInt, seededRandom, sleep, systemClock } from "#base";
import { type Child, startChild } from "./support/child.ts";
import { Expectation } from "./support/expectation.ts";
import { inLanes, openStore, put, Scratch, times } from "./support/scratch.ts";

const cycles = times("CRASH_CYCLES", 100);
const seed = times("CRASH_SEED", 1);
/** Each has a directory of its own; two keep two processors busy. */
const lanes = 2;

/** Every tenth dies while it opens the store, which is recovery after the death before. */
async function live(child: Child, cycle: number, lifeMs: number): Promise<void> {
  await child.heard("loaded");
  if (cycle % 10 !== 9) await child.heard("ready");
  await sleep(systemClock, cycle % 10 === 9 ? lifeMs / 4 : lifeMs);
  await child.kill();
}

async function lane(directory: string, first: number): Promise<Expectation> {
  const random = seededRandom(seed + first);
  const expectation = new Expectation();
  for (let cycle = first; cycle < cycles; cycle += lanes) {
    // Some with values so large that the write-ahead log is copied into the file while they live.
    const bytes = cycle % 8 < lanes ? 60_000 : 3000;
    const compactTo = cycle % 3 === 0 ? expectation.replay.revision : 0;
    await using child = startChild("crash-child.ts", [directory, String(cycle), String(compactTo), String(bytes)]);
    await live(child, cycle, 20 + randomInt(random, 380));
    expectation.heard(cycle, child.lines);
    // Now and then the next process finds what this one left, untouched by the look.
    if (cycle % 7 === 0 && cycle + lanes < cycles) continue;
    try {
      await using store = await openStore(directory);
      await expectation.check(store);
    } catch (error) {
      throw new Error(`cycle ${cycle} of seed ${seed}`, { cause: error });
    }
  }
  return expectation;
}

test(`${cycles} times kill -9 under eight writers: nothing acknowledged is lost, nothing invented, the hash is the replay's`, {
  timeout: 60_000 + cycles * 3000,
}, async () => {
  using scratch = new Scratch("crash");
  const started = performance.now();
  const results = await inLanes(lanes, (first) => lane(join(scratch.path, String(first)), first));
  const writes = results.reduce((sum, { total }) => sum + total, 0);
  assert.ok(writes > cycles, "the writers wrote");
  const seconds = (performance.now() - started) / 1000;
  console.log(`# ${cycles} cycles, ${writes} acknowledged writes, 0 lost, 0 invented, ${seconds.toFixed(1)} s`);
});

const keys = times("REOPEN_KEYS", 20_000);
test(`a store of ${keys} keys whose process was killed opens again, within a second for each 100000`, async () => {
  using scratch = new Scratch("reopen");
  const [live, dead] = [join(scratch.path, "live"), join(scratch.path, "dead")];
  {
    await using store = await openStore(live);
    const value = Buffer.alloc(1000, "v");
    for (let at = 0; at < keys; at += 500)
      await Promise.all(Array.from({ length: 500 }, (_, i) => put(store, `/registry/pods/default/${at + i}`, value)));
    cpSync(live, dead, { recursive: true }); // as a kill leaves it: nothing closed, nothing copied out of the write-ahead log
  }
  const started = performance.now();
  const cpu = process.cpuUsage();
  await using store = await openStore(dead);
  const ms = performance.now() - started;
  const { user, system } = process.cpuUsage(cpu);
  assert.equal((await store.status()).keyCount, keys);
  const cpuMs = (user + system) / 1000;
  console.log(`# reopen of ${keys} keys of 1 KB: ${ms.toFixed(0)} ms, ${cpuMs.toFixed(0)} ms of processor`);
  // Of the processor, all threads together: other tests run beside this one.
  assert.ok(cpuMs < 1000 + keys / 50, `${cpuMs.toFixed(0)} ms of processor`);
});
