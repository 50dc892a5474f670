// Contract cases: watching.
import assert from "node:assert/strict";
import { prefixEnd } from "../../store.ts";
import { type ContractCase, del, put } from "./subject.ts";

export const watchCases: readonly ContractCase[] = [
  {
    name: "watch() without a start revision gets what comes from now on",
    run: async (s) => {
      await s.put("/w/a", "before");
      await using w = await s.watchPrefix("/w/");
      await s.put("/w/a", "1");
      await s.put("/w/b", "2");
      await s.delete("/w/a");
      await w.until(3);
      assert.deepEqual(s.lines(w), ["put /w/a=1@2", "put /w/b=2@3", "delete /w/a@4"]);
    },
  },
  {
    name: "watch() events carry the whole key-value, deletions only key and revision",
    run: async (s) => {
      await using w = await s.watchPrefix("/w/");
      await s.put("/w/a", "1");
      await s.put("/w/a", "2");
      await s.delete("/w/a");
      const [, second, third] = await w.until(3);
      assert.deepEqual(second && s.plain(second.kv), { key: "/w/a", value: "2", create: 1, mod: 2, version: 2 });
      assert.deepEqual(third && { ...s.plain(third.kv), create: third.kv.createRevision }, {
        key: "/w/a",
        value: "",
        create: 0,
        mod: 3,
        version: 0,
      });
    },
  },
  {
    name: "watch() from a revision gets the past and then the present, each once",
    run: async (s) => {
      for (const value of ["1", "2", "3"]) await s.put("/w/a", value);
      await using w = await s.watchPrefix("/w/", { startRevision: s.base + 2 });
      await s.put("/w/a", "4");
      await w.until(3);
      await w.reached(s.base + 4);
      assert.deepEqual(s.lines(w), ["put /w/a=2@2", "put /w/a=3@3", "put /w/a=4@4"]);
    },
  },
  {
    name: "watch() from a revision while writers are busy misses and repeats nothing",
    run: async (s) => {
      const writers: Promise<unknown>[] = [];
      for (let i = 0; i < 50; i++) writers.push(s.put(`/w/${i % 5}`, String(i)));
      const opening = s.watchPrefix("/w/", { startRevision: s.base + 1 });
      for (let i = 50; i < 100; i++) writers.push(s.put(`/w/${i % 5}`, String(i)));
      await using w = await opening;
      for (let i = 100; i < 150; i++) writers.push(s.put(`/w/${i % 5}`, String(i)));
      await Promise.all(writers);
      await w.until(150);
      assert.deepEqual(
        w.events.map((event) => event.kv.modRevision - s.base),
        Array.from({ length: 150 }, (_, i) => i + 1),
      );
    },
  },
  {
    name: "watch() of one key does not see its neighbours",
    run: async (s) => {
      await using w = await s.watch({ key: "/w/a" });
      await s.put("/w/", "x");
      await s.put("/w/aa", "x");
      await s.put("/w/a", "1");
      await s.write(del("/w/", prefixEnd("/w/")));
      await w.until(2);
      await w.reached(s.base + 4);
      assert.deepEqual(s.lines(w), ["put /w/a=1@3", "delete /w/a@4"]);
    },
  },
  {
    name: 'watch() to "\\0" sees every key from there on',
    run: async (s) => {
      await using w = await s.watch({ key: "/w/b", end: "\0" });
      await s.put("/w/a", "x");
      await s.put("/w/b", "1");
      await s.put("\xff", "2");
      await w.until(2);
      assert.deepEqual(s.lines(w), ["put /w/b=1@2", "put \xff=2@3"]);
    },
  },
  {
    name: "watch() delivers the events of one transaction together, in its order",
    run: async (s) => {
      await s.put("/w/old", "0");
      await using w = await s.watchPrefix("/w/");
      await s.write(put("/w/c", "1"), del("/w/old"), put("/w/a", "2"), put("/elsewhere", "x"));
      await w.until(3);
      assert.deepEqual(s.lines(w), ["put /w/c=1@2", "delete /w/old@2", "put /w/a=2@2"]);
      assert.equal(w.batches.filter((batch) => batch.events.length > 0).length, 1);
      assert.equal(w.batches[0]?.revision, s.base + 2);
    },
  },
  {
    name: "watch() catching up delivers whole revisions, too",
    run: async (s) => {
      await s.write(put("/w/b", "1"), put("/w/a", "1"));
      await s.write(put("/w/b", "2"), put("/w/a", "2"));
      await using w = await s.watchPrefix("/w/", { startRevision: s.base + 1 });
      await w.until(4);
      assert.deepEqual(s.lines(w), ["put /w/b=1@1", "put /w/a=1@1", "put /w/b=2@2", "put /w/a=2@2"]);
      const seen = new Set<number>();
      for (const batch of w.batches) {
        const revisions = new Set(batch.events.map((event) => event.kv.modRevision));
        for (const revision of revisions) {
          assert.ok(!seen.has(revision), "one revision came in two batches");
          seen.add(revision);
        }
      }
    },
  },
  {
    name: "watch() with previous gives what was there before, live and when catching up",
    run: async (s) => {
      await using live = await s.watchPrefix("/w/", { previous: true });
      await s.put("/w/a", "1");
      await s.put("/w/a", "2");
      await s.delete("/w/a");
      const expected = ["put /w/a=1@1", "put /w/a=2@2 (was 1)", "delete /w/a@3 (was 2)"];
      await live.until(3);
      assert.deepEqual(s.lines(live), expected);
      await using late = await s.watchPrefix("/w/", { previous: true, startRevision: s.base + 1 });
      await late.until(3);
      assert.deepEqual(s.lines(late), expected);
    },
  },
  {
    name: "watch() with previous gives what was there before a transaction that puts and deletes a key",
    run: async (s) => {
      await s.put("/w/a", "1");
      await using w = await s.watch({ key: "/w/a", previous: true });
      // Only a deletion "to the end" may meet a put of its transaction.
      await s.write(put("/w/a", "2"), del("/w/", "\0"));
      await w.until(2);
      assert.deepEqual(s.lines(w), ["put /w/a=2@2 (was 1)", "delete /w/a@2 (was 1)"]);
    },
  },
  {
    name: "watch() without previous gives none",
    run: async (s) => {
      await s.put("/w/a", "1");
      await using w = await s.watchPrefix("/w/");
      await s.put("/w/a", "2");
      const [event] = await w.until(1);
      assert.equal(event?.previous, undefined);
    },
  },
  {
    name: "watch() filters puts or deletions",
    run: async (s) => {
      await using deletions = await s.watchPrefix("/w/", { filters: ["noput"] });
      await using puts = await s.watchPrefix("/w/", { filters: ["nodelete"] });
      await s.put("/w/a", "1");
      await s.delete("/w/a");
      await s.put("/w/b", "2");
      await s.delete("/w/b");
      await deletions.until(2);
      await puts.until(2);
      assert.deepEqual(s.lines(deletions), ["delete /w/a@2", "delete /w/b@4"]);
      assert.deepEqual(s.lines(puts), ["put /w/a=1@1", "put /w/b=2@3"]);
    },
  },
  {
    name: "watch() filters apply when catching up",
    run: async (s) => {
      await s.put("/w/a", "1");
      await s.delete("/w/a");
      await using w = await s.watchPrefix("/w/", { filters: ["noput"], startRevision: s.base + 1 });
      await w.until(1);
      assert.deepEqual(s.lines(w), ["delete /w/a@2"]);
    },
  },
  {
    name: "watch() from a future revision gets nothing older",
    run: async (s) => {
      await using w = await s.watchPrefix("/w/", { startRevision: s.base + 3 });
      for (const value of ["1", "2", "3", "4"]) await s.put("/w/a", value);
      await w.until(2);
      assert.deepEqual(s.lines(w), ["put /w/a=3@3", "put /w/a=4@4"]);
    },
  },
  {
    name: "watch() from the next revision gets exactly what follows",
    run: async (s) => {
      const now = await s.put("/w/a", "1");
      await using w = await s.watchPrefix("/w/", { startRevision: s.base + now + 1 });
      await s.put("/w/a", "2");
      await w.until(1);
      assert.deepEqual(s.lines(w), ["put /w/a=2@2"]);
    },
  },
  {
    name: "watch() tells its progress on request, never ahead of its events",
    run: async (s) => {
      await using w = await s.watchPrefix("/w/");
      await s.put("/w/a", "1");
      await s.put("/elsewhere", "2");
      await w.reached(s.base + 2);
      const progress = w.batches.findIndex((batch) => batch.events.length === 0 && batch.revision >= s.base + 1);
      const event = w.batches.findIndex((batch) => batch.events.length > 0);
      assert.ok(event >= 0 && event < progress, "the event came before the progress");
    },
  },
  {
    name: "watch() that is closed gets nothing more and resolves `closed` without a reason",
    run: async (s) => {
      const w = await s.watchPrefix("/w/");
      await s.put("/w/a", "1");
      await w.until(1);
      await w[Symbol.asyncDispose]();
      assert.equal(await w.watch.closed, undefined);
      await using other = await s.watchPrefix("/w/");
      await s.put("/w/a", "2");
      await other.until(1);
      assert.equal(w.events.length, 1);
    },
  },
  {
    name: "watch() whose signal is aborted inside a delivery gets nothing more, of the past neither",
    run: async (s) => {
      for (let i = 0; i < 300; i++) await s.put("/w/a", String(i));
      const stop = new AbortController();
      let deliveries = 0;
      const watch = await s.store.watch({ key: "/w/a", startRevision: s.base + 1, signal: stop.signal }, () => {
        deliveries++;
        stop.abort();
      });
      assert.equal(await watch.closed, undefined);
      await s.put("/w/a", "after");
      await using other = await s.watch({ key: "/w/a", startRevision: s.base + 301 });
      await other.until(1);
      assert.equal(deliveries, 1);
    },
  },
  {
    name: "watch() many times on overlapping ranges: each gets its own in order",
    run: async (s) => {
      await using all = await s.watchPrefix("/w/");
      await using some = await s.watchPrefix("/w/a");
      await using same = await s.watchPrefix("/w/a");
      await using one = await s.watch({ key: "/w/ab" });
      for (const key of ["/w/a", "/w/ab", "/w/b", "/w/ab"]) await s.put(key, "x");
      await Promise.all([all.until(4), some.until(3), same.until(3), one.until(2)]);
      const revisions = [all, some, same, one].map((w) => w.events.map((event) => event.kv.modRevision - s.base));
      assert.deepEqual(revisions, [
        [1, 2, 3, 4],
        [1, 2, 4],
        [1, 2, 4],
        [2, 4],
      ]);
    },
  },
  {
    name: "watch() shows only what range() shows, too",
    run: async (s) => {
      const seen: boolean[] = [];
      const watch = await s.store.watch({ key: "/w/a" }, (batch) => {
        for (const event of batch.events) seen.push(s.store.revision >= event.kv.modRevision);
      });
      await s.put("/w/a", "1");
      await s.put("/w/a", "2");
      await using w = await s.watch({ key: "/w/a", startRevision: s.base + 1 });
      await w.until(2);
      await watch[Symbol.asyncDispose]();
      assert.ok(seen.every((ok) => ok));
    },
  },
  {
    name: "watch() from inside a delivery, and writing there, keeps every watcher in order",
    run: async (s) => {
      const writes: Promise<unknown>[] = [];
      const watch = await s.store.watch({ key: "/w/", end: "/w0" }, (batch) => {
        for (const event of batch.events) {
          const round = Number(event.kv.value.toString());
          if (round < 5) writes.push(s.put("/w/a", String(round + 1)));
        }
      });
      await using w = await s.watchPrefix("/w/");
      await s.put("/w/a", "0");
      await w.until(6);
      await Promise.all(writes);
      await watch[Symbol.asyncDispose]();
      assert.deepEqual(
        w.events.map((event) => event.kv.value.toString()),
        ["0", "1", "2", "3", "4", "5"],
      );
    },
  },
];
