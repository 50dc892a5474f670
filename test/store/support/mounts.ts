// Small file systems for one program: it runs in a mount namespace of its own, so that none of them outlives it, however it dies.
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdirSync, openSync } from "node:fs";
import { type Child, startChild } from "./child.ts";

const namespace = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private"];

/** Why it cannot be done here, or false: the value of a test's `skip`. */
export const mountsMissing =
  spawnSync("unshare", ["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0 ? false : "needs root to mount";

/** Runs a module of test/store in a mount namespace of its own; both die with this process. */
export const startMounting = (module: string, args: readonly string[]): Child => startChild(module, args, namespace);

export function makeImage(file: string, bytes: number, ...mkfs: readonly string[]): void {
  const fd = openSync(file, "w");
  ftruncateSync(fd, bytes);
  closeSync(fd);
  const [command = "", ...args] = mkfs;
  execFileSync(command, [...args, file], { stdio: ["ignore", "ignore", "inherit"] });
}

export interface Mount extends Disposable {
  readonly path: string;
  /** What is mounted: the loop device of an image. */
  readonly device: string;
}

/** Images get a loop device, which is gone with the mount. Throws what mount(8) said. */
export function mount(source: string, path: string, type: string, options: readonly string[]): Mount {
  mkdirSync(path, { recursive: true });
  execFileSync("mount", ["-t", type, "-o", options.join(","), source, path], { stdio: ["ignore", "ignore", "pipe"] });
  const device = execFileSync("findmnt", ["-n", "-o", "SOURCE", path], { encoding: "utf8" }).trim();
  return {
    path,
    device,
    [Symbol.dispose]: () => {
      if (spawnSync("umount", [path]).status !== 0) spawnSync("umount", ["--lazy", path]);
    },
  };
}
