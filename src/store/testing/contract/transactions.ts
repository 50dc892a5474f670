// Contract cases: writing.
import assert from "node:assert/strict";
import { type Compare, revisionSlotLength } from "../../store.ts";
import { absent, bytes, type ContractCase, del, put, read, refuses } from "./subject.ts";

const compareTable: readonly (readonly [string, Compare, boolean])[] = [
  // /t/a was created at 1, changed at 2, is "b", version 2.
  ["version = 2", { key: "/t/a", target: "version", op: "=", value: 2 }, true],
  ["version != 2", { key: "/t/a", target: "version", op: "!=", value: 2 }, false],
  ["version < 3", { key: "/t/a", target: "version", op: "<", value: 3 }, true],
  ["version < 2", { key: "/t/a", target: "version", op: "<", value: 2 }, false],
  ["version > 1", { key: "/t/a", target: "version", op: ">", value: 1 }, true],
  ["version > 2", { key: "/t/a", target: "version", op: ">", value: 2 }, false],
  ["value = b", { key: "/t/a", target: "value", op: "=", value: bytes("b") }, true],
  ["value = c", { key: "/t/a", target: "value", op: "=", value: bytes("c") }, false],
  ["value != c", { key: "/t/a", target: "value", op: "!=", value: bytes("c") }, true],
  ["value < c", { key: "/t/a", target: "value", op: "<", value: bytes("c") }, true],
  ["value < ba", { key: "/t/a", target: "value", op: "<", value: bytes("ba") }, true],
  ["value > a", { key: "/t/a", target: "value", op: ">", value: bytes("a") }, true],
  ["value > b", { key: "/t/a", target: "value", op: ">", value: bytes("b") }, false],
  ["lease = 0", { key: "/t/a", target: "lease", op: "=", value: 0n }, true],
  ["lease > 0", { key: "/t/a", target: "lease", op: ">", value: 0n }, false],
  ["lease < 5", { key: "/t/a", target: "lease", op: "<", value: 5n }, true],
  ["absent: version = 0", { key: "/t/none", target: "version", op: "=", value: 0 }, true],
  ["absent: create = 0", { key: "/t/none", target: "create", op: "=", value: 0 }, true],
  ["absent: mod = 0", { key: "/t/none", target: "mod", op: "=", value: 0 }, true],
  ["absent: mod > 0", { key: "/t/none", target: "mod", op: ">", value: 0 }, false],
  ["absent: mod < 1", { key: "/t/none", target: "mod", op: "<", value: 1 }, true],
  ["absent: lease = 0", { key: "/t/none", target: "lease", op: "=", value: 0n }, true],
  ["absent: value = ''", { key: "/t/none", target: "value", op: "=", value: bytes("") }, false],
  ["absent: value != x", { key: "/t/none", target: "value", op: "!=", value: bytes("x") }, false],
  ["range: every version < 3", { key: "/t/", end: "/t0", target: "version", op: "<", value: 3 }, true],
  ["range: every version = 2", { key: "/t/", end: "/t0", target: "version", op: "=", value: 2 }, false],
  ["range: no keys, version = 0", { key: "/u/", end: "/u0", target: "version", op: "=", value: 0 }, true],
  ["range: no keys, value != x", { key: "/u/", end: "/u0", target: "value", op: "!=", value: bytes("x") }, false],
];

