// A short life on a disk store, step after step, so that its system calls come in the same order each time: somebody kills it at one of
// them. Says what is done as crash-child.ts does. Arguments: directory, number of the run, number of writes, size of the values.
// By path, as in crash-child.ts.
import { silentLog } from "../../src/base/log.ts";
import { systemClock } from "../../src/base/system/clock.ts";
import { systemRandom } from "../../src/base/system/random.ts";
import { openDiskStore } from "../../src/store/disk/open.ts";
import { operationsOf } from "./support/replay.ts";
import { say } from "./support/say.ts";

const [directory = "", cycle = "0", writes = "0", bytes = "3000"] = process.argv.slice(2);

{
  await using store = await openDiskStore({
    directory,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    compactEveryMs: 0,
  });
  const opened = store.revision;
  const write = async (n: number): Promise<void> => {
    const { revision } = await store.transact({
      if: [],
      then: operationsOf({ cycle: Number(cycle), writer: 0, n }, Number(bytes)),
    });
    say(`wrote ${revision} 0 ${n}`);
  };
  const { id } = await store.grantLease(100_000);
  say(`granted ${id}`);
  const middle = Math.floor(Number(writes) / 2);
  for (let n = 0; n < middle; n++) await write(n);
  say(`revoking ${id}`);
  await store.revokeLease(id);
  say(`revoked ${id}`);
  // Not beyond: whoever looks wants to see every write of this life.
  if (opened > 1) {
    say(`compacting ${opened}`);
    await store.compact(opened);
    say(`compacted ${opened}`);
  }
  await store.defragment();
  for (let n = middle; n < Number(writes); n++) await write(n);
}
say("closed");
