// The bundle is the program: it starts, serves, says where its sources fail, and is not used once they changed.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { buildBundle } from "../../scripts/bundle/build.ts";
import { currentBundle, root } from "../../scripts/launch.mjs";
import { run, startTiphys } from "../support/tiphys.ts";

const directory = join(root, "node_modules", ".cache", `bundle-test-${process.pid}`);
const program = join(directory, "tiphys.cjs");

before(() => buildBundle(directory));
after(() => rmSync(directory, { recursive: true, force: true }));

test("a bundle keeps its compiled code, and that of its threads", () => {
  const kept = readdirSync(directory).filter((name) => name.endsWith(".code") && statSync(join(directory, name)).size > 10_000);
  assert.deepEqual(kept.map((name) => name.replace(/-[0-9a-f]+\.code$/, "")).sort(), ["commit-worker", "tiphys"]);
});

test("a bundle serves a cluster on a disk store, and stops in order", async () => {
  await using cluster = await startTiphys(["--nodes", "0", "--sim-nodes", "1"], { program });
  const status = await run(process.execPath, [program, "status", "--data-dir", cluster.info.dataDir, "-o", "json"]);
  assert.equal(status.code, 0, status.stderr);
  assert.equal(JSON.parse(status.stdout).running, true);
  assert.equal(await cluster.stop(), 0);
  assert.doesNotMatch(cluster.output(), /Warning|Error/);
});

test("a bundle offers what the sources offer", async () => {
  const fromBundle = await run(process.execPath, [program, "up", "--help"]);
  const fromSources = await run(process.execPath, [join(root, "src/cli/main.ts"), "up", "--help"]);
  assert.equal(fromBundle.stdout, fromSources.stdout);
  assert.match(fromBundle.stdout, /--sim-nodes/);
});

test("a stack trace names the line of the source", async () => {
  const preload = join(directory, "failing-timer.cjs");
  writeFileSync(preload, "globalThis.setTimeout = () => { console.log(new Error().stack); process.exit(0); };");
  const flags = ["up", "--nodes=0", "--store=memory", "--api-port=0", `--data-dir=${directory}/data`];
  const { stdout } = await run(process.execPath, ["--require", preload, program, ...flags]);
  const [, file = "", line = ""] = /\((?:\S*\/)?(src\/\S+\.ts):(\d+):\d+\)/.exec(stdout) ?? [];
  assert.match(readFileSync(join(root, file), "utf8").split("\n")[Number(line) - 1] ?? "", /setTimeout\(/, stdout);
});

test("a bundle is current until one of its sources changes or goes", () => {
  const path = join(directory, "inputs.json");
  const made = JSON.parse(readFileSync(path, "utf8")) as { inputs: Record<string, string> };
  assert.ok(Object.hasOwn(made.inputs, "src/cli/main.ts") && Object.hasOwn(made.inputs, "package-lock.json"));
  const { size, mtimeMs } = statSync(join(root, "LICENSE"));
  const verdict = (inputs: Record<string, string>): string | undefined => {
    writeFileSync(path, JSON.stringify({ inputs }));
    return currentBundle(directory);
  };
  assert.equal(verdict({ LICENSE: `${size} ${mtimeMs}` }), program);
  assert.equal(verdict({ LICENSE: `${size} ${mtimeMs - 1}` }), undefined);
  assert.equal(verdict({ LICENSE: `${size} ${mtimeMs}`, "src/gone.ts": "1 1" }), undefined);
});
