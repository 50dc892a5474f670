// SeenKeys against a Map, with keys that share a hash among them.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seededRandom } from "#base";
import { SeenKeys } from "./seen-keys.ts";
import { readRecords, sizeOfHead, WireWriter } from "./wire.ts";

const latin1 = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 40 });

/** Heads of a chunk, one for each key. */
function visitHeads(keys: readonly string[], visit: Parameters<typeof readRecords>[2]): void {
  const writer = new WireWriter(keys.reduce((sum, key) => sum + sizeOfHead(key.length), 0));
  for (const key of keys) writer.writeHead(1, 1, 0, Buffer.from(key, "latin1"), 0, key.length, 1, 1, 0n, 0);
  readRecords(writer.buffer, writer.length, visit, new Uint8Array(0));
}

test("what was set last is found again, however many keys there are and wherever they meet", () => {
  const bits = fc.constantFrom(0, 1, 0xff, 0xffff_ffff);
  fc.assert(
    fc.property(fc.array(fc.tuple(latin1, fc.nat()), { size: "medium" }), bits, (steps, kept) => {
      const seen = new SeenKeys<number>(seededRandom(1));
      const model = new Map<string, number>();
      let index = 0;
      visitHeads(
        steps.map(([key]) => key),
        (record) => {
          const [key, value] = steps[index++] as [string, number]; // one for each head
          const hash = seen.hashOf(record) & kept;
          assert.equal(seen.get(hash, key), model.get(key));
          seen.set(hash, key, value);
          model.set(key, value);
          assert.equal(seen.get(hash, key), value);
        },
      );
    }),
  );
});

test("a table that has grown many times has lost no key", () => {
  const seen = new SeenKeys<number>(seededRandom(1));
  const keys = Array.from({ length: 10_000 }, (_, index) => `/registry/pods/default/web-${index}`);
  const hashes: number[] = [];
  visitHeads(keys, (record) => void hashes.push(seen.hashOf(record)));
  keys.forEach((key, index) => void seen.set(hashes[index] as number, key, index));
  keys.forEach((key, index) => void assert.equal(seen.get(hashes[index] as number, key), index));
  assert.ok(new Set(hashes).size > 9_980, "hashes differ");
});

test("equal keys have equal hashes wherever they are, and another seed gives others", () => {
  const hashes = (seed: number): number[] => {
    const seen = new SeenKeys(seededRandom(seed));
    const found: number[] = [];
    visitHeads(["", "a", "a\0", "", "a"], (record) => void found.push(seen.hashOf(record)));
    return found;
  };
  const [empty, a, other, ...again] = hashes(1);
  assert.deepEqual(again, [empty, a]);
  assert.equal(new Set([empty, a, other, ...hashes(2).slice(0, 3)]).size, 6);
});
