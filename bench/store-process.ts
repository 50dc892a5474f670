// The parts of bench/store.ts that use the store inside a process: `node bench/store-process.ts '{"part": ..., "directory": ...}'`, one JSON object out.
// A process per part, so that memory and start are nobody else's.
import { silentLog, systemClock, systemRandom } from "#base";
import { type DiskStore, openDiskStore, prefixEnd } from "#store";
import { inFlight, keyOf, median, percentile, round } from "./support.ts";

export type PartRequest = { readonly directory: string; readonly valueBytes: number } & (
  | { readonly part: "puts"; readonly clients: number; readonly seconds: number; readonly keys: number; readonly warmUp: number }
  | { readonly part: "range"; readonly keys: number }
  | { readonly part: "fill"; readonly keys: number }
  | { readonly part: "open"; readonly keys: number }
  | { readonly part: "compaction"; readonly revisions: number; readonly keys: number; readonly putsPerSecond: number }
  | { readonly part: "jobs"; readonly minutes: number; readonly jobsPerSecond: number; readonly compactEverySeconds: number }
);

type Of<Part extends PartRequest["part"]> = Extract<PartRequest, { readonly part: Part }>;

const open = (directory: string, compactEveryMs = 0): Promise<DiskStore> =>
  openDiskStore({ directory, clock: systemClock, random: systemRandom, log: silentLog, compactEveryMs });

const latency = (samples: readonly number[]) => ({
  p50Ms: round(median(samples), 3),
  p99Ms: round(percentile(samples, 0.99), 3),
  maxMs: round(percentile(samples, 1), 1),
});

const cpuSeconds = (since?: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
};

const put = async (store: DiskStore, key: string, valueBytes: number): Promise<void> => {
  await store.transact({ if: [], then: [{ kind: "put", key, value: Buffer.alloc(valueBytes, "x") }] });
};

/** Writes `count` revisions over so many keys. */
const fill = (store: DiskStore, count: number, keys: number, valueBytes: number): Promise<void> =>
  inFlight(count, 1000, (index) => put(store, keyOf(index % keys), valueBytes));

/** Resident bytes of the process, without what only waits to be collected (`--expose-gc`). */
function residentBytes(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage.rss();
}

async function puts({ directory, valueBytes, clients, seconds, keys, warmUp }: Of<"puts">) {
  await using store = await open(directory);
  let next = 0;
  const loop = async (until: number, samples: number[]): Promise<void> => {
    const client = async (): Promise<void> => {
      while (performance.now() < until) {
        const began = performance.now();
        await put(store, keyOf(next++ % keys), valueBytes);
        samples.push(performance.now() - began);
      }
    };
    await Promise.all(Array.from({ length: clients }, client));
  };
  await fill(store, warmUp, keys, valueBytes);
  const samples: number[] = [];
  const cpu = process.cpuUsage();
  const began = performance.now();
  await loop(began + seconds * 1000, samples);
  const took = (performance.now() - began) / 1000;
  return {
    perSecond: Math.round(samples.length / took),
    ...latency(samples),
    cpuMicrosecondsPerPut: round((cpuSeconds(cpu) / samples.length) * 1e6),
  };
}

async function range({ directory, valueBytes, keys }: Of<"range">) {
  await using store = await open(directory);
  await fill(store, keys, keys, valueBytes);
  const samples: number[] = [];
  let count = 0;
  for (let i = 0; i < 50; i++) {
    const began = performance.now();
    ({ count } = await store.range("/registry/pods/", { end: prefixEnd("/registry/pods/") }));
    samples.push(performance.now() - began);
  }
  return { keys: count, ...latency(samples) };
}

async function fillOnly({ directory, valueBytes, keys }: Of<"fill">) {
  const before = residentBytes();
  const cpu = process.cpuUsage();
  const began = performance.now();
  await using store = await open(directory);
  await fill(store, keys, keys, valueBytes);
  const seconds = (performance.now() - began) / 1000;
  const cpuMicrosecondsPerPut = round((cpuSeconds(cpu) / keys) * 1e6);
  await store.compact(store.revision);
  await store.defragment(); // when all is forgotten
  return { perSecond: Math.round(keys / seconds), cpuMicrosecondsPerPut, ...memory(store, keys, valueBytes, before) };
}

async function openOnly({ directory, valueBytes, keys }: Of<"open">) {
  const before = residentBytes();
  const cpu = process.cpuUsage();
  const began = performance.now();
  await using store = await open(directory);
  const openMs = round(performance.now() - began, 0);
  const openCpuMs = round(cpuSeconds(cpu) * 1000, 0);
  return { openMs, openCpuMs, ...memory(store, keys, valueBytes, before) };
}

