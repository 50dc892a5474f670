// Answers written by hand against the field tables: the same bytes, whatever is in them.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { rangeAnswer, watchAnswer } from "./answer-bytes.ts";
import { etcdMessages, type WireRangeResponse, type WireWatchResponse } from "./wire.ts";

const bytes = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)) },
  // around the lengths where a length takes a byte more, and where a piece ends
  {
    weight: 1,
    arbitrary: fc.constantFrom(127, 128, 16_383, 16_384, 65_535, 65_536, 200_000).map((length) => Buffer.alloc(length, 7)),
  },
);
const edges = Array.from({ length: 8 }, (_, index) => 2 ** (7 * index)).flatMap((edge) => [edge - 1, edge]);
const revision = fc.oneof(fc.nat(), fc.constantFrom(...edges, 2 ** 31, 2 ** 32), fc.maxSafeNat());
const id = fc.oneof(fc.constant(0n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n));
const unsigned = fc.bigInt(0n, 2n ** 64n - 1n);
const keyValue = fc.record({
  key: bytes,
  value: bytes,
  create_revision: revision,
  mod_revision: revision,
  version: revision,
  lease: id,
});
const header = fc.record({ cluster_id: unsigned, member_id: unsigned, revision, raft_term: revision }, { requiredKeys: [] });
const absentOr = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

test("a range's answer has the bytes that the field tables give it", () => {
  const answer = fc.record({
    header: absentOr(header),
    kvs: fc.array(keyValue),
    more: fc.boolean(),
    count: revision,
  }) as fc.Arbitrary<WireRangeResponse>;
  fc.assert(
    fc.property(answer, (message) => {
      assertSame(rangeAnswer(message), etcdMessages.encode("etcdserverpb.RangeResponse", message));
    }),
  );
});

test("a watch's answer has the bytes that the field tables give it", () => {
  const event = fc.record({
    type: fc.constantFrom("PUT", "DELETE"),
    kv: keyValue,
    prev_kv: absentOr(keyValue),
  });
  const answer = fc.record(
    {
      header,
      watch_id: fc.oneof(fc.constantFrom(-1, 0), revision),
      created: fc.boolean(),
      canceled: fc.boolean(),
      compact_revision: revision,
      cancel_reason: fc.string({ unit: "grapheme" }),
      fragment: fc.boolean(),
      events: fc.array(event),
    },
    { requiredKeys: ["watch_id"] },
  ) as fc.Arbitrary<WireWatchResponse>;
  fc.assert(
    fc.property(answer, (message) => {
      assertSame(watchAnswer(message), etcdMessages.encode("etcdserverpb.WatchResponse", message));
    }),
  );
});

test("a long answer comes in pieces of a frame each, and one key is never in two of them", () => {
  const kv = { key: Buffer.from("k"), value: Buffer.alloc(1000), create_revision: 2, mod_revision: 3, version: 1, lease: 0n };
  const large = { ...kv, value: Buffer.alloc(100_000) };
  const pieces = rangeAnswer({ kvs: [...Array.from({ length: 200 }, () => kv), large], more: false, count: 201 });
  const sizes = pieces.map(({ length }) => length);
  assert.equal(sizes.filter((size) => size > 64_000 && size <= 65_536).length, 3);
  assert.equal(sizes.filter((size) => size > 100_000).length, 1);
  assert.ok(sizes.length <= 6, String(sizes));
});

function assertSame(pieces: readonly Buffer[], expected: Buffer): void {
  const actual = Buffer.concat(pieces);
  // at length only if they differ: a message that shows both would be of megabytes
  if (!actual.equals(expected)) assert.equal(actual.toString("hex").slice(0, 4000), expected.toString("hex").slice(0, 4000));
  assert.equal(actual.length, expected.length);
}
