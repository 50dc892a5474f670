import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { derived, known, SharedValues } from "./shared.ts";

/** A question that counts how often it is asked. */
function counting(): { readonly question: (value: { n: number }) => { n: number }; asked: number } {
  const counter = {
    asked: 0,
    question: (value: { n: number }) => {
      counter.asked++;
      return { n: value.n + 1 };
    },
  };
  return counter;
}

describe("shared values", () => {
  it("known() asks once about a shared value and every time about another", () => {
    const values = new SharedValues();
    const [shared, other] = [{ n: 1 }, { n: 1 }];
    values.add("1", shared);
    const counter = counting();
    assert.deepEqual([known(shared, counter.question), known(shared, counter.question)], [{ n: 2 }, { n: 2 }]);
    assert.equal(counter.asked, 1);
    assert.deepEqual([known(other, counter.question), known(other, counter.question)], [{ n: 2 }, { n: 2 }]);
    assert.equal(counter.asked, 3);
  });

  it("known() remembers undefined too, and answers about what is no object", () => {
    const values = new SharedValues();
    const shared = {};
    values.add("{}", shared);
    let asked = 0;
    const nothing = (): undefined => void asked++;
    known(shared, nothing);
    known(shared, nothing);
    assert.equal(asked, 1);
    assert.equal(
      known(undefined, () => 7),
      7,
    );
  });

  it("derived() shares what it makes of a shared value, and of no other", () => {
    const values = new SharedValues();
    const shared = { n: 1 };
    values.add("1", shared);
    const make = (value: { n: number }): { n: number } => ({ n: value.n + 1 });
    const counter = counting();
    known(derived(shared, make), counter.question);
    known(derived(shared, make), counter.question);
    assert.equal(counter.asked, 1);
    known(derived({ n: 1 }, make), counter.question);
    known(derived({ n: 1 }, make), counter.question);
    assert.equal(counter.asked, 3);
  });

  it("SharedValues holds the latest thousand and nothing large", () => {
    const values = new SharedValues();
    for (let i = 0; i <= 1_000; i++) values.add(String(i), { i });
    assert.equal(values.get("0"), undefined);
    assert.deepEqual([values.get("1"), values.get("1000")], [{ i: 1 }, { i: 1_000 }]);
    const large = "x".repeat(20_000);
    values.add(large, {});
    assert.equal(values.get(large), undefined);
  });
});
