// Contract cases: reading.
import assert from "node:assert/strict";
import { keyFromText, prefixEnd } from "../../store.ts";
import { bytes, type ContractCase, put, refuses, type Subject } from "./subject.ts";

async function letters(s: Subject): Promise<void> {
  for (const letter of ["c", "a", "d", "b"]) await s.put(`/r/${letter}`, letter.toUpperCase());
}

export const rangeCases: readonly ContractCase[] = [
  {
    name: "get() of an absent key is undefined",
    run: async (s) => {
      assert.equal(await s.get("/r/none"), undefined);
    },
  },
  {
    name: "get() gives value, revisions and version of the latest put",
    run: async (s) => {
      await s.put("/r/a", "1");
      await s.put("/r/b", "x");
      await s.put("/r/a", "2");
      assert.deepEqual(await s.get("/r/a"), { key: "/r/a", value: "2", create: 1, mod: 3, version: 2 });
    },
  },
  {
    name: "get() at an older revision gives the value of then, also for keys that are gone or came later",
    run: async (s) => {
      await s.put("/r/a", "1");
      await s.put("/r/a", "2");
      await s.delete("/r/a");
      await s.put("/r/a", "3");
      assert.equal((await s.get("/r/a", 1))?.value, "1");
      assert.equal((await s.get("/r/a", 2))?.value, "2");
      assert.equal(await s.get("/r/a", 3), undefined);
      assert.deepEqual(await s.get("/r/a", 4), { key: "/r/a", value: "3", create: 4, mod: 4, version: 1 });
    },
  },
  {
    name: "range() gives the keys from start to end, end excluded, in byte order",
    run: async (s) => {
      await letters(s);
      const { kvs, count, more } = await s.store.range("/r/a", { end: "/r/d" });
      assert.deepEqual(
        kvs.map((kv) => `${kv.key}=${kv.value.toString()}`),
        ["/r/a=A", "/r/b=B", "/r/c=C"],
      );
      assert.deepEqual([count, more], [3, false]);
    },
  },
  {
    name: "range() of one key does not see longer keys",
    run: async (s) => {
      await s.put("/r/a", "1");
      await s.put("/r/a/b", "2");
      const { kvs, count } = await s.store.range("/r/a");
      assert.deepEqual([kvs.length, count], [1, 1]);
    },
  },
  {
    name: "range() orders text keys by their bytes, not by UTF-16",
    run: async (s) => {
      await s.put(keyFromText("/r/\u{1f600}"), "emoji");
      await s.put(keyFromText("/r/\ufb01"), "ligature");
      await s.put(keyFromText("/r/é"), "accent");
      const { kvs } = await s.list("/r/");
      assert.deepEqual(
        kvs.map((kv) => kv.value.toString()),
        ["accent", "ligature", "emoji"],
      );
      assert.equal((await s.store.get(keyFromText("/r/é")))?.value.toString(), "accent");
    },
  },
  {
    name: "range() with an empty or reversed interval is empty",
    run: async (s) => {
      await letters(s);
      for (const end of ["/r/b", "/r/a"]) {
        const { kvs, count, more } = await s.store.range("/r/b", { end });
        assert.deepEqual([kvs.length, count, more], [0, 0, false]);
      }
    },
  },
  {
    name: 'range() to "\\0" reads to the end of the key space',
    run: async (s) => {
      await letters(s);
      await s.put("\xff\xff/last", "z");
      const keys = (await s.store.range("/r/c", { end: "\0" })).kvs.map((kv) => kv.key);
      assert.deepEqual(keys, ["/r/c", "/r/d", "\xff\xff/last"]);
    },
  },
  {
    name: "prefixEnd() covers a prefix that ends in 0xff",
    run: async (s) => {
      await s.put("/r/plain", "0");
      await s.store.transact({ if: [], then: [{ kind: "put", key: "/r\xff\xff", value: bytes("1") }] });
      assert.equal(prefixEnd("/r\xff"), "/s");
      const { count } = await s.store.range("/r\xff", { end: prefixEnd("/r\xff"), countOnly: true });
      assert.equal(count, 1);
    },
  },
  {
    name: "range() with a limit says that there is more, and counts all",
    run: async (s) => {
      await letters(s);
      const first = await s.list("/r/", { limit: 3 });
      assert.deepEqual([first.kvs.length, first.more, first.count], [3, true, 4]);
      const exact = await s.list("/r/", { limit: 4 });
      assert.deepEqual([exact.kvs.length, exact.more, exact.count], [4, false, 4]);
    },
  },
  {
    name: "range() pages at one revision give one snapshot while others write",
    run: async (s) => {
      await letters(s);
      const first = await s.list("/r/", { limit: 2 });
      await s.delete("/r/c");
      await s.put("/r/bb", "new");
      const rest = await s.store.range(`${first.kvs[1]?.key}\0`, { end: prefixEnd("/r/"), revision: first.revision, limit: 2 });
      assert.deepEqual(
        rest.kvs.map((kv) => kv.key),
        ["/r/c", "/r/d"],
      );
      assert.deepEqual([rest.more, rest.count], [false, 2]);
      assert.equal(rest.revision - s.base, 6, "the answer names the store's revision, not the one read");
    },
  },
  {
    name: "range() count-only gives no keys",
    run: async (s) => {
      await letters(s);
      const { kvs, count, more } = await s.list("/r/", { countOnly: true });
      assert.deepEqual([kvs.length, count, more], [0, 4, false]);
    },
  },
  {
    name: "range() keys-only gives empty values and everything else",
    run: async (s) => {
      await s.put("/r/a", "1");
      await s.put("/r/a", "2");
      const { kvs } = await s.list("/r/", { keysOnly: true });
      assert.deepEqual(
        kvs.map((kv) => s.plain(kv)),
        [{ key: "/r/a", value: "", create: 1, mod: 2, version: 2 }],
      );
    },
  },
  ...(
    [
      ["key", ["d", "c", "b", "a"]],
      ["version", ["b", "c", "a", "d"]],
      ["create", ["b", "d", "a", "c"]],
      ["mod", ["b", "d", "c", "a"]],
      ["value", ["c", "a", "b", "d"]],
    ] as const
  ).map(
    ([by, descending]): ContractCase => ({
      name: `range() sorts by ${by} in both directions and then cuts at the limit`,
      run: async (s) => {
        // create: c a d b; mod: a c d b; version: d 1, a 2, c 3, b 4; value: d 1, b 2, a 3, c 4
        for (const [key, value] of [
          ["c", "x"],
          ["a", "x"],
          ["a", "3"],
          ["c", "y"],
          ["c", "4"],
          ["d", "1"],
          ["b", "x"],
          ["b", "x"],
          ["b", "x"],
          ["b", "2"],
        ] as const) {
          await s.put(`/r/${key}`, value);
        }
        const short = (keys: readonly string[]): string[] => keys.map((key) => key.slice(3));
        assert.deepEqual(short(await s.listKeys("/r/", { sort: { by, order: "descend" } })), descending);
        assert.deepEqual(short(await s.listKeys("/r/", { sort: { by, order: "ascend" } })), descending.toReversed());
        const cut = await s.list("/r/", { sort: { by, order: "descend" }, limit: 3 });
        assert.deepEqual(short(cut.kvs.map((kv) => kv.key)), descending.slice(0, 3));
        assert.deepEqual([cut.more, cut.count], [true, 4]);
      },
    }),
  ),
  {
    name: "range() filters by the revisions of creation and last change",
    run: async (s) => {
      await s.put("/r/a", "1");
      await s.put("/r/b", "1");
      await s.put("/r/c", "1");
      await s.put("/r/a", "2");
      assert.deepEqual(await s.listKeys("/r/", { minModRevision: s.base + 3 }), ["/r/a", "/r/c"]);
      assert.deepEqual(await s.listKeys("/r/", { maxModRevision: s.base + 3 }), ["/r/b", "/r/c"]);
      assert.deepEqual(await s.listKeys("/r/", { minCreateRevision: s.base + 2 }), ["/r/b", "/r/c"]);
      assert.deepEqual(await s.listKeys("/r/", { maxCreateRevision: s.base + 2 }), ["/r/a", "/r/b"]);
      assert.deepEqual(await s.listKeys("/r/", { minModRevision: s.base + 2, maxModRevision: s.base + 3 }), ["/r/b", "/r/c"]);
    },
  },
  {
    name: "range() with a filter and a limit counts the limit after the filter",
    run: async (s) => {
      await letters(s);
      const result = await s.list("/r/", { minModRevision: s.base + 2, limit: 2 });
      assert.deepEqual(
        result.kvs.map((kv) => kv.key),
        ["/r/a", "/r/b"],
      );
      assert.equal(result.more, true);
    },
  },
  {
    name: "range() at an older revision sorts, filters and counts what was there then",
    run: async (s) => {
      await letters(s);
      await s.put("/r/a", "later");
      await s.delete("/r/b");
      const result = await s.list("/r/", { revision: s.base + 4, sort: { by: "value", order: "descend" }, limit: 2 });
      assert.deepEqual(
        result.kvs.map((kv) => kv.value.toString()),
        ["D", "C"],
      );
      assert.deepEqual([result.count, result.more], [4, true]);
      const some = await s.list("/r/", { revision: s.base + 4, maxModRevision: s.base + 2 });
      assert.deepEqual(
        some.kvs.map((kv) => kv.value.toString()),
        ["A", "C"],
      );
    },
  },
  {
    name: "range() at the revision before the first write is empty",
    run: async (s) => {
      await letters(s);
      const { kvs, count } = await s.list("/r/", { revision: s.base });
      assert.deepEqual([kvs.length, count], [0, 0]);
    },
  },
  {
    name: "range() refuses a future revision and an empty key",
    run: async (s) => {
      const at = await s.put("/r/a", "1");
      await refuses("futureRevision", () => s.store.range("/r/a", { revision: s.base + at + 1 }));
      await refuses("futureRevision", () => s.store.get("/r/a", s.base + at + 1));
      await refuses("emptyKey", () => s.store.range(""));
    },
  },
  {
    name: "range() keeps values of any bytes and of no bytes",
    run: async (s) => {
      const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      await s.write({ kind: "put", key: "/r/all", value: Buffer.from(all) }, put("/r/empty", ""));
      assert.deepEqual((await s.store.get("/r/all"))?.value, all);
      assert.equal((await s.store.get("/r/empty"))?.value.length, 0);
    },
  },
  {
    name: "range() keeps a value of one mebibyte",
    run: async (s) => {
      const big = Buffer.alloc(1024 * 1024, "tiphys ");
      await s.write({ kind: "put", key: "/r/big", value: Buffer.from(big) });
      assert.ok((await s.store.get("/r/big"))?.value.equals(big));
    },
  },
];
