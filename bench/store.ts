// Durable puts per second with 1, 16 and 128 writers, reads, and the time to open 100,000 keys. Prints one JSON object.
// Usage: node bench/store.ts [seconds per figure] [disk|memory]

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog, systemClock, systemRandom } from "#base";
import { openDiskStore, openMemoryStore, prefixEnd, type Store } from "#store";

const seconds = Number(process.argv[2] ?? 2);
const kind = process.argv[3] ?? "disk";
const valueBytes = 2048;
const directory = mkdtempSync(join(process.env["BENCH_DIRECTORY"] ?? tmpdir(), "tiphys-bench-store-"));

const open = async (): Promise<Store> =>
  kind === "memory"
    ? openMemoryStore({ clock: systemClock })
    : openDiskStore({ directory, clock: systemClock, random: systemRandom, log: silentLog });

const round = (value: number, digits = 3): number => Number(value.toFixed(digits));

function percentiles(latencies: number[]): { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number } {
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return { p50Ms: round(at(0.5)), p99Ms: round(at(0.99)), maxMs: round(at(1)) };
}

const keyOf = (index: number): string => `/registry/pods/default/web-${String(index).padStart(8, "0")}`;

async function puts(store: Store, writers: number, keys: number): Promise<object> {
  const latencies: number[] = [];
  const until = performance.now() + seconds * 1000;
  let count = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: writers }, async () => {
      while (performance.now() < until) {
        const value = Buffer.alloc(valueBytes, "x");
        const began = performance.now();
        await store.transact({ if: [], then: [{ kind: "put", key: keyOf(count++ % keys), value }] });
        latencies.push(performance.now() - began);
      }
    }),
  );
  return { writers, putsPerSecond: Math.round(count / ((performance.now() - start) / 1000)), ...percentiles(latencies) };
}

async function fill(store: Store, keys: number): Promise<number> {
  const start = performance.now();
  for (let at = 0; at < keys; at += 1000) {
    const writes = Array.from({ length: Math.min(1000, keys - at) }, (_, i) =>
      store.transact({ if: [], then: [{ kind: "put", key: keyOf(at + i), value: Buffer.alloc(valueBytes, "y") }] }),
    );
    await Promise.all(writes);
  }
  return performance.now() - start;
}

async function compactionUnderLoad(store: Store): Promise<object> {
  await store.compact(store.revision);
  return puts(store, 16, 100_000);
}

try {
  const results: object[] = [];
  const report: Record<string, unknown> = { store: kind, valueBytes, puts: results };
  {
    await using store = await open();
    for (const writers of [1, 16, 128]) results.push(await puts(store, writers, 10_000));
    report["fill100kMs"] = round(await fill(store, 100_000), 0);
    const began = performance.now();
    const { count } = await store.range("/registry/pods/", { end: prefixEnd("/registry/pods/") });
    report["range"] = { keys: count, ms: round(performance.now() - began) };
    report["putsDuringCompaction"] = await compactionUnderLoad(store);
    report["status"] = await store.status();
  }
  if (kind === "disk") {
    const began = performance.now();
    await using store = await open();
    report["open"] = { keys: (await store.status()).keyCount, ms: round(performance.now() - began, 0) };
  }
  report["residentMiB"] = round(process.memoryUsage().rss / 2 ** 20, 0);
  console.log(JSON.stringify(report, undefined, 2));
} finally {
  rmSync(directory, { recursive: true, force: true });
}
