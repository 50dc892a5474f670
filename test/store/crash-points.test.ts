// kill -9 at system calls by which the store changes its files: after each, everything acknowledged is there and nothing is half-written.
// CRASH_POINTS=all node --test test/store/crash-points.test.ts
import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { randomInt, seededRandom } from "#base";
import { startChild, straceMissing } from "./support/child.ts";
import { makeDeadStore } from "./support/dead-store.ts";
import { Expectation } from "./support/expectation.ts";
import type { Acknowledged } from "./support/replay.ts";
import { inLanes, openStore, Scratch } from "./support/scratch.ts";
import { storeFiles, strace, writingCalls } from "./support/strace.ts";

/** Of each life, this many of its calls by chance, or all. */
const wanted = process.env["CRASH_POINTS"] ?? "8";
const lanes = 2;

interface Life {
  readonly name: string;
  /** Dead store that it begins with: so many writes in its log. 0: an empty directory. */
  readonly writesBefore: number;
  readonly writes: number;
  readonly bytes: number;
  /** Only calls on these are counted. */
  readonly files: readonly string[];
}

const lives: readonly Life[] = [
  { name: "the first life of a store", writesBefore: 0, writes: 24, bytes: 3000, files: ["", ...storeFiles] },
  { name: "a life that begins with recovery", writesBefore: 30, writes: 24, bytes: 3000, files: ["", ...storeFiles] },
  // More than 8 MiB, so that the second thread copies the log while the first goes on writing to it.
  { name: "a life in which the log is copied under load", writesBefore: 30, writes: 30, bytes: 900_000, files: ["store.db"] },
];

interface Point {
  readonly call: string;
  readonly nth: number;
}

/** All calls of a life that nobody disturbs. */
async function pointsOf(life: Life, directory: string): Promise<Point[]> {
  const output = `${directory}.calls`;
  await using child = startChild(
    "scripted-child.ts",
    args(life, directory),
    strace({ directory, files: life.files, calls: writingCalls, output }),
  );
  await child.ended;
  assert.equal(child.lines.at(-1), "closed", child.errors);
  const most = new Map<string, number>();
  const counts = new Map<string, number>();
  for (const [, thread, call = ""] of readFileSync(output, "latin1").matchAll(/^(\d+) +(\w+)\(/gm)) {
    const count = (counts.get(`${thread} ${call}`) ?? 0) + 1;
    counts.set(`${thread} ${call}`, count);
    most.set(call, Math.max(count, most.get(call) ?? 0));
  }
  return [...most].flatMap(([call, count]) => Array.from({ length: count }, (_, i) => ({ call, nth: i + 1 })));
}

const args = (life: Life, directory: string): string[] => [directory, "0", String(life.writes), String(life.bytes)];

/** Says whether it was killed there: how much a thread copies at a time, and so how often it calls, is not always the same. */
async function die(life: Life, { call, nth }: Point, directory: string, before: readonly Acknowledged[]): Promise<boolean> {
  const wrapper = strace({ directory, files: life.files, calls: call, inject: `signal=KILL:when=${nth}` });
  await using child = startChild("scripted-child.ts", args(life, directory), wrapper);
  await child.ended;
  const expectation = new Expectation();
  expectation.replay.assume(before);
  expectation.heard(0, child.lines);
  await using store = await openStore(directory);
  await expectation.check(store);
  // And it goes on.
  await store.transact({ if: [], then: [{ kind: "put", key: "/after", value: Buffer.from("1") }] });
  return child.lines.at(-1) !== "closed";
}

suite("kill -9 at a system call", { skip: straceMissing }, () => {
  for (const life of lives) {
    test(`${life.name}: ${wanted} points, at each nothing lost, nothing halved`, { timeout: 7_200_000 }, async () => {
      using scratch = new Scratch("points", { inMemory: true });
      const started = performance.now();
      const fresh = join(scratch.path, "base");
      const before = life.writesBefore === 0 ? [] : await makeDeadStore(fresh, life.writesBefore);
      const place = (name: string): string => {
        const directory = join(scratch.path, name);
        if (life.writesBefore > 0) cpSync(fresh, directory, { recursive: true });
        return directory;
      };
      const all = await pointsOf(life, place("listed"));
      const random = seededRandom(1);
      const count = wanted === "all" ? all.length : Number(wanted);
      const enough = count / 2;
      let killed = 0;
      let next = 0;
      // calls that did not come this time are made up for by others
      const goesOn = (i: number): boolean => i < count || (wanted !== "all" && killed < enough && i < 4 * count);
      const work = async (): Promise<void> => {
        for (let i = next++; goesOn(i); i = next++) {
          const point = all[wanted === "all" ? i : randomInt(random, all.length)] as Point; // below the length
          const directory = place(`point-${i}`);
          try {
            if (await die(life, point, directory, before)) killed++;
          } catch (error) {
            throw new Error(`killed at ${point.call} ${point.nth}`, { cause: error });
          }
          rmSync(directory, { recursive: true, force: true });
        }
      };
      await inLanes(lanes, work);
      assert.ok(killed >= enough, `${killed} of ${count} points were reached`);
      const seconds = (performance.now() - started) / 1000;
      console.log(`# ${life.name}: ${killed} of ${count} points (${all.length} calls in all), ${seconds.toFixed(1)} s`);
    });
  }
});
