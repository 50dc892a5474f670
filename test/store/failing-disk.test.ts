// A disk that fails and a disk that is full: the process lives, nothing acknowledged is lost, nothing refused appears, the alarm comes and goes.
// FAILING_CYCLES=50 FULL_CYCLES=50 node --test test/store/failing-disk.test.ts
import assert from "node:assert/strict";
import { join } from "node:path";
import { suite, test } from "node:test";
import { randomInt, seededRandom } from "#base";
import { startChild, straceMissing } from "./support/child.ts";
import { Expectation } from "./support/expectation.ts";
import { mountsMissing, startMounting } from "./support/mounts.ts";
import { openStore, Scratch, times } from "./support/scratch.ts";
import { storeFiles, strace } from "./support/strace.ts";

const random = seededRandom(times("FAILING_SEED", 1));

interface Failing {
  readonly name: string;
  readonly calls: string;
  readonly files: readonly string[];
  /** The first that fails is one of so many after `after`, which is more than the start after the failure needs: each thread counts anew. */
  readonly after: number;
  readonly among: number;
  readonly cycles: number;
}

const failingCycles = times("FAILING_CYCLES", 3);
const failings: readonly Failing[] = [
  { name: "fsync", calls: "fsync,fdatasync", files: ["", ...storeFiles], after: 12, among: 30, cycles: failingCycles },
  {
    name: "write",
    calls: "pwrite64",
    files: ["store.db", "store.db-wal"],
    after: 80,
    among: 100,
    cycles: Math.ceil(failingCycles / 2),
  },
];

suite("a disk that fails", { skip: straceMissing, timeout: 3_600_000 }, () => {
  for (const { name, calls, files, after, among, cycles } of failings) {
    test(`${cycles} times EIO on ${name}: alive, read-only with an alarm, nothing lost, well after the next start`, async () => {
      const started = performance.now();
      let acknowledged = 0;
      for (let cycle = 0; cycle < cycles; cycle++) {
        using scratch = new Scratch("failing");
        await (await openStore(scratch.path))[Symbol.asyncDispose]();
        const first = after + randomInt(random, among);
        const inject = `error=EIO:when=${first}..${first + randomInt(random, 4)}`;
        await using child = startChild(
          "failing-child.ts",
          [scratch.path, String(cycle)],
          strace({ directory: scratch.path, files, calls, inject }),
        );
        const code = await child.ended;
        const told = `${name} ${inject}: ${child.errors}${child.lines.filter((line) => !/^(wrote|seen)/.test(line)).join("\n")}`;
        assert.equal(code, 0, told);
        assert.match(told, /^codes( readOnly)? unknownOutcome$/m);
        assert.match(told, /^alarm READONLY\nread\nalarm after the next start none\nclosed$/m);
        const expectation = new Expectation();
        expectation.heard(cycle, child.lines);
        await using store = await openStore(scratch.path);
        await expectation.check(store).catch((error) => {
          throw new Error(told, { cause: error });
        });
        acknowledged += expectation.total;
      }
      console.log(
        `# EIO on ${name}: ${cycles} cycles, ${acknowledged} acknowledged writes, 0 lost, ${((performance.now() - started) / 1000).toFixed(1)} s`,
      );
    });
  }
});

test("no room for the mark of what was acknowledged harms nothing", { skip: straceMissing }, async () => {
  using scratch = new Scratch("failing");
  const wrapper = strace({ directory: scratch.path, files: ["acknowledged"], calls: "pwrite64", inject: "error=ENOSPC:when=1+" });
  await using child = startChild("failing-child.ts", [scratch.path, "0"], wrapper);
  assert.equal(await child.ended, 0, child.errors);
  assert.deepEqual(
    child.lines.filter((line) => !/^(wrote|seen)/.test(line)),
    ["codes none", "alarm none", "read", "alarm after the next start none", "closed"],
  );
  const expectation = new Expectation();
  expectation.heard(0, child.lines);
  await using store = await openStore(scratch.path);
  await expectation.check(store);
});

const fullCycles = times("FULL_CYCLES", 3);
test(`${fullCycles} times a full disk: NOSPACE, reads and deletions go on, nothing lost, the alarm ends when there is room`, {
  skip: mountsMissing,
  timeout: 60_000 + fullCycles * 60_000,
}, async () => {
  using scratch = new Scratch("full");
  const started = performance.now();
  await using child = startMounting("full-disk-child.ts", [join(scratch.path, "disk"), String(fullCycles)]);
  assert.equal(await child.ended, 0, child.errors);
  console.log(`# full disk: ${child.lines.join(" ")}, ${((performance.now() - started) / 1000).toFixed(1)} s`);
});
