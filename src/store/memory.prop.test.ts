// The memory store against the naive model.
import { test } from "node:test";
import fc from "fast-check";
import { VirtualClock } from "#base";
import { MemoryStore } from "./memory.ts";
import { follow, program } from "./testing/programs.ts";

test("the memory store does what the model does, for any program", async () => {
  await fc.assert(
    fc.asyncProperty(program(false), (steps) => follow(async () => new MemoryStore({ clock: new VirtualClock() }), steps)),
    { numRuns: 150 },
  );
});
