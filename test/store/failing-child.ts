// Writes until the disk fails (somebody makes fdatasync fail), then says how the store took it.
import { silentLog, systemClock, systemRandom } from "#base";
import { openDiskStore, StoreError } from "#store";

const store = await openDiskStore({
  directory: process.argv[2] ?? "",
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  compactEveryMs: 0,
});
let acknowledged = 0;
const refusals: string[] = [];
while (refusals.length < 2 && acknowledged < 1000) {
  try {
    await store.transact({
      if: [],
      then: [{ kind: "put", key: `/e/${acknowledged}`, value: Buffer.from(String(acknowledged)) }],
    });
    acknowledged++;
  } catch (error) {
    refusals.push(error instanceof StoreError ? error.code : String(error));
  }
}
const { alarm } = await store.status();
const reads = store.get("/e/0") === undefined ? "reads fail" : "reads go on";
console.log(`acknowledged ${acknowledged}, refused ${refusals.join(" ")}, alarm ${alarm?.kind}, ${reads}`);
process.exit(0);
