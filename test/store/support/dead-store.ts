// A store that died with everything it ever wrote in its log.
import { cpSync, rmSync } from "node:fs";
import { type Acknowledged, operationsOf } from "./replay.ts";
import { openStore } from "./scratch.ts";

/** Makes `directory` the store of one writer who was killed after so many writes; returns these. */
export async function makeDeadStore(directory: string, writes: number): Promise<readonly Acknowledged[]> {
  const live = `${directory}-live`;
  const acknowledged: Acknowledged[] = [];
  {
    await using store = await openStore(live);
    for (let n = 0; n < writes; n++) {
      const name = { cycle: 0, writer: 1, n };
      const { revision } = await store.transact({ if: [], then: operationsOf(name) });
      acknowledged.push({ ...name, revision });
    }
    cpSync(live, directory, { recursive: true });
  }
  rmSync(live, { recursive: true });
  return acknowledged;
}
