// The report that people read: nothing is left out in silence.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const reporter = join(import.meta.dirname, "reporter.ts");

function report(program: string): string[] {
  const directory = mkdtempSync(join(tmpdir(), "tiphys-reporter-"));
  try {
    const file = join(directory, "some.test.mjs");
    writeFileSync(file, `import { before, suite, test } from "node:test";\n${program}`);
    const { NODE_TEST_CONTEXT: _, ...env } = process.env; // set by the runner that runs this test
    const { stdout } = spawnSync(process.execPath, ["--test", `--test-reporter=${reporter}`, file], { env, encoding: "utf8" });
    return stdout.trim().split("\n");
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test("what is skipped says why, a whole suite in one line", () => {
  assert.deepEqual(
    report(`
      suite("one that cannot run", { skip: "etcd not installed" }, () => { test("a", () => {}); test("b", () => {}); });
      suite("another", () => { test("runs", () => {}); test("does not", { skip: "why not" }, () => {}); });
    `),
    ["skipped: one that cannot run: etcd not installed", "skipped: does not: why not", "lane-result 1 0 2"],
  );
});

test("what fails is told in full and counted once, also a suite whose own hooks fail", () => {
  const lines = report(`
    suite("broken before", { concurrency: false }, () => { before(() => { throw new Error("no cluster"); }); test("a", () => {}); });
    suite("fine", () => { test("b", () => { throw new Error("wrong"); }); test("c", () => {}); });
  `);
  assert.match(lines.join("\n"), /FAILED: broken before: before or after \(.*\)\n.*no cluster/);
  assert.match(lines.join("\n"), /FAILED: b \(.*some\.test\.mjs:\d+\)\n.*wrong/);
  assert.equal(lines.at(-1), "lane-result 1 2 0");
});
