import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { VirtualClock } from "#base";
import { WorkQueue } from "./work-queue.ts";

type Step = { readonly kind: "add" | "retry" | "after" | "take" | "done"; readonly key: string };

test("whatever the order of calls, no key is with two workers at once and none that was added is lost", () => {
  const step = fc.record({
    kind: fc.constantFrom("add", "retry", "after", "take", "done"),
    key: fc.constantFrom("a", "b", "c"),
  }) as fc.Arbitrary<Step>;
  return fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const clock = new VirtualClock();
      const queue = new WorkQueue({ clock });
      const held = new Set<string>();
      const owed = new Set<string>();
      const take = async (): Promise<void> => {
        if (queue.length === 0) return;
        const key = (await queue.take()) as string; // not shut down
        assert.ok(!held.has(key), `"${key}" is with two workers`);
        held.add(key);
        owed.delete(key);
      };
      for (const { kind, key } of steps) {
        if (kind === "take") await take();
        else if (kind === "done") {
          held.delete(key);
          queue.done(key);
        } else {
          owed.add(key);
          if (kind === "add") queue.add(key);
          else if (kind === "retry") queue.retry(key);
          else queue.addAfter(key, 50);
        }
      }
      for (let round = 0; round < 3; round++) {
        await clock.advance(2_000_000);
        for (const key of held) queue.done(key);
        held.clear();
        while (queue.length > 0) await take();
      }
      assert.deepEqual([...owed], []);
    }),
    { numRuns: 200 },
  );
});
