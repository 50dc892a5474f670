// Eight writers and a lease keeper on a disk store until somebody kills the process. Prints "ready", then a line for each thing
// that the store said is done. Arguments: directory, number of the run, revision to compact to, size of the values.
// By path: the front door loads gRPC as well, which would be half of a short life.
import { silentLog } from "../../src/base/log.ts";
import { systemClock } from "../../src/base/system/clock.ts";
import { systemRandom } from "../../src/base/system/random.ts";
import { openDiskStore } from "../../src/store/disk/open.ts";
import { operationsOf } from "./support/replay.ts";
import { say } from "./support/say.ts";

const [directory = "", cycle = "0", compactTo = "0", bytes = "3000"] = process.argv.slice(2);

say("loaded");
const store = await openDiskStore({ directory, clock: systemClock, random: systemRandom, log: silentLog, compactEveryMs: 0 });
say("ready");

async function write(writer: number): Promise<never> {
  for (let n = 0; ; n++) {
    const { revision } = await store.transact({ if: [], then: operationsOf({ cycle: Number(cycle), writer, n }, Number(bytes)) });
    say(`wrote ${revision} ${writer} ${n}`);
  }
}

/** Leaves every third lease. */
async function keepLeases(): Promise<never> {
  for (let n = 0; ; n++) {
    const { id } = await store.grantLease(100_000);
    say(`granted ${id}`);
    if (n % 3 === 0) continue;
    say(`revoking ${id}`);
    await store.revokeLease(id);
    say(`revoked ${id}`);
  }
}

async function compact(revision: number): Promise<void> {
  if (revision === 0) return;
  say(`compacting ${revision}`);
  await store.compact(revision);
  say(`compacted ${revision}`);
}

await store.watch({ key: "\0", end: "\0" }, ({ revision }) => {
  say(`seen ${revision}`);
});
await Promise.all([...Array.from({ length: 8 }, (_, writer) => write(writer)), keepLeases(), compact(Number(compactTo))]);
