// A disk store behind its etcd API until somebody kills the process. It loads, says "loaded", and waits for a file of the name that it was
// given: so that it takes little time to take the place of one that was killed. Then it prints "port N" and "ready".
import { existsSync } from "node:fs";
// By path: the front door loads what this process does not need.
import { sleep } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemClock } from "../../src/base/system/clock.ts";
import { systemRandom } from "../../src/base/system/random.ts";
import { openDiskStore } from "../../src/store/disk/open.ts";
import { startEtcdServer } from "../../src/store/etcd/server.ts";
import { say } from "./support/say.ts";

const [directory = "", port = "0", signal = ""] = process.argv.slice(2);
// The clock's timers do not keep a process alive.
setInterval(() => {}, 1 << 30);
say("loaded");
while (!existsSync(signal)) await sleep(systemClock, 5);
const store = await openDiskStore({ directory, clock: systemClock, random: systemRandom, log: silentLog, compactEveryMs: 0 });
const { url } = await startEtcdServer({ store, clock: systemClock, log: silentLog, listen: `127.0.0.1:${port}` });
say(`port ${new URL(url).port}\nready`);
