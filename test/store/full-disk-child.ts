// Fills small disks under eight writers, by what they write or by a file of somebody else, and makes room again.
// Arguments: where to mount, number of disks. Runs in a mount namespace of its own (support/mounts.ts).
import assert from "node:assert/strict";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { randomInt, seededRandom, systemClock, VirtualClock } from "#base";
import type { DiskStore } from "#store";
import { Expectation } from "./support/expectation.ts";
import { mount } from "./support/mounts.ts";
import { hashOf, operationsOf } from "./support/replay.ts";
import { openStore } from "./support/scratch.ts";
import { runWriters } from "./support/writers.ts";

const [place = "", disks = "0"] = process.argv.slice(2);
const random = seededRandom(1);
let acknowledged = 0;

/** Takes all room that is left, as another program would. */
function fill(file: string): void {
  const fd = openSync(file, "w");
  try {
    for (let block = Buffer.alloc(1024 * 1024, 1); block.length > 16; ) {
      try {
        writeSync(fd, block);
      } catch {
        block = block.subarray(0, block.length / 2);
      }
    }
  } finally {
    closeSync(fd);
  }
}

/** The store looks every ten seconds of its clock, and what it then does takes its threads some real time. */
async function expectAlarm(store: DiskStore, clock: VirtualClock, kind: string | undefined): Promise<void> {
  const deadline = systemClock.monotonic() + 30_000;
  let status = await store.status();
  while (status.alarm?.kind !== kind && systemClock.monotonic() < deadline) {
    await clock.advance(10_000);
    await wait(20);
    status = await store.status();
  }
  assert.equal(status.alarm?.kind, kind, JSON.stringify(status));
}

async function useDisk(cycle: number): Promise<void> {
  using disk = mount("tmpfs", place, "tmpfs", [`size=${64 + randomInt(random, 64)}m`]);
  const directory = join(disk.path, "store");
  const ballast = join(disk.path, "ballast");
  const expectation = new Expectation();
  const clock = new VirtualClock();
  {
    await using store = await openStore(directory, { clock });
    const lines: string[] = [];
    const others = cycle % 3 !== 0;
    const fillAt = randomInt(random, 200);
    const say = (line: string): void => {
      lines.push(line);
      if (others && lines.length === fillAt) fill(ballast);
    };
    if (others && fillAt === 0) fill(ballast);
    const codes = await runWriters({ store, cycle, bytes: others ? 3000 : 200_000, most: 4000, say });
    assert.deepEqual(new Set(codes), new Set(["noSpace"]));
    await expectAlarm(store, clock, "NOSPACE");
    const hash = await hashOf(store);
    if (others) rmSync(ballast);
    else await makeRoom(store);
    await expectAlarm(store, clock, undefined);
    const { revision } = await store.transact({ if: [], then: operationsOf({ cycle, writer: 8, n: 0 }) });
    lines.push(`wrote ${revision} 8 0`);
    acknowledged += lines.filter((line) => line.startsWith("wrote ")).length;
    if (!others) return;
    assert.notEqual(await hashOf(store), hash);
    expectation.heard(cycle, lines);
  }
  await using store = await openStore(directory, { clock });
  assert.equal((await store.status()).alarm, undefined);
  await expectation.check(store);
}

/** As an operator does: deletes and compacts, both without room but the reserve. */
async function makeRoom(store: DiskStore): Promise<void> {
  await store.transact({ if: [], then: [{ kind: "delete", key: "/crash/", end: "/crash0" }] });
  await store.compact(store.revision);
  assert.equal((await store.status()).keyCount, 0);
}

for (let cycle = 0; cycle < Number(disks); cycle++) {
  await useDisk(cycle).catch((error) => {
    throw new Error(`disk ${cycle}`, { cause: error });
  });
}
console.log(`${disks} disks, ${acknowledged} acknowledged writes, 0 lost`);
