// Our store behind our etcd API, as a process of its own for bench/store.ts: `node bench/store-server.ts DIRECTORY`. Prints its URL.
import { silentLog, systemClock, systemRandom } from "#base";
import { openDiskStore, startEtcdServer } from "#store";

const store = await openDiskStore({
  directory: process.argv[2] ?? "",
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  compactEveryMs: 0,
});
const server = await startEtcdServer({ store, clock: systemClock, log: silentLog, listen: "127.0.0.1:0" });
console.log(server.url);
