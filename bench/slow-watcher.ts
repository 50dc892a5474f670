// One of a thousand watchers reads one event a second: what it costs in memory, and what the others notice. `node bench/slow-watcher.ts`
// SLOW_SECONDS of each round (5), SLOW_ROUNDS (3), SLOW_PUTS a second (200), SLOW_STREAMS for the memory figure (50).
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type GrpcChannel, silentLog, sleep, systemClock } from "#base";
import { openEtcdStore, prefixEnd, type Store } from "#store";
import { openWatchChannel, openWatchStream, type WatchStreamClient } from "../test/store/support/watch-stream.ts";
import { keyOf, median, number, percentile, pin, round, usage } from "./support.ts";

const seconds = number("SLOW_SECONDS", 5);
const rounds = number("SLOW_ROUNDS", 3);
const putsPerSecond = number("SLOW_PUTS", 200);
const slowStreams = number("SLOW_STREAMS", 50);
const others = 999;
const streams = 9;
const valueBytes = 4096;
const everything = { key: "/registry/", end: prefixEnd("/registry/") };

interface Server extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
}

async function startServer(): Promise<Server> {
  const directory = mkdtempSync(join(process.env["BENCH_DIRECTORY"] ?? tmpdir(), "tiphys-bench-slow-"));
  const child = spawn(process.execPath, [fileURLToPath(new URL("./store-server.ts", import.meta.url)), directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.once("data", (text) => resolve(String(text).trim()));
    child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
  });
  const pid = child.pid as number; // it has spoken
  await pin(pid, 0);
  return {
    url,
    pid,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await new Promise((resolve) => child.once("close", resolve));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Reads for as long as the stream lives: at once, or an event, then a pause. Resolves when all its `watches` are there. */
function read(
  { responses }: WatchStreamClient,
  watches: number,
  pauseMs: number,
  visit: (sentAt: number) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const follow = async (): Promise<void> => {
      let left = watches;
      for await (const { created, events } of responses) {
        if (created && --left === 0) resolve();
        for (const { kv } of events) {
          visit(kv.value.readDoubleLE(0));
          if (pauseMs > 0) await sleep(systemClock, pauseMs);
        }
      }
    };
    follow().catch(reject);
  });
}

/** Waits for `done`, but not for ever. */
async function until(done: () => boolean): Promise<void> {
  for (const end = performance.now() + 10_000; !done() && performance.now() < end; ) await sleep(systemClock, 10);
}

/** At a steady rate, whatever the answers take; each value begins with the time of its put. */
async function put(store: Store, count: number): Promise<void> {
  const began = performance.now();
  const running: Promise<unknown>[] = [];
  for (let i = 0; i < count; i++) {
    const wait = began + (i * 1000) / putsPerSecond - performance.now();
    if (wait > 1) await sleep(systemClock, wait);
    const value = Buffer.alloc(valueBytes, "x");
    value.writeDoubleLE(performance.now(), 0);
    running.push(store.transact({ if: [], then: [{ kind: "put", key: keyOf(i % others), value }] }));
  }
  await Promise.all(running);
}

/** Milliseconds from put to event, of the watchers that read at once. */
async function lags(server: Server, pauseMs: number): Promise<number[]> {
  const channel: GrpcChannel = await openWatchChannel(server.url);
  await using store = await openEtcdStore({ servers: [server.url], clock: systemClock, log: silentLog });
  try {
    const found: number[] = [];
    const quick = Array.from({ length: streams }, (_, stream) =>
      openWatchStream(
        channel,
        Array.from({ length: others / streams }, (_key, index) => ({ key: keyOf(index * streams + stream) })),
      ),
    );
    await Promise.all([
      ...quick.map((stream) => read(stream, others / streams, 0, (sentAt) => found.push(performance.now() - sentAt))),
      read(openWatchStream(channel, [everything]), 1, pauseMs, () => {}),
    ]);
    await put(store, putsPerSecond); // warm
    await until(() => found.length === putsPerSecond);
    found.length = 0;
    const count = putsPerSecond * seconds;
    await put(store, count);
    await until(() => found.length >= count);
    if (found.length !== count) throw new Error(`the quick watchers got ${found.length} of ${count} events`);
    return found;
  } finally {
    channel.close();
  }
}

/** Resident memory of a server under the same writes, with so many watchers that do not read. */
async function residentMb(slow: number, writes: number): Promise<number> {
  await using server = await startServer();
  const channel = await openWatchChannel(server.url);
  await using store = await openEtcdStore({ servers: [server.url], clock: systemClock, log: silentLog });
  try {
    const created = Array.from({ length: slow }, () => openWatchStream(channel, [everything]).responses.next());
    await Promise.all(created);
    let most = 0;
    for (let done = 0; done < writes; done += 500) {
      await put(store, 500);
      most = Math.max(most, usage(server.pid).residentMb);
    }
    return most;
  } finally {
    channel.close();
  }
}

/** `p99Ratio`: the others' lag beside a slow watcher, to their lag beside one that reads at once. */
export async function benchSlowWatcher(): Promise<object> {
  const quick: number[][] = [];
  const slow: number[][] = [];
  {
    await using server = await startServer();
    for (let i = 0; i < rounds; i++) {
      quick.push(await lags(server, 0));
      slow.push(await lags(server, 1000));
    }
  }
  const at = (all: readonly number[][], p: number): number => median(all.map((lag) => percentile(lag, p)));
  const figures = (all: readonly number[][]): object => ({ p50Ms: round(at(all, 0.5), 2), p99Ms: round(at(all, 0.99), 2) });
  const writes = 2_000;
  const [without, withSlow] = [await residentMb(0, writes), await residentMb(slowStreams, writes)];
  return {
    watchers: others + 1,
    putsPerSecond,
    valueBytes,
    besideQuick: figures(quick),
    besideSlow: figures(slow),
    p99Ratio: round(at(slow, 0.99) / at(quick, 0.99), 3),
    memory: {
      slowWatchers: slowStreams,
      unreadMibEach: round((writes * valueBytes) / 2 ** 20),
      residentMbWithout: without,
      residentMbWith: withSlow,
      mbPerSlowWatcher: round((withSlow - without) / slowStreams, 3),
    },
  };
}

if (import.meta.main) {
  console.log(JSON.stringify(await benchSlowWatcher(), undefined, 2));
  process.exit(0);
}
