// The tree against a sorted array, with snapshots taken at random moments.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Tree } from "./tree.ts";

type Step = readonly ["set" | "delete" | "snapshot", number];

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.oneof(
    { arbitrary: fc.constant("set" as const), weight: 6 },
    { arbitrary: fc.constant("delete" as const), weight: 4 },
    fc.constant("snapshot" as const),
  ),
  fc.nat(300),
);

function entries(tree: Tree<number, number>, start = Number.NEGATIVE_INFINITY, end?: number): [number, number][] {
  const found: [number, number][] = [];
  tree.scan(start, end, (value, key) => {
    found.push([key, value]);
  });
  return found;
}

const sorted = (model: ReadonlyMap<number, number>): [number, number][] => [...model].sort(([a], [b]) => a - b);

test("Tree equals a sorted map after any steps, and snapshots never change", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 1500, size: "max" }),
      fc.nat(300),
      fc.nat(300),
      fc.nat(1200),
      (steps, low, high, built) => {
        const items = Array.from({ length: built }, (_, index) => index);
        const tree = Tree.from(
          items,
          (item) => item / 4, // between the steps' keys and at them
          (item) => -item,
        );
        const model = new Map(items.map((item) => [item / 4, -item]));
        const snapshots: { readonly tree: Tree<number, number>; readonly expected: [number, number][] }[] = [];
        steps.forEach(([kind, key], index) => {
          if (kind === "set") {
            tree.set(key, index);
            model.set(key, index);
          } else if (kind === "delete") {
            assert.equal(tree.delete(key), model.delete(key));
          } else if (snapshots.length < 20) {
            snapshots.push({ tree: tree.snapshot(), expected: sorted(model) });
          }
        });
        snapshots.push({ tree, expected: sorted(model) });
        for (const { tree: each, expected } of snapshots) {
          assert.deepEqual(entries(each), expected);
          assert.equal(each.size, expected.length);
          const inside = expected.filter(([key]) => key >= low && key < high);
          assert.deepEqual(entries(each, low, high), inside);
          assert.equal(each.count(low, high), inside.length);
          assert.equal(each.get(low), expected.find(([key]) => key === low)?.[1]);
          assert.equal(each.first(), expected[0]?.[0]);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("a changed snapshot leaves its origin alone", () => {
  const tree = new Tree<number, number>();
  for (let i = 0; i < 1000; i++) tree.set(i, i);
  const copy = tree.snapshot();
  for (let i = 0; i < 1000; i += 2) copy.delete(i);
  assert.equal(tree.size, 1000);
  assert.equal(copy.size, 500);
  assert.deepEqual(entries(copy).slice(0, 2), [
    [1, 1],
    [3, 3],
  ]);
  assert.deepEqual(entries(tree, 0, 2), [
    [0, 0],
    [1, 1],
  ]);
});
