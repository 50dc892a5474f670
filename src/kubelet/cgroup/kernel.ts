// The kernel's control groups as files: everything that differs between version 1 (a tree per controller) and 2 (one tree) is here.
import { type Clock, type Files, type Processes, sleep } from "#base";
import { cpuPeriod } from "../pod/resources.ts";

/** Absent: left as it is. -1: no limit. */
export interface GroupLimits {
  readonly cpuShares?: number;
  /** Microseconds of each 100 ms. */
  readonly cpuQuota?: number;
  readonly memoryLimitBytes?: number;
  readonly pids?: number;
}

type Controller = "cpu" | "memory" | "pids";

/** What is written where. */
export interface Setting {
  readonly controller: Controller;
  readonly file: string;
  readonly text: string;
}

/** Where the kernel shows its trees. */
export interface Mounts {
  readonly version: 1 | 2;
  readonly of: Readonly<Partial<Record<Controller, string>>>;
  /** Every tree: a runtime makes groups in all of them. */
  readonly all: readonly string[];
}

/** From the text of /proc/self/mounts; undefined where there are no control groups. */
export function findMounts(text: string): Mounts | undefined {
  const trees = text
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, , kind]) => kind === "cgroup" || kind === "cgroup2")
    .map(([, path = "", kind, options = ""]) => ({ path, kind, options: options.split(",") }));
  const unified = trees.find(({ path, kind }) => kind === "cgroup2" && path === "/sys/fs/cgroup")?.path;
  if (unified !== undefined) return { version: 2, of: { cpu: unified, memory: unified, pids: unified }, all: [unified] };
  const of: Partial<Record<Controller, string>> = {};
  for (const name of ["cpu", "memory", "pids"] as const) {
    const path = trees.find(({ kind, options }) => kind === "cgroup" && options.includes(name))?.path;
    if (path !== undefined) of[name] = path;
  }
  if (of.cpu === undefined || of.memory === undefined) return undefined;
  return { version: 1, of, all: trees.map(({ path }) => path) };
}

/** Version 2 counts the weight of a group from 1 to 10000; the same share of that range. */
const cpuWeight = (shares: number): number =>
  shares >= 262_144 ? 10_000 : 1 + Math.floor(((Math.max(2, shares) - 2) * 9999) / 262_142);

export function settingsOf(limits: GroupLimits, version: 1 | 2): readonly Setting[] {
  const settings: Setting[] = [];
  const put = (controller: Controller, file: string, text: number | string): void => {
    settings.push({ controller, file, text: String(text) });
  };
  const { cpuShares, cpuQuota, memoryLimitBytes, pids } = limits;
  const orMax = (value: number): number | string => (value < 0 ? "max" : value);
  if (cpuShares !== undefined) {
    if (version === 1) put("cpu", "cpu.shares", cpuShares);
    else put("cpu", "cpu.weight", cpuWeight(cpuShares));
  }
  if (cpuQuota !== undefined) {
    if (version === 1) {
      put("cpu", "cpu.cfs_period_us", cpuPeriod);
      put("cpu", "cpu.cfs_quota_us", cpuQuota);
    } else put("cpu", "cpu.max", `${orMax(cpuQuota)} ${cpuPeriod}`);
  }
  if (memoryLimitBytes !== undefined) {
    if (version === 1) put("memory", "memory.limit_in_bytes", memoryLimitBytes);
    else put("memory", "memory.max", orMax(memoryLimitBytes));
  }
  if (pids !== undefined) put("pids", "pids.max", orMax(pids));
  return settings;
}

const isBusy = (error: unknown): boolean => ["EBUSY", "ENOTEMPTY"].includes((error as NodeJS.ErrnoException).code ?? "");
const isAbsent = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";

const retryMs = 20;
const longestRemovalMs = 2000;

/** Groups by their path in each tree: "/kubepods/burstable". */
export class CgroupTrees {
  readonly #mounts: Mounts;
  readonly #deps: { readonly files: Files; readonly processes: Pick<Processes, "signal">; readonly clock: Clock };

  constructor(
    mounts: Mounts,
    deps: { readonly files: Files; readonly processes: Pick<Processes, "signal">; readonly clock: Clock },
  ) {
    this.#mounts = mounts;
    this.#deps = deps;
  }

  /** Makes what is missing of the path and sets the limits. Idempotent. */
  async set(path: string, limits: GroupLimits): Promise<void> {
    const { files } = this.#deps;
    const settings = settingsOf(limits, this.#mounts.version);
    for (const mount of new Set(Object.values(this.#mounts.of))) await this.#make(mount, path);
    for (const { controller, file, text } of settings) {
      const mount = this.#mounts.of[controller];
      if (mount !== undefined) await files.write(`${mount}${path}/${file}`, text);
    }
  }

  /** Names of the groups directly below. */
  async below(path: string): Promise<ReadonlySet<string>> {
    const names = await Promise.all(this.#mounts.all.map((mount) => this.#childrenOf(`${mount}${path}`)));
    return new Set(names.flat());
  }

  /** Removes the group with all below it from every tree; a process that is still in one of them is killed. Harmless when there is none. */
  async remove(path: string): Promise<void> {
    for (const mount of this.#mounts.all) await this.#remove(`${mount}${path}`);
  }

  /** Removes those that are empty, deepest first; others stay as they are. */
  async removeEmpty(paths: readonly string[]): Promise<void> {
    for (const path of paths)
      for (const mount of this.#mounts.all) await this.#deps.files.removeDirectory(`${mount}${path}`).catch(() => {});
  }

  async #make(mount: string, path: string): Promise<void> {
    const { files } = this.#deps;
    if ((await files.stat(`${mount}${path}`)) !== undefined) return;
    if (this.#mounts.version === 1) return files.makeDirectory(`${mount}${path}`, 0o755);
    // a group has only the controllers that its parent hands down
    let parent = mount;
    for (const name of path.split("/").filter((part) => part !== "")) {
      const offered = (await files.read(`${parent}/cgroup.controllers`)).toString().trim().split(" ");
      const wanted = ["cpuset", "cpu", "memory", "pids"].filter((controller) => offered.includes(controller));
      await files.write(`${parent}/cgroup.subtree_control`, wanted.map((controller) => `+${controller}`).join(" "));
      parent = `${parent}/${name}`;
      await files.makeDirectory(parent, 0o755);
    }
  }

  async #childrenOf(directory: string): Promise<string[]> {
    const { files } = this.#deps;
    const names = await files.list(directory).catch((error: unknown) => {
      if (isAbsent(error)) return [];
      throw error;
    });
    const kinds = await Promise.all(names.map(async (name) => (await files.stat(`${directory}/${name}`))?.kind));
    return names.filter((_, index) => kinds[index] === "directory");
  }

  async #remove(directory: string): Promise<void> {
    const { files, processes, clock } = this.#deps;
    for (let waitedMs = 0; ; ) {
      try {
        return await files.removeDirectory(directory);
      } catch (error) {
        if (isAbsent(error)) return;
        if (!isBusy(error) || waitedMs > longestRemovalMs) throw error;
      }
      const children = await this.#childrenOf(directory);
      for (const name of children) await this.#remove(`${directory}/${name}`);
      const inside = (await files.read(`${directory}/cgroup.procs`).catch(() => Buffer.alloc(0))).toString();
      for (const pid of inside.split("\n").map(Number)) if (pid > 1) processes.signal(pid, "SIGKILL");
      if (children.length > 0 && inside === "") continue; // empty now
      waitedMs += retryMs;
      await sleep(clock, retryMs);
    }
  }
}
