import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { evaluate } from "../engine/evaluate.ts";
import { State } from "../engine/state.ts";
import { Forgetter } from "./forgetter.ts";
import type { Request } from "./protocol.ts";
import type { Thread } from "./thread.ts";

/** A forgetter over a state with so many revisions of one key, and a thread that only takes notes. */
function forgetting(revisions: number, onVacuum: (forgetter: Forgetter) => number) {
  const state = new State();
  for (let index = 0; index < revisions; index++) {
    const operation = { kind: "put", key: "a", value: Buffer.from("x") } as const;
    evaluate(state, { if: [], then: [operation] }, () => state.live);
  }
  const removed: number[] = [];
  const request = async (asked: Request): Promise<unknown> => {
    if (asked.kind === "vacuum") return onVacuum(forgetter);
    assert.equal(asked.kind, "forget");
    if (asked.kind === "forget") removed.push(...asked.rows);
    return { commitMs: 1, syncMs: 1 };
  };
  const forgetter: Forgetter = new Forgetter({
    thread: { request } as unknown as Thread,
    state: () => state,
    trimmed: () => {},
    pace: async () => {},
    stepped: () => {},
    done: () => {},
    failed: (error) => assert.fail(String(error)),
  });
  return { forgetter, removed, state };
}

suite("Forgetter", () => {
  test("removes every row that was replaced up to the revision, and gives back pages until none is free", async () => {
    const free = [40, 24, 0];
    const { forgetter, removed, state } = forgetting(300, () => free.shift() ?? assert.fail("nothing was free any more"));
    forgetter.compact(251);
    await forgetter.finished();
    assert.deepEqual(
      removed,
      Array.from({ length: 249 }, (_, index) => index + 1),
    );
    assert.equal(state.log.first(), 251);
    assert.deepEqual(free, []);
  });

  test("a compaction that comes while pages are given back is not left for the next one", async () => {
    let again = false;
    const { forgetter, removed } = forgetting(300, (self) => {
      if (!again) self.compact(201);
      again = true;
      return 0;
    });
    forgetter.compact(101);
    await forgetter.finished();
    assert.equal(removed.length, 199);
  });
});
