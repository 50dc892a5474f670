// Eight writers on a disk that fails (somebody makes system calls fail), then the look at what is left, and the next start in the same
// process. Says each step, so that whoever listens knows that the process is alive. Arguments: directory, number of the run.
import { hashOf, operationsOf } from "./support/replay.ts";
import { say } from "./support/say.ts";
import { openStore } from "./support/scratch.ts";
import { runWriters } from "./support/writers.ts";

const [directory = "", cycle = "0"] = process.argv.slice(2);

{
  await using store = await openStore(directory);
  const shown = { revision: store.revision };
  await store.watch({ key: "\0", end: "\0" }, ({ revision }) => {
    shown.revision = revision;
    say(`seen ${revision}`);
  });
  const codes = await runWriters({ store, cycle: Number(cycle), bytes: 3000, most: 40, say });
  say(`codes ${[...new Set(codes)].sort().join(" ")}`);
  const { alarm } = await store.status();
  say(`alarm ${alarm?.kind ?? "none"}`);
  // Reads go on, of the latest and of older revisions, and show what watches were told.
  if (shown.revision !== store.revision) say(`watches stand at ${shown.revision}, reads at ${store.revision}`);
  await hashOf(store, Math.max(2, store.revision - 3)).then(() => hashOf(store));
  say("read");
}
{
  await using store = await openStore(directory);
  say(`alarm after the next start ${(await store.status()).alarm?.kind ?? "none"}`);
  for (let n = 0; n < 3; n++) {
    const { revision } = await store.transact({ if: [], then: operationsOf({ cycle: Number(cycle), writer: 8, n }) });
    say(`wrote ${revision} 8 ${n}`);
  }
}
say("closed");
