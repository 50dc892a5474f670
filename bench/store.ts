// The store beside Debian's etcd in one run: same disk, fsync on, each server on core 0 and its generator on core 1. Ratios are what counts.
// What has no etcd beside it (million, compaction, jobs) has all cores: the store works in threads.
// Parts: puts, range, million, compaction, jobs; BENCH_STORE=puts,range chooses. BENCH_SECONDS per figure (3), BENCH_ROUNDS (2), BENCH_KEYS
// (1000000), BENCH_JOB_MINUTES (1), BENCH_DIRECTORY (temporary directory: on the disk to be measured).
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { LoadRequest, LoadResult } from "./store-load.ts";
import type { PartRequest } from "./store-process.ts";
import { median, number, round, usage } from "./support.ts";

const seconds = number("BENCH_SECONDS", 3);
const rounds = number("BENCH_ROUNDS", 2);
const million = number("BENCH_KEYS", 1_000_000);
const minutes = number("BENCH_JOB_MINUTES", 1);
const valueBytes = 1024;
const hotKeys = 10_000;
const script = (name: string): string => fileURLToPath(new URL(`./${name}`, import.meta.url));
/** Where there is no taskset nothing is pinned. */
const taskset = spawnSync("taskset", ["--version"]).status === 0;

type Cores = 0 | 1 | "all";

function start(core: Cores, command: string, args: readonly string[]): ChildProcess {
  const [file, ...rest] = [...(taskset && core !== "all" ? ["taskset", "-c", String(core)] : []), command, ...args];
  return spawn(file as string, rest, { stdio: ["ignore", "pipe", "inherit"] }); // never empty
}

