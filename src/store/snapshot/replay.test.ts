import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#base";
import { openMemoryStore } from "../memory.ts";
import type { Operation } from "../store.ts";
import { hashHistory } from "./hash.ts";
import { replay } from "./replay.ts";

const put = (key: string): Operation => ({ kind: "put", key, value: Buffer.from(key) });

test("just before the compaction, what fills a position is not what stands in for the compaction's own changes", async () => {
  const store = openMemoryStore({ clock: new VirtualClock() });
  const steps: Operation[][] = [
    [put("b"), put("a")],
    [put("a")],
    [put("b"), { kind: "delete", key: "a" }, put("c")], // of these only "c" is kept, at the third position
    [put("b")],
  ];
  for (const then of steps) await store.transact({ if: [], then });
  await store.compact(5);
  const copy = openMemoryStore({ clock: new VirtualClock() });
  const history = await store.history();
  await replay(history, copy);
  assert.equal((await hashHistory(await copy.history())).hash, (await hashHistory(history)).hash);
});
