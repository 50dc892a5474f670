// The quorum table and its warnings.
import assert from "node:assert/strict";
import { test } from "node:test";
import { planOf, planText, warningFor } from "./plan.ts";

test("planOf() survives the loss of less than half", () => {
  const expected = [
    [1, 1, 0],
    [2, 2, 0],
    [3, 2, 1],
    [4, 3, 1],
    [5, 3, 2],
    [7, 4, 3],
  ];
  for (const [members, quorum, mayFail] of expected) assert.deepEqual(planOf(members as number), { members, quorum, mayFail });
});

test("warningFor() is silent about 3, 5 and 7 and warns of 1, 2, even and large numbers", () => {
  for (const members of [3, 5, 7]) assert.equal(warningFor(members), undefined);
  assert.match(warningFor(1) ?? "", /take 3/);
  assert.match(warningFor(2) ?? "", /worse than 1/);
  assert.match(warningFor(4) ?? "", /even number survives no more losses than 3 \(1\)/);
  assert.match(warningFor(9) ?? "", /every write waits for 5/);
});

test("planText() marks the number that was asked for", () => {
  assert.match(planText(3).table, /^3 +2 +1 {2}<-$/m);
  assert.match(planText(9).table, /^9 +5 +4 {2}<-$/m);
});