export const transactionCases: readonly ContractCase[] = [
  {
    name: "transact() that writes takes exactly one revision, whatever it writes",
    run: async (s) => {
      const { revision, succeeded } = await s.write(put("/t/a", "1"), put("/t/b", "2"), put("/t/c", "3"));
      assert.deepEqual([revision - s.base, succeeded], [1, true]);
      for (const key of ["/t/a", "/t/b", "/t/c"]) assert.equal((await s.get(key))?.mod, 1);
      assert.equal(await s.put("/t/d", "4"), 2);
    },
  },
  {
    name: "transact() that writes nothing takes no revision and names the store's",
    run: async (s) => {
      await s.put("/t/a", "1");
      for (const operations of [[], [read("/t/a")], [del("/t/none")], [del("/t/x", "/t/z")]]) {
        assert.equal((await s.write(...operations)).revision - s.base, 1);
      }
      assert.equal(await s.put("/t/a", "2"), 2);
    },
  },
  {
    name: "transact() runs `then` when every compare holds and `else` otherwise",
    run: async (s) => {
      const create = { if: [absent("/t/a")], then: [put("/t/a", "first")], else: [read("/t/a")] };
      const first = await s.store.transact(create);
      assert.deepEqual([first.succeeded, first.revision - s.base, first.results[0]?.kind], [true, 1, "put"]);
      const second = await s.store.transact(create);
      assert.deepEqual([second.succeeded, second.revision - s.base], [false, 1]);
      const found = second.results[0];
      assert.equal(found?.kind === "range" ? found.kvs[0]?.value.toString() : undefined, "first");
    },
  },
  {
    name: "transact() without an else branch does nothing when a compare fails",
    run: async (s) => {
      const result = await s.store.transact({
        if: [{ key: "/t/a", target: "mod", op: ">", value: 0 }],
        then: [put("/t/a", "1")],
      });
      assert.deepEqual([result.succeeded, result.results.length], [false, 0]);
      assert.equal(await s.get("/t/a"), undefined);
    },
  },
  {
    name: "transact() compares every target with every operator as etcd does",
    run: async (s) => {
      await s.put("/t/a", "a");
      await s.put("/t/a", "b");
      await s.put("/t/b", "b");
      for (const [sentence, compare, expected] of compareTable) assert.equal(await s.holds(compare), expected, sentence);
      const created = { key: "/t/a", target: "create" } as const;
      const changed = { key: "/t/a", target: "mod" } as const;
      assert.equal(await s.holds({ ...created, op: "=", value: s.base + 1 }), true);
      assert.equal(await s.holds({ ...created, op: ">", value: s.base + 1 }), false);
      assert.equal(await s.holds({ ...changed, op: "=", value: s.base + 2 }), true);
      assert.equal(await s.holds({ ...changed, op: "<", value: s.base + 2 }), false);
      assert.equal(await s.holds({ ...changed, op: "!=", value: s.base + 1 }), true);
    },
  },
  {
    name: "transact() needs all of its compares",
    run: async (s) => {
      await s.put("/t/a", "1");
      const yes: Compare = { key: "/t/a", target: "version", op: "=", value: 1 };
      assert.equal(await s.holds(yes, yes), true);
      assert.equal(await s.holds(yes, absent("/t/a")), false);
    },
  },
  {
    name: "transact() compares the lease of a key",
    run: async (s) => {
      const { id } = await s.store.grantLease(60);
      await s.put("/t/a", "1", { lease: id });
      assert.equal(await s.holds({ key: "/t/a", target: "lease", op: "=", value: id }), true);
      assert.equal(await s.holds({ key: "/t/a", target: "lease", op: "!=", value: id }), false);
    },
  },
  {
    name: "transact() reads see the writes before them in the same transaction",
    run: async (s) => {
      await s.put("/t/a", "old");
      const { results } = await s.write(read("/t/a"), del("/t/"), put("/t/a", "new"), read("/t/a"));
      const values = results.flatMap((r) => (r.kind === "range" ? [r.kvs[0]?.value.toString()] : []));
      assert.deepEqual(values, ["old", "new"]);
    },
  },
  {
    name: "transact() reads at an older revision do not see the writes",
    run: async (s) => {
      await s.put("/t/a", "old");
      const { results } = await s.write(put("/t/a", "new"), read("/t/a", { revision: s.base + 1 }));
      const last = results[1];
      assert.equal(last?.kind === "range" ? last.kvs[0]?.value.toString() : undefined, "old");
    },
  },
  {
    name: "transact() with a read it cannot answer writes nothing",
    run: async (s) => {
      await s.put("/t/a", "1");
      await refuses("futureRevision", () => s.write(put("/t/b", "1"), read("/t/a", { revision: s.base + 9 })));
      assert.equal(await s.get("/t/b"), undefined);
      assert.equal(await s.put("/t/c", "1"), 2);
    },
  },
  {
    name: "transact() nested: takes the inner branch, in the same revision",
    run: async (s) => {
      await s.put("/t/a", "1");
      const { results, revision } = await s.write(put("/t/b", "outer"), {
        kind: "txn",
        if: [{ key: "/t/a", target: "value", op: "=", value: bytes("1") }],
        then: [
          put("/t/c", "inner"),
          { kind: "txn", if: [absent("/t/a")], then: [put("/t/d", "then")], else: [put("/t/d", "else")] },
        ],
      });
      assert.equal(revision - s.base, 2);
      const nested = results[1];
      assert.ok(nested?.kind === "txn" && nested.succeeded);
      assert.ok(nested.results[1]?.kind === "txn" && !nested.results[1].succeeded);
      assert.equal((await s.get("/t/c"))?.mod, 2);
      assert.equal((await s.get("/t/d"))?.value, "else");
    },
  },
  {
    name: "transact() nested: compares are decided before anything is written",
    run: async (s) => {
      const { results } = await s.write(put("/t/a", "1"), {
        kind: "txn",
        if: [absent("/t/a")],
        then: [put("/t/b", "yes")],
        else: [],
      });
      assert.ok(results[1]?.kind === "txn" && results[1].succeeded);
      assert.equal((await s.get("/t/b"))?.value, "yes");
    },
  },
  {
    name: "transact() refuses two writes of one key on one path",
    run: async (s) => {
      const nested = (...then: ReturnType<typeof put>[]) => ({ kind: "txn", if: [], then }) as const;
      await refuses("duplicateKey", () => s.write(put("/t/a", "1"), put("/t/a", "2")));
      await refuses("duplicateKey", () => s.write(put("/t/a", "1"), del("/t/a")));
      await refuses("duplicateKey", () => s.write(del("/t/", "/t0"), put("/t/a", "1")));
      await refuses("duplicateKey", () => s.write(put("/t/a", "1"), nested(put("/t/a", "2"))));
      await refuses("duplicateKey", () => s.write(del("/t/a"), nested(put("/t/a", "2"))));
      await refuses("duplicateKey", () => s.write(nested(put("/t/a", "1")), nested(put("/t/a", "2"))));
      await refuses("duplicateKey", () =>
        s.store.transact({ if: [absent("/t/a")], then: [], else: [put("/t/a", "1"), put("/t/a", "2")] }),
      );
      assert.equal(await s.put("/t/z", "1"), 1);
    },
  },
  {
    name: "transact() allows one key in both branches, overlapping deletions and reads beside writes",
    run: async (s) => {
      await s.put("/t/a", "1");
      await s.store.transact({ if: [absent("/t/a")], then: [put("/t/b", "then")], else: [put("/t/b", "else")] });
      const { results } = await s.write(del("/t/", "/t0"), del("/t/a"), read("/t/a"), {
        kind: "txn",
        if: [absent("/u")],
        then: [put("/u", "1")],
        else: [put("/u", "2")],
      });
      assert.deepEqual(
        results.map((r) => (r.kind === "delete" ? r.deleted : r.kind)),
        [2, 0, "range", "txn"],
      );
    },
  },
  {
    name: "transact() refuses an empty key in every place",
    run: async (s) => {
      await refuses("emptyKey", () => s.write({ kind: "put", key: "", value: bytes("1") }));
      await refuses("emptyKey", () => s.write({ kind: "delete", key: "" }));
      await refuses("emptyKey", () => s.write({ kind: "range", key: "" }));
      await refuses("emptyKey", () => s.write({ kind: "txn", if: [], then: [{ kind: "put", key: "", value: bytes("1") }] }));
    },
  },
  {
    name: "transact() refuses a request above 1.5 MiB and writes nothing",
    run: async (s) => {
      await refuses("tooLarge", () => s.write({ kind: "put", key: "/t/big", value: Buffer.alloc(1.6 * 1024 * 1024) }));
      assert.equal(await s.get("/t/big"), undefined);
    },
  },
  {
    name: "put returns the previous key-value when asked, and nothing otherwise",
    run: async (s) => {
      const first = await s.write(put("/t/a", "1", { previous: true }));
      assert.deepEqual(first.results[0]?.kind === "put" && first.results[0].previous, undefined);
      await s.write(put("/t/a", "2"));
      const asked = (await s.write(put("/t/a", "3", { previous: true }))).results[0];
      assert.ok(asked?.kind === "put" && asked.previous !== undefined);
      assert.deepEqual(s.plain(asked.previous), { key: "/t/a", value: "2", create: 1, mod: 2, version: 2 });
      const silent = (await s.write(put("/t/a", "4"))).results[0];
      assert.ok(silent?.kind === "put" && silent.previous === undefined);
    },
  },
  {
    name: "put with ignoreValue keeps the value and changes the lease",
    run: async (s) => {
      const { id } = await s.store.grantLease(60);
      await s.put("/t/a", "kept");
      await s.put("/t/a", "", { ignoreValue: true, lease: id });
      const kv = await s.store.get("/t/a");
      assert.deepEqual([kv?.value.toString(), kv?.lease, kv?.version], ["kept", id, 2]);
    },
  },
  {
    name: "put with ignoreLease keeps the lease and changes the value",
    run: async (s) => {
      const { id } = await s.store.grantLease(60);
      await s.put("/t/a", "1", { lease: id });
      await s.put("/t/a", "2", { ignoreLease: true });
      const kv = await s.store.get("/t/a");
      assert.deepEqual([kv?.value.toString(), kv?.lease], ["2", id]);
      assert.deepEqual((await s.store.lease(id))?.keys, ["/t/a"]);
    },
  },
  {
    name: "put with ignoreValue or ignoreLease refuses an absent key",
    run: async (s) => {
      await refuses("keyNotFound", () => s.put("/t/none", "", { ignoreValue: true }));
      await refuses("keyNotFound", () => s.put("/t/none", "1", { ignoreLease: true }));
      assert.equal(await s.put("/t/a", "1"), 1);
    },
  },
  {
    name: "put after a deletion starts a new life of the key",
    run: async (s) => {
      await s.put("/t/a", "1");
      await s.put("/t/a", "2");
      await s.delete("/t/a");
      await s.put("/t/a", "3");
      assert.deepEqual(await s.get("/t/a"), { key: "/t/a", value: "3", create: 4, mod: 4, version: 1 });
    },
  },
  {
    name: "delete of a range removes and counts its keys in one revision",
    run: async (s) => {
      for (const key of ["/t/a", "/t/b", "/t/c", "/u"]) await s.put(key, "1");
      const { results, revision } = await s.write(del("/t/", "/t0", true));
      assert.equal(revision - s.base, 5);
      const result = results[0];
      assert.ok(result?.kind === "delete");
      assert.deepEqual([result.deleted, result.previous.map((kv) => kv.key)], [3, ["/t/a", "/t/b", "/t/c"]]);
      assert.equal((await s.list("/t/")).count, 0);
      assert.equal((await s.get("/u"))?.value, "1");
    },
  },
  {
    name: "delete returns what it removed only when asked",
    run: async (s) => {
      await s.put("/t/a", "1");
      const silent = (await s.write(del("/t/a"))).results[0];
      assert.ok(silent?.kind === "delete" && silent.deleted === 1 && silent.previous.length === 0);
      const nothing = (await s.write(del("/t/a", undefined, true))).results[0];
      assert.ok(nothing?.kind === "delete" && nothing.deleted === 0 && nothing.previous.length === 0);
    },
  },
  {
    name: 'delete to "\\0" removes every key from there on',
    run: async (s) => {
      await s.put("/t/a", "1");
      await s.put("\xfe", "1");
      const result = (await s.write(del("/t/a", "\0"))).results[0];
      assert.ok(result?.kind === "delete" && result.deleted === 2);
      assert.equal((await s.store.range("\0", { end: "\0", countOnly: true })).count, 0);
    },
  },
  {
    name: "transact() calls that do not wait for each other commit in the order of the calls",
    run: async (s) => {
      const results = await Promise.all(Array.from({ length: 50 }, (_, i) => s.write(put(`/t/${i % 7}`, String(i)))));
      assert.deepEqual(
        results.map((result) => result.revision - s.base),
        Array.from({ length: 50 }, (_, i) => i + 1),
      );
      assert.equal((await s.get("/t/0"))?.value, "49");
    },
  },
  {
    name: "transact() with one revision expected: of many at once exactly one wins",
    run: async (s) => {
      await s.put("/t/a", "0");
      const guard: Compare = { key: "/t/a", target: "mod", op: "=", value: s.base + 1 };
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, i) => s.store.transact({ if: [guard], then: [put("/t/a", String(i))] })),
      );
      assert.equal(results.filter((result) => result.succeeded).length, 1);
      assert.deepEqual([(await s.get("/t/a"))?.version, (await s.get("/t/a"))?.mod], [2, 2]);
    },
  },
  {
    name: "transact() of a reader in flight with a writer sees the write or not, never half",
    run: async (s) => {
      const write = s.write(put("/t/a", "1"), put("/t/b", "1"));
      const look = s.write(read("/t/", { end: "/t0" }));
      const [written, looked] = await Promise.all([write, look]);
      const seen = looked.results[0]?.kind === "range" ? looked.results[0].kvs.length : -1;
      assert.ok(looked.revision === written.revision ? seen === 2 : seen === 0);
    },
  },
  {
    name: "a revision slot holds the padded revision, or is left as it was",
    run: async (s) => {
      const before = `{"v":"","pad":${" ".repeat(revisionSlotLength)}}`;
      const { revision } = await s.write({ kind: "put", key: "/t/a", value: bytes(before), revisionSlot: 14 });
      const after = (await s.store.get("/t/a"))?.value.toString();
      const filled = `{"v":"","pad":${`"${revision}"`.padEnd(revisionSlotLength)}}`;
      assert.ok(after === before || after === filled, `got ${after}`);
    },
  },
];
