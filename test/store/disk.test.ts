// The disk store: the contract on a real file, and what only it can get wrong.
import { suite, test } from "node:test";
import fc from "fast-check";
import { seededRandom, silentLog, VirtualClock } from "#base";
import { type DiskStoreOptions, openDiskStore } from "#store";
import { storeContract } from "../../src/store/testing/contract.ts";
import { follow, program } from "../../src/store/testing/programs.ts";
import { Scratch } from "./support/scratch.ts";

const options = (directory: string, more: Partial<DiskStoreOptions> = {}): DiskStoreOptions => ({
  directory,
  clock: new VirtualClock(),
  random: seededRandom(1),
  log: silentLog,
  compactEveryMs: 0,
  ...more,
});

storeContract("disk", async () => {
  const directory = new Scratch("disk", { inMemory: true });
  const clock = new VirtualClock();
  const store = await openDiskStore(options(directory.path, { clock }));
  return {
    store,
    advance: async (ms) => {
      await clock.advance(ms);
      await store.status(); // the thread answers in order: what the passing of time has written is durable
    },
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    },
  };
});

suite("DiskStore", () => {
  test("does what the model does, for any program, closed and opened again in between", async () => {
    await fc.assert(
      fc.asyncProperty(program(true), async (steps) => {
        using directory = new Scratch("disk", { inMemory: true });
        await follow(() => openDiskStore(options(directory.path)), steps);
      }),
      { numRuns: 15 },
    );
  });
});