/** What the store costs beyond the process itself, against the bytes of keys and values. */
function memory(store: DiskStore, keys: number, valueBytes: number, before: number) {
  const bytes = keys * (valueBytes + keyOf(0).length);
  const resident = residentBytes() - before;
  const { heapUsed, external } = process.memoryUsage();
  return {
    revision: store.revision,
    residentMb: round(resident / 1e6),
    heapMb: round(heapUsed / 1e6),
    externalMb: round(external / 1e6),
    memoryPerByte: round(resident / bytes, 3),
  };
}

/** Until the first compaction has removed everything and given back what it can. */
async function compacted(store: DiskStore): Promise<void> {
  const ended = ({ name }: { readonly name: string }): boolean => name === "etcd_debugging_mvcc_db_compaction_last";
  for (;;) {
    const measure = (await store.measures()).find(ended);
    if (measure?.kind === "gauge" && measure.value > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Puts at a steady rate, their latency counted from the moment they were due; before, and while everything older is forgotten. */
async function compaction({ directory, valueBytes, revisions, keys, putsPerSecond }: Of<"compaction">) {
  await using store = await open(directory);
  await fill(store, revisions, keys, valueBytes);
  const before = await steadily(3, putsPerSecond, (index) => put(store, keyOf(index % keys), valueBytes));
  const full = await store.status();
  let done = false;
  const began = performance.now();
  const forgetting = store.compact(store.revision - keys).then(async () => {
    await compacted(store);
    done = true;
    return performance.now() - began;
  });
  const during: number[] = [];
  while (!done) during.push(...(await steadily(1, putsPerSecond, (index) => put(store, keyOf(index % keys), valueBytes))));
  const seconds = (await forgetting) / 1000;
  const after = await store.status();
  return {
    revisions,
    compactionSeconds: round(seconds),
    putsBefore: latency(before),
    putsDuring: latency(during),
    inUseMb: { before: round(full.sizeInUseBytes / 1e6), after: round(after.sizeInUseBytes / 1e6) },
    fileMb: { before: round(full.sizeBytes / 1e6), after: round(after.sizeBytes / 1e6) },
  };
}

async function steadily(seconds: number, perSecond: number, work: (index: number) => Promise<unknown>): Promise<number[]> {
  const samples: number[] = [];
  const began = performance.now();
  const running: Promise<void>[] = [];
  for (let index = 0; index < seconds * perSecond; ) {
    const due = began + ((index + 1) * 1000) / perSecond;
    const now = performance.now();
    if (due > now) {
      await new Promise((resolve) => setTimeout(resolve, due - now));
      continue;
    }
    running.push(work(index++).then(() => void samples.push(performance.now() - due)));
  }
  await Promise.all(running);
  return samples;
}

/** k3s' job loader: each job is created, its status patched five times, deleted; the store compacts by itself. */
async function jobs({ directory, valueBytes, minutes, jobsPerSecond, compactEverySeconds }: Of<"jobs">) {
  await using store = await open(directory, compactEverySeconds * 1000);
  const sizes: { second: number; compactedRevision: number; fileMb: number; inUseMb: number }[] = [];
  const began = performance.now();
  const watching = setInterval(async () => {
    const { compactedRevision, sizeBytes, sizeInUseBytes } = await store.status();
    const second = Math.round((performance.now() - began) / 1000);
    const last = sizes.at(-1);
    const sample = { second, compactedRevision, fileMb: round(sizeBytes / 1e6), inUseMb: round(sizeInUseBytes / 1e6) };
    // The last sample of each compaction: what was left just before the next.
    if (last?.compactedRevision === compactedRevision) Object.assign(last, sample);
    else sizes.push(sample);
  }, 500);
  const perMinute: ReturnType<typeof latency>[] = [];
  for (let minute = 0; minute < minutes; minute++) {
    const latencies: number[] = [];
    const timed = async (work: Promise<unknown>): Promise<void> => {
      const from = performance.now();
      await work;
      latencies.push(performance.now() - from);
    };
    await steadily(Math.min(1, minutes) * 60, jobsPerSecond, async (index) => {
      const key = `/registry/jobs/default/job-${minute}-${index}`;
      for (let step = 0; step < 6; step++) await timed(put(store, key, valueBytes));
      await timed(store.transact({ if: [], then: [{ kind: "delete", key }] }));
    });
    perMinute.push(latency(latencies));
  }
  clearInterval(watching);
  return { jobsPerSecond, writesPerSecond: jobsPerSecond * 7, compactEverySeconds, perMinute, sizes };
}

async function run(request: PartRequest): Promise<object> {
  switch (request.part) {
    case "puts":
      return puts(request);
    case "range":
      return range(request);
    case "fill":
      return fillOnly(request);
    case "open":
      return openOnly(request);
    case "compaction":
      return compaction(request);
    case "jobs":
      return jobs(request);
    default:
      return request satisfies never;
  }
}

console.log(JSON.stringify(await run(JSON.parse(process.argv[2] ?? "{}") as PartRequest)));
