import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Distribution, exponential } from "./measures.ts";

suite("Distribution", () => {
  test("counts each observation in its bucket and all larger ones, and what is beyond the last in none", () => {
    const distribution = new Distribution("d", "help", [1, 2, 4]);
    for (const value of [0.5, 1, 1.5, 4, 9]) distribution.observe(value);
    assert.deepEqual(distribution.measure, {
      kind: "histogram",
      name: "d",
      help: "help",
      buckets: [
        [1, 2],
        [2, 3],
        [4, 4],
      ],
      sum: 16,
      count: 5,
    });
  });
});

test("exponential() makes etcd's bounds", () => {
  const bounds = exponential(0.001, 2, 14);
  assert.equal(bounds.length, 14);
  assert.equal(bounds.at(-1), 8.192);
});
