// Eight writers on a disk store until somebody kills the process. Prints "ready" and then one line for each acknowledged write.
import { writeSync } from "node:fs";
import { silentLog, systemClock, systemRandom } from "#base";
import { openDiskStore } from "#store";

const [directory = "", cycle = "0"] = process.argv.slice(2);
const store = await openDiskStore({ directory, clock: systemClock, random: systemRandom, log: silentLog, compactEveryMs: 0 });
writeSync(1, "ready\n");

async function write(writer: number): Promise<never> {
  for (let n = 0; ; n++) {
    const key = `/crash/${writer}/${n % 20}`;
    // Now and then a deletion, a large value, two keys at once.
    const value = Buffer.from(`${cycle} ${writer} ${n} ${"x".repeat(n % 50 === 0 ? 100_000 : (n * 37) % 3000)}`);
    const then =
      n % 7 === 6
        ? ([
            { kind: "delete", key: `/crash/${writer}/${(n - 1) % 20}` },
            { kind: "put", key, value },
          ] as const)
        : ([{ kind: "put", key, value }] as const);
    const { revision } = await store.transact({ if: [], then });
    writeSync(1, `${revision} ${writer} ${n}\n`);
  }
}

await Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)));