/** What a program prints before it ends. */
async function outputOf<T>(core: Cores, args: readonly string[]): Promise<T> {
  const child = start(core, process.execPath, args);
  let text = "";
  child.stdout?.on("data", (chunk) => (text += chunk));
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}`);
  return JSON.parse(text) as T;
}

const inProcess = <T>(request: PartRequest): Promise<T> => outputOf<T>(0, [script("store-process.ts"), JSON.stringify(request)]);

const alone = <T>(request: PartRequest, flags: readonly string[] = []): Promise<T> =>
  outputOf<T>("all", [...flags, script("store-process.ts"), JSON.stringify(request)]);

interface Server extends Disposable {
  readonly url: string;
  readonly pid: number;
}

const disposable = (child: ChildProcess, url: string): Server => ({
  url,
  pid: child.pid ?? 0,
  [Symbol.dispose]: () => void child.kill("SIGKILL"),
});

async function startOurs(directory: string): Promise<Server> {
  const child = start(0, process.execPath, [script("store-server.ts"), directory]);
  const url = await new Promise<string>((resolve) => child.stdout?.once("data", (line) => resolve(String(line).trim())));
  return disposable(child, url);
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });

async function startEtcd(directory: string): Promise<Server | undefined> {
  if (spawnSync("etcd", ["--version"]).status !== 0) return undefined;
  const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  const child = start(0, "etcd", [
    `--data-dir=${directory}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    `--quota-backend-bytes=${8 * 1024 ** 3}`,
    "--logger=zap",
    "--log-level=error",
  ]);
  for (let attempt = 0; attempt < 300; attempt++) {
    const healthy = await fetch(`${client}/health`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (healthy) return disposable(child, client);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("etcd does not become healthy");
}

async function load(server: Server, request: Omit<LoadRequest, "url">) {
  const before = usage(server.pid).cpuSeconds;
  const result = await outputOf<LoadResult>(1, [script("store-load.ts"), JSON.stringify({ ...request, url: server.url })]);
  return { ...result, cpuMicroseconds: round(((usage(server.pid).cpuSeconds - before) / result.totalOperations) * 1e6) };
}

const best = <T extends { readonly perSecond: number }>(results: readonly T[]): T =>
  results.reduce((a, b) => (b.perSecond > a.perSecond ? b : a));

/** So many writes before anything is measured: what runs just in time has run, what grows has grown. */
const warmUp = 5000;

/** Rounds are interleaved; a figure is the best of its rounds, a ratio the median over the rounds. */
async function puts(directory: string, ours: Server, etcd: Server | undefined) {
  const figures: object[] = [];
  for (const server of etcd === undefined ? [ours] : [ours, etcd]) {
    await load(server, {
      kind: "put",
      clients: 128,
      connections: 1,
      seconds: 600,
      keys: hotKeys,
      valueBytes,
      operations: warmUp,
    });
  }
  for (const clients of [1, 16, 128]) {
    const request = { kind: "put", clients, connections: 1, seconds, keys: hotKeys, valueBytes } as const;
    const results: { own: PutsResult; facade: Loaded; etcd: Loaded | undefined }[] = [];
    for (let index = 0; index < rounds; index++) {
      const own = { part: "puts", directory: join(directory, `puts-${clients}-${index}`), clients, seconds, warmUp } as const;
      results.push({
        own: await inProcess<PutsResult>({ ...own, keys: hotKeys, valueBytes }),
        facade: await load(ours, request),
        etcd: etcd === undefined ? undefined : await load(etcd, request),
      });
    }
    const against = (pick: (result: (typeof results)[number]) => number, of: (etcd: Loaded) => number): number =>
      round(median(results.map((result) => pick(result) / (result.etcd === undefined ? Number.NaN : of(result.etcd)))), 2);
    figures.push({
      clients,
      inProcess: best(results.map((result) => result.own)),
      facade: best(results.map((result) => result.facade)),
      etcd: etcd === undefined ? "not installed" : best(results.flatMap((result) => result.etcd ?? [])),
      timesEtcd: {
        inProcess: against(
          (result) => result.own.perSecond,
          (other) => other.perSecond,
        ),
        facade: against(
          (result) => result.facade.perSecond,
          (other) => other.perSecond,
        ),
        facadeCpu: against(
          (result) => result.facade.cpuMicroseconds,
          (other) => other.cpuMicroseconds,
        ),
      },
    });
  }
  return { valueBytes, target: { inProcess128: 3, facade128: 1.3, facade1: 1 }, figures };
}

type Loaded = Awaited<ReturnType<typeof load>>;
interface PutsResult {
  readonly perSecond: number;
}

async function range(directory: string, ours: Server, etcd: Server | undefined) {
  const request = { kind: "range", clients: 1, connections: 1, seconds, keys: hotKeys, valueBytes } as const;
  const write = { ...request, kind: "put", clients: 128, seconds: 600, operations: hotKeys } as const;
  const servers = [ours, ...(etcd === undefined ? [] : [etcd])];
  for (const server of servers) await load(server, write);
  const facade = await load(ours, request);
  const other = etcd === undefined ? "not installed" : await load(etcd, request);
  return {
    keys: hotKeys,
    inProcess: await inProcess({ part: "range", directory: join(directory, "range"), keys: hotKeys, valueBytes }),
    facade,
    etcd: other,
  };
}

async function large(directory: string) {
  const at = async (keys: number) => {
    const part = { directory: join(directory, `keys-${keys}`), keys, valueBytes };
    const filled = await alone({ ...part, part: "fill" }, ["--expose-gc"]);
    return { keys, filled, opened: await alone({ ...part, part: "open" }, ["--expose-gc"]) };
  };
  return {
    target: { memoryPerByte: 1.3, openMs: { [String(million)]: 4000, [String(million / 10)]: 1000 } },
    figures: [await at(million / 10), await at(million)],
  };
}

export async function benchStore(): Promise<unknown> {
  const directory = mkdtempSync(join(process.env["BENCH_DIRECTORY"] ?? tmpdir(), "tiphys-bench-store-"));
  const chosen = process.env["BENCH_STORE"]?.split(",");
  const wanted = (part: string): boolean => chosen?.includes(part) ?? true;
  const result: Record<string, unknown> = {};
  try {
    if (wanted("puts") || wanted("range")) {
      using ours = await startOurs(join(directory, "ours"));
      using etcd = await startEtcd(join(directory, "etcd"));
      if (wanted("puts")) result["puts"] = await puts(directory, ours, etcd);
      if (wanted("range")) result["range"] = await range(directory, ours, etcd);
    }
    if (wanted("million")) result["million"] = await large(directory);
    if (wanted("compaction")) {
      const part = { part: "compaction", directory: join(directory, "compaction"), valueBytes } as const;
      const measured = await alone<object>({ ...part, revisions: million, keys: million / 20, putsPerSecond: 500 });
      result["compaction"] = { target: { putsDuringP99Ms: 10 }, ...measured };
    }
    if (wanted("jobs")) {
      const compactEverySeconds = Math.min(300, Math.max(2, Math.round(minutes * 10)));
      const part = { part: "jobs", directory: join(directory, "jobs"), valueBytes: 2048, minutes } as const;
      result["jobs"] = await alone({ ...part, jobsPerSecond: 200, compactEverySeconds });
    }
    return result;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
