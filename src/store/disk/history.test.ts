// All history of a store on disk, while others write and compact.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { seededRandom, silentLog, systemClock } from "#base";
import type { History } from "../engine/history.ts";
import { hashHistory } from "../snapshot/hash.ts";
import { checkStore } from "./check.ts";
import { openDiskStore } from "./open.ts";

async function versionsOf(history: History): Promise<string[]> {
  const found: string[] = [];
  for await (const slice of history.slices()) {
    for (const { key, value, modRevision, sub, version } of slice) found.push(`${modRevision}.${sub} ${key} ${version} ${value}`);
  }
  return found;
}

test("history() is one moment: a compaction meanwhile removes nothing of it, and everything once it is disposed", async () => {
  const directory = mkdtempSync(join(tmpdir(), "tiphys-history-"));
  try {
    const options = { directory, clock: systemClock, random: seededRandom(1), log: silentLog, compactEveryMs: 0 };
    const put = (key: string, value: string) => ({ kind: "put" as const, key, value: Buffer.from(value) });
    {
      await using first = await openDiskStore(options);
      for (const value of ["1", "2", "3"]) await first.transact({ if: [], then: [put("a", value), put("b", value)] });
    }
    // Opened again, it has replaced values on disk only.
    const store = await openDiskStore(options);
    const history = await store.history();
    const before = await versionsOf(history);
    assert.deepEqual(before, ["2.0 a 1 1", "2.1 b 1 1", "3.0 a 2 2", "3.1 b 2 2", "4.0 a 3 3", "4.1 b 3 3"]);
    await store.transact({ if: [], then: [put("a", "4")] });
    await store.compact(5);
    await store.defragment();
    assert.deepEqual(await versionsOf(history), before);
    history[Symbol.dispose]();
    await store.defragment();
    using after = await store.history();
    assert.deepEqual(await versionsOf(after), ["4.1 b 3 3", "5.0 a 4 4"]);
    const { hash } = await hashHistory(after);
    await store[Symbol.asyncDispose]();
    assert.equal(checkStore(directory).rows, 2);
    // The position inside the revision outlives the compaction and the process, and with it the hash.
    await using again = await openDiskStore(options);
    using reopened = await again.history();
    assert.equal((await hashHistory(reopened)).hash, hash);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
