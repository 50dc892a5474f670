// What the etcd API promises, held against what clients saw: on memory, and on a disk store that is killed and comes back all the time.
// TIPHYS_HISTORIES=200 node --test test/store/linearizability.test.ts
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { randomInt, seededRandom, silentLog, sleep, systemClock } from "#base";
import { openMemoryStore, startEtcdServer } from "#store";
import { checkHistory } from "../checkers/check-history.ts";
import { type Child, startChild } from "./support/child.ts";
import { type RecordedHistory, recordHistory } from "./support/record-history.ts";
import { Scratch } from "./support/scratch.ts";

const histories = Number(process.env["TIPHYS_HISTORIES"] ?? 4);
const full = process.env["TIPHYS_HISTORIES"] !== undefined;
const firstSeed = Number(process.env["TIPHYS_HISTORY_SEED"] ?? 1);
const durationMs = full ? 5_000 : 1_500;
/** Slower histories say too little: they take what time they need for as much. */
const leastOperations = (durationMs / 1000) * 100;
const atOnce = 2;

interface Recorded {
  readonly history: RecordedHistory;
  readonly kills: number;
}

async function onMemory(seed: number): Promise<Recorded> {
  await using store = openMemoryStore({ clock: systemClock });
  await using server = await startEtcdServer({ store, clock: systemClock, log: silentLog, listen: "127.0.0.1:0" });
  return { history: await recordHistory({ url: server.url, random: seededRandom(seed), durationMs, leastOperations }), kills: 0 };
}

async function onKilledDisk(seed: number): Promise<Recorded> {
  using scratch = new Scratch("history");
  const random = seededRandom(seed);
  let port = "0";
  const start = async (): Promise<Child> => {
    const child = startChild("facade-child.ts", [scratch.path, port]);
    await child.heard("ready");
    port = child.lines.find((line) => line.startsWith("port "))?.slice(5) ?? port;
    return child;
  };
  let child = await start();
  let kills = 0;
  let answer = Promise.withResolvers<void>();
  const stop = new AbortController();
  const killing = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      // Clients find out at their leisure that it is back: its days are counted from the first answer.
      await answer.promise;
      await sleep(systemClock, 50 + randomInt(random, 1_200), stop.signal).catch(() => {});
      if (stop.signal.aborted) return;
      await child.kill();
      child = await start();
      answer = Promise.withResolvers<void>();
      kills++;
    }
  };
  try {
    const killed = killing();
    const settled = (): Promise<void> => {
      stop.abort();
      answer.resolve();
      return killed;
    };
    const url = `http://127.0.0.1:${port}`;
    const answered = (): void => answer.resolve();
    const options = { url, random: seededRandom(seed), durationMs, leastOperations, answered, settled };
    return { history: await recordHistory(options), kills };
  } finally {
    stop.abort();
    answer.resolve();
    await child.kill();
  }
}

suite(`${histories} histories of ${durationMs / 1000} s`, { concurrency: atOnce }, () => {
  const total = { histories: 0, operations: 0, unanswered: 0, events: 0, kills: 0, seconds: 0, checkingMs: 0, violations: 0 };
  let slowest = Number.POSITIVE_INFINITY;
  for (let seed = firstSeed; seed < firstSeed + histories; seed++) {
    const killed = seed % 2 === 0;
    test(`${killed ? "disk, killed again and again" : "memory"}, seed ${seed}: no promise is broken`, {
      timeout: 120_000,
    }, async () => {
      const { history, kills } = await (killed ? onKilledDisk(seed) : onMemory(seed));
      const began = performance.now();
      const violations = checkHistory(history);
      total.checkingMs += Math.round(performance.now() - began);
      total.histories++;
      total.operations += history.operations.length;
      total.unanswered += history.operations.filter(({ answer }) => answer === undefined).length;
      slowest = Math.min(slowest, Math.round(history.operations.length / history.seconds));
      total.events += history.watches.reduce(
        (sum, { responses }) => sum + responses.reduce((n, { events }) => n + events.length, 0),
        0,
      );
      total.kills += kills;
      total.seconds += Math.round(history.seconds);
      total.violations += violations.length;
      if (total.histories === histories) console.log(`# ${JSON.stringify({ ...total, slowestPerSecond: slowest })}`);
      assert.deepEqual(violations.slice(0, 10), []);
    });
  }
});
