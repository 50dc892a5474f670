// The power fails under load: what was acknowledged before is on the disk.
// POWER_CUTS=200 node --test test/store/power-cut.test.ts
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { mountsMissing, startMounting } from "./support/mounts.ts";
import { Scratch, times } from "./support/scratch.ts";

const cuts = times("POWER_CUTS", 10);
const seed = times("POWER_CUT_SEED", 1);

const missing = ["mkfs.xfs", "mkfs.ext4", "losetup"].filter((program) => spawnSync(program, ["-V"]).error !== undefined);
const skip = mountsMissing || (missing.length > 0 && `needs ${missing.join(", ")}`);

test(`the power fails ${cuts} times under eight writers: every acknowledged write is on the disk`, {
  skip,
  timeout: 120_000 + cuts * 10_000,
}, async () => {
  using scratch = new Scratch("power-cut");
  const started = performance.now();
  await using child = startMounting("power-cut-child.ts", [scratch.path, String(cuts), String(seed)]);
  assert.equal(await child.ended, 0, `seed ${seed}: ${child.errors}`);
  console.log(`# ${cuts} power cuts: ${child.lines.join(" ")}, 0 lost, ${((performance.now() - started) / 1000).toFixed(1)} s`);
});
