// Histories that are right are found right; answers that got lost do not trouble anybody.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { randomInt, seededRandom } from "#base";
import { checkHistory } from "./check-history.ts";
import { linearizable } from "./key-model.ts";
import { checkLinearizable, type Interval, type Model } from "./linearizability.ts";
import { toyHistory } from "./toy-history.ts";

/** A register: a write of a number, or a read of one. */
type Step = { readonly write: number } | { readonly read: number };
const register: Model<number, Step> = {
  initial: 0,
  step: (state, step) => ("write" in step ? step.write : step.read === state ? state : undefined),
  identify: String,
};
const never = Number.POSITIVE_INFINITY;
const write = (value: number, call: number, end: number): Interval<Step> => ({ step: { write: value }, call, return: end });
const read = (value: number, call: number, end: number): Interval<Step> => ({ step: { read: value }, call, return: end });

suite("the search for an order of operations", () => {
  const cases: readonly { readonly name: string; readonly steps: readonly Interval<Step>[]; readonly verdict: string }[] = [
    { name: "accepts nothing at all", steps: [], verdict: "linearizable" },
    { name: "accepts one after the other", steps: [write(1, 1, 2), read(1, 3, 4)], verdict: "linearizable" },
    { name: "rejects a read of what is replaced", steps: [write(1, 1, 2), read(0, 3, 4)], verdict: "violation" },
    {
      name: "accepts either answer while a write is under way",
      steps: [write(1, 1, 6), read(0, 2, 3), read(1, 4, 5)],
      verdict: "linearizable",
    },
    {
      name: "rejects readers that disagree on the order",
      steps: [write(1, 1, 6), read(1, 2, 3), read(0, 4, 5)],
      verdict: "violation",
    },
    { name: "accepts an unanswered write that nobody sees", steps: [write(1, 1, never), read(0, 2, 3)], verdict: "linearizable" },
    {
      name: "accepts an unanswered write that is seen late",
      steps: [write(1, 1, never), read(0, 2, 3), read(1, 4, 5)],
      verdict: "linearizable",
    },
    {
      name: "rejects an unanswered write that is seen and then not",
      steps: [write(1, 1, never), read(1, 2, 3), read(0, 4, 5)],
      verdict: "violation",
    },
    {
      name: "rejects an unanswered write that is seen before its call",
      steps: [read(1, 1, 2), write(1, 3, never)],
      verdict: "violation",
    },
  ];
  for (const { name, steps, verdict } of cases)
    test(name, () => assert.equal(checkLinearizable(register, steps).verdict, verdict));

  test("agrees with trying every order, on small random histories", () => {
    const random = seededRandom(7);
    const verdicts = { linearizable: 0, violation: 0 };
    for (let round = 0; round < 3000; round++) {
      const steps = Array.from({ length: 1 + randomInt(random, 6) }, (): Interval<Step> => {
        const call = randomInt(random, 12);
        const end = random.float() < 0.15 ? never : call + 1 + randomInt(random, 8);
        const value = randomInt(random, 3);
        return random.float() < 0.5 && end !== never ? read(value, call, end) : write(value, call, end);
      });
      const expected = tryAll(steps, 0) ? "linearizable" : "violation";
      verdicts[expected]++;
      assert.equal(checkLinearizable(register, steps).verdict, expected, JSON.stringify(steps));
    }
    assert.ok(verdicts.linearizable > 300 && verdicts.violation > 300, JSON.stringify(verdicts));
  });

  test("gives up, and says so, when there are too many states", () => {
    const steps = Array.from({ length: 30 }, (_, index) => write(index, 0, 100));
    assert.equal(checkLinearizable(register, [...steps, read(99, 101, 102)], 1000).verdict, "unknown");
  });
});

/** By definition: some order that respects real time gives these answers. */
function tryAll(left: readonly Interval<Step>[], state: number): boolean {
  if (left.every((each) => each.return === never)) return true;
  const earliestReturn = Math.min(...left.map((each) => each.return));
  return left.some((each, index) => {
    if (each.call > earliestReturn) return false;
    const after = register.step(state, each.step);
    return after !== undefined && tryAll(left.toSpliced(index, 1), after);
  });
}

suite("histories of a store that is right", () => {
  test("break no promise, with lost answers and without", () => {
    for (let seed = 1; seed <= 150; seed++) {
      const history = toyHistory(seededRandom(seed), 120, seed % 3 === 0 ? 0 : 0.1);
      assert.deepEqual(checkHistory(history), [], `seed ${seed}`);
    }
  });

  test("are linearizable, too, when watchers cannot tell which unanswered writes took place", () => {
    for (let seed = 1; seed <= 100; seed++)
      assert.deepEqual(linearizable(toyHistory(seededRandom(seed), 120, 0.1).operations), [], `seed ${seed}`);
  });
});
