// A disk store behind its etcd API until somebody kills the process. Prints "port N" and then "ready".
import { writeSync } from "node:fs";
// By path: the front door loads what this process does not need.
import { silentLog } from "../../src/base/log.ts";
import { systemClock } from "../../src/base/system/clock.ts";
import { systemRandom } from "../../src/base/system/random.ts";
import { openDiskStore } from "../../src/store/disk/open.ts";
import { startEtcdServer } from "../../src/store/etcd/server.ts";

const [directory = "", port = "0"] = process.argv.slice(2);
const store = await openDiskStore({ directory, clock: systemClock, random: systemRandom, log: silentLog, compactEveryMs: 0 });
const { url } = await startEtcdServer({ store, clock: systemClock, log: silentLog, listen: `127.0.0.1:${port}` });
writeSync(1, `port ${new URL(url).port}\nready\n`);
