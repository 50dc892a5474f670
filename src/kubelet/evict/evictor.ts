// Every ten seconds: measures the pods that have limits of local storage, and evicts those that exceed them.
import type { Pod } from "#api";
import { type Clock, every, type Log, type Processes } from "#base";
import { formatPod } from "../pod/names.ts";
import { isTerminalPhase } from "../pod/spec.ts";
import type { ContainerStatus, Runtime } from "../runtime.ts";
import { hasPodLimit, isBounded, overuse, type StorageUsage, volumesToMeasure } from "./local-storage.ts";

/** A pod's worker, as far as it matters here. */
export interface Evictable {
  readonly pod: Pod;
  readonly status: Pod["status"];
  readonly containers: readonly ContainerStatus[];
  evict(message: string): void;
}

export interface EvictorDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly processes: Pick<Processes, "run">;
  readonly runtime: Pick<Runtime, "writableLayers">;
  readonly workers: () => Iterable<Evictable>;
  /** Where a pod's volumes are, by name. */
  readonly volumePaths: (pod: Pod) => ReadonlyMap<string, string>;
  readonly logDirectory: (pod: Pod) => string;
}

/** Upstream's monitoring interval. */
const lookMs = 10_000;
const measureTimeoutMs = 60_000;

export function startEvictor(deps: EvictorDeps): AsyncDisposable {
  let looking: Promise<void> = Promise.resolve();
  let stopped = false;
  const look = async (): Promise<void> => {
    for (const worker of deps.workers()) {
      const { pod } = worker;
      if (stopped) return;
      if (pod.metadata.deletionTimestamp !== undefined || isTerminalPhase(worker.status?.phase) || !isBounded(pod)) continue;
      try {
        const message = overuse(pod, await measure(worker, deps));
        if (message === undefined || stopped) continue;
        deps.log.info("evicting a pod", { pod: formatPod(pod), why: message.trim() });
        worker.evict(message);
      } catch (error) {
        deps.log.warn("cannot measure what a pod has stored", { pod: formatPod(pod), error: (error as Error).message });
      }
    }
  };
  const timer = every(deps.clock, lookMs, () => (looking = look()));
  return {
    [Symbol.asyncDispose]: async () => {
      stopped = true;
      timer.cancel();
      await looking;
    },
  };
}

async function measure({ pod, containers }: Evictable, deps: EvictorDeps): Promise<StorageUsage> {
  const paths = deps.volumePaths(pod);
  const volumes = new Map<string, number>();
  for (const { name } of volumesToMeasure(pod)) {
    const path = paths.get(name);
    if (path !== undefined) volumes.set(name, await diskUsage(path, deps));
  }
  const used = new Map<string, number>();
  if (hasPodLimit(pod)) {
    const layers = await deps.runtime.writableLayers(pod.metadata.uid ?? "");
    for (const { id, name, state } of containers) {
      if (state !== "running") continue;
      const logs = await diskUsage(`${deps.logDirectory(pod)}/${name}`, deps);
      used.set(name, (layers.get(id) ?? 0) + logs);
    }
  }
  return { volumes, containers: used };
}

/** Bytes on disk. Files that go while it counts make `du` complain, and do not matter. */
async function diskUsage(path: string, { processes }: EvictorDeps): Promise<number> {
  const { stdout, stderr } = await processes.run("du", ["-skx", path], { timeoutMs: measureTimeoutMs });
  const kibibytes = /^(\d+)\s/.exec(stdout)?.[1];
  if (kibibytes !== undefined) return Number(kibibytes) * 1024;
  if (/No such file/.test(stderr)) return 0;
  throw new Error(`"du ${path}" failed: ${stderr.trim()}`);
}
