// Cuts the power of a disk again and again while eight writers are at work on it. The disk is an image on a file system that can copy a
// file in an instant: a copy is what the disk held at that moment. Each is mounted, which replays its journal, and opened.
// Arguments: scratch directory, number of cuts, seed. Runs in a mount namespace of its own (support/mounts.ts).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { constants, copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { randomInt, seededRandom, sleep, systemClock } from "#base";
import { startChild } from "./support/child.ts";
import { Expectation } from "./support/expectation.ts";
import { makeImage, mount } from "./support/mounts.ts";
import { openStore } from "./support/scratch.ts";

const [scratch = "", cuts = "0", seed = "1"] = process.argv.slice(2);
/** A disk is used for so many cuts, then the next begins empty: young stores are cut as well as old ones. */
const cutsADisk = 5;
const diskBytes = 192 * 1024 * 1024;
const random = seededRandom(Number(seed));
let acknowledged = 0;

makeImage(join(scratch, "outer.img"), 2 * 1024 ** 3, "mkfs.xfs", "-q", "-m", "reflink=1");
using outer = mount(join(scratch, "outer.img"), join(scratch, "outer"), "xfs", ["loop"]);

async function useDisk(number: number, count: number): Promise<void> {
  const image = join(outer.path, "disk.img");
  makeImage(image, diskBytes, "mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0");
  using disk = mount(image, join(scratch, "disk"), "ext4", ["loop"]);
  // Past the page cache: the image holds what the disk was given, no more.
  assert.equal(spawnSync("losetup", ["--direct-io=on", disk.device]).status, 0, "direct I/O");
  const bytes = number % 3 === 2 ? 60_000 : 3000;
  await using child = startChild("crash-child.ts", [join(disk.path, "store"), String(number), "0", String(bytes)]);
  await child.heard(number % 2 === 0 ? "ready" : "loaded");
  const images: { readonly file: string; readonly heard: number }[] = [];
  for (let i = 0; i < count; i++) {
    await sleep(systemClock, randomInt(random, 250));
    const file = join(outer.path, `cut-${i}.img`);
    const heard = child.lines.length;
    copyFileSync(image, file, constants.COPYFILE_FICLONE_FORCE);
    images.push({ file, heard });
  }
  await child.kill();
  for (const { file, heard } of images) await check(file, number, child.lines.slice(0, heard), child.lines.slice(heard));
}

async function check(file: string, cycle: number, before: readonly string[], later: readonly string[]): Promise<void> {
  using cut = mount(file, join(scratch, "cut"), "ext4", ["loop"]);
  const expectation = new Expectation();
  expectation.heard(cycle, before, later);
  await using store = await openStore(join(cut.path, "store"));
  await expectation.check(store);
  acknowledged += expectation.total;
  rmSync(file);
}

for (let done = 0, number = 0; done < Number(cuts); done += cutsADisk, number++)
  await useDisk(number, Math.min(cutsADisk, Number(cuts) - done));
console.log(`checked ${acknowledged} acknowledged writes`);
