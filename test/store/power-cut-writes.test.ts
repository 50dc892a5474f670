// The power fails at any moment of a short life, and of what was not yet flushed any part is gone: dropped, out of order, torn in the middle.
// What a journalling disk would do at its worst; power-cut.test.ts asks a real file system.
// LOST_WRITES=10000 node --test test/store/power-cut-writes.test.ts
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { randomInt, seededRandom } from "#base";
import { startChild, straceMissing } from "./support/child.ts";
import { makeDeadStore } from "./support/dead-store.ts";
import { writesIn } from "./support/expectation.ts";
import { Disk, readRecording, recording } from "./support/recorded-writes.ts";
import { type Recovered, recovered } from "./support/recovered.ts";
import { type Acknowledged, hashOfKeys, Replay } from "./support/replay.ts";
import { Scratch, times } from "./support/scratch.ts";

const cuts = times("LOST_WRITES", 400);
const seed = times("LOST_WRITES_SEED", 1);

/** The hash at each revision of these writes. */
function hashes(writes: readonly Acknowledged[]): Map<number, number> {
  const replay = new Replay();
  const found = new Map([[1, replay.hash()]]);
  for (const write of writes) {
    replay.assume([write]);
    found.set(write.revision, replay.hash());
  }
  return found;
}

/** What the process had said when the power failed. */
class Told {
  revision: number;
  #compacted = 0;
  readonly #there = new Set<string>();
  readonly #gone = new Set<string>();

  constructor(revision: number) {
    this.revision = revision;
  }

  hear(line: string): void {
    const [word = "", number = ""] = line.split(" ");
    if (word === "wrote") this.revision = Number(number);
    else if (word === "compacted") this.#compacted = Number(number);
    else if (word === "granted") this.#there.add(number);
    else if (word === "revoking") this.#there.delete(number);
    else if (word === "revoked") this.#gone.add(number);
  }

  check({ revision, compactedRevision, leases, kvs }: Recovered, expected: ReadonlyMap<number, number>): void {
    assert.ok(revision >= this.revision, `revision ${revision} of ${this.revision} acknowledged`);
    assert.equal(hashOfKeys(kvs), expected.get(revision), `the hash at revision ${revision}`);
    assert.ok(compactedRevision >= this.#compacted, "the compaction is lost");
    const ids = new Set(leases.map(({ id }) => String(id)));
    for (const id of this.#there) assert.ok(ids.has(id), `lost lease ${id}`);
    for (const id of this.#gone) assert.ok(!ids.has(id), `lease ${id} is back`);
  }
}

/** All but the shared memory, which is no file that outlives a power cut. */
function place(directory: string, files: ReadonlyMap<string, Buffer>): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  for (const [file, content] of files) if (file !== "store.db-shm") writeFileSync(join(directory, file), content);
}

suite("a power cut that drops what was not flushed", { skip: straceMissing, timeout: 120_000 + cuts * 100 }, () => {
  for (const [life, writesBefore] of [
    ["the first life of a store", 0],
    ["a life that begins with recovery", 12],
  ] as const) {
    test(`${life}, ${cuts} cuts: everything acknowledged is there, nothing is halved`, async () => {
      using scratch = new Scratch("lost-writes", { inMemory: true });
      const [directory, output] = [join(scratch.path, "store"), join(scratch.path, "recording")];
      const before = writesBefore === 0 ? [] : await makeDeadStore(directory, writesBefore);
      const disk = new Disk(writesBefore === 0 ? {} : readAll(directory));
      await using child = startChild("scripted-child.ts", [directory, "0", "24"], recording(output));
      assert.equal(await child.ended, 0, child.errors);
      const expected = hashes([...before, ...writesIn(child.lines, 0)]);
      const steps = readRecording(output, directory);
      const random = seededRandom(seed);
      const chosen = Array.from({ length: cuts }, () => randomInt(random, steps.length)).sort((a, b) => a - b);
      const told = new Told(writesBefore + 1);
      let done = 0;
      for (const at of chosen) {
        for (const step of steps.slice(done, at)) {
          disk.take(step);
          if (step.kind === "said") told.hear(step.line);
        }
        done = at;
        const cut = join(scratch.path, "cut");
        place(cut, disk.afterPowerCut(random));
        try {
          told.check(recovered(cut), expected);
        } catch (error) {
          throw new Error(`cut at step ${at} of ${steps.length} of seed ${seed}, before: ${steps[at]?.kind}`, { cause: error });
        }
      }
      assert.equal(told.revision, writesBefore + 25, "the last cuts come after the last write");
      console.log(`# ${life}: ${cuts} cuts among ${steps.length} steps, 0 lost`);
    });
  }
});

const readAll = (directory: string): Record<string, Buffer> =>
  Object.fromEntries(readdirSync(directory).map((file) => [file, readFileSync(join(directory, file))]));
