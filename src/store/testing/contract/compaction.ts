// Contract cases: forgetting history.
import assert from "node:assert/strict";
import { type ContractCase, refuses } from "./subject.ts";

export const compactionCases: readonly ContractCase[] = [
  {
    name: "compact() makes older revisions unreadable and keeps its own and later ones",
    run: async (s) => {
      for (const value of ["1", "2", "3", "4"]) await s.put("/c/a", value);
      await s.put("/c/b", "5");
      await s.store.compact(s.base + 3);
      await refuses("compacted", () => s.store.range("/c/a", { revision: s.base + 2 }));
      await refuses("compacted", () => s.store.get("/c/a", s.base + 1));
      assert.equal((await s.get("/c/a", 3))?.value, "3");
      assert.equal((await s.get("/c/a", 4))?.value, "4");
      assert.equal(await s.get("/c/b", 4), undefined);
      assert.deepEqual(await s.get("/c/a"), { key: "/c/a", value: "4", create: 1, mod: 4, version: 4 });
    },
  },
  {
    name: "compact() keeps a key that has not changed since long before",
    run: async (s) => {
      await s.put("/c/old", "1");
      for (const value of ["1", "2", "3"]) await s.put("/c/a", value);
      await s.store.compact(s.base + 4);
      assert.deepEqual(await s.get("/c/old", 4), { key: "/c/old", value: "1", create: 1, mod: 1, version: 1 });
      assert.equal((await s.list("/c/", { revision: s.base + 4 })).count, 2);
    },
  },
  {
    name: "compact() refuses a revision already compacted and one in the future",
    run: async (s) => {
      for (const value of ["1", "2", "3"]) await s.put("/c/a", value);
      await s.store.compact(s.base + 2);
      await refuses("compacted", () => s.store.compact(s.base + 2));
      await refuses("compacted", () => s.store.compact(s.base + 1));
      await refuses("futureRevision", () => s.store.compact(s.base + 4));
      await s.store.compact(s.base + 3);
      assert.equal((await s.get("/c/a"))?.value, "3");
    },
  },
  {
    name: "compact() of a deleted key leaves nothing of it but the store's revision",
    run: async (s) => {
      await s.put("/c/a", "1");
      await s.delete("/c/a");
      await s.put("/c/b", "1");
      await s.store.compact(s.base + 3);
      assert.equal(await s.get("/c/a"), undefined);
      assert.equal(await s.get("/c/a", 3), undefined);
      assert.equal(await s.put("/c/a", "2"), 4);
      assert.deepEqual(await s.get("/c/a"), { key: "/c/a", value: "2", create: 4, mod: 4, version: 1 });
    },
  },
  {
    name: "transact() refuses a read at a compacted revision and writes nothing",
    run: async (s) => {
      for (const value of ["1", "2", "3"]) await s.put("/c/a", value);
      await s.store.compact(s.base + 3);
      await refuses("compacted", () =>
        s.store.transact({
          if: [],
          then: [
            { kind: "put", key: "/c/b", value: Buffer.from("1") },
            { kind: "range", key: "/c/a", revision: s.base + 1 },
          ],
        }),
      );
      assert.equal(await s.get("/c/b"), undefined);
    },
  },
  {
    name: "watch() from a compacted revision ends and names the compacted revision",
    run: async (s) => {
      for (const value of ["1", "2", "3", "4"]) await s.put("/c/a", value);
      await s.store.compact(s.base + 3);
      await using w = await s.watch({ key: "/c/a", startRevision: s.base + 2 });
      const reason = await w.watch.closed;
      assert.equal(reason?.compactedRevision, s.base + 3);
      assert.equal(w.events.length, 0);
    },
  },
  {
    name: "watch() from the compacted revision itself gets that revision's puts and all that follows",
    run: async (s) => {
      for (const value of ["1", "2", "3", "4"]) await s.put("/c/a", value);
      await s.store.compact(s.base + 3);
      await using w = await s.watch({ key: "/c/a", startRevision: s.base + 3 });
      await w.until(2);
      assert.deepEqual(s.lines(w), ["put /c/a=3@3", "put /c/a=4@4"]);
    },
  },
  {
    name: "watch() from the compacted revision gets that revision's deletion",
    run: async (s) => {
      await s.put("/c/a", "1");
      await s.delete("/c/a");
      await s.put("/c/a", "2");
      await s.store.compact(s.base + 2);
      await using w = await s.watch({ key: "/c/a", startRevision: s.base + 2 });
      await w.until(2);
      assert.deepEqual(s.lines(w), ["delete /c/a@2", "put /c/a=2@3"]);
    },
  },
  {
    name: "watch() with previous gives none at the compacted revision and the right one after it",
    run: async (s) => {
      for (const value of ["1", "2", "3"]) await s.put("/c/a", value);
      await s.store.compact(s.base + 2);
      await using w = await s.watch({ key: "/c/a", startRevision: s.base + 2, previous: true });
      await w.until(2);
      assert.deepEqual(s.lines(w), ["put /c/a=2@2", "put /c/a=3@3 (was 2)"]);
    },
  },
  {
    name: "watch() that is live goes on through a compaction",
    run: async (s) => {
      await using w = await s.watchPrefix("/c/", { previous: true });
      await s.put("/c/a", "1");
      await s.put("/c/a", "2");
      await s.store.compact(s.base + 2);
      await s.put("/c/a", "3");
      await w.until(3);
      assert.deepEqual(s.lines(w), ["put /c/a=1@1", "put /c/a=2@2 (was 1)", "put /c/a=3@3 (was 2)"]);
    },
  },
  {
    name: "status() names the revision to which the store is compacted",
    run: async (s) => {
      for (const value of ["1", "2", "3"]) await s.put("/c/a", value);
      await s.store.compact(s.base + 2);
      const { compactedRevision } = await s.store.status();
      assert.equal(compactedRevision, s.base + 2);
    },
  },
  {
    name: "status() counts keys and names the revision",
    run: async (s) => {
      const before = await s.store.status();
      await s.put("/c/a", "1");
      await s.put("/c/b", "1");
      await s.put("/c/a", "2");
      const after = await s.store.status();
      assert.deepEqual([after.revision - before.revision, after.keyCount - before.keyCount, after.alarm], [3, 2, undefined]);
    },
  },
];
