// What the etcd API promises, held against what clients saw: on memory, and on a disk store that is killed and comes back all the time.
// TIPHYS_HISTORIES=200 node --test test/store/linearizability.test.ts
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { seededRandom, silentLog, systemClock } from "#base";
import { openMemoryStore, startEtcdServer } from "#store";
import { checkHistory } from "../checkers/check-history.ts";
import { type RecordedHistory, recordHistory } from "./support/record-history.ts";
import { RestartingStore } from "./support/restarting-store.ts";

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
  const random = seededRandom(seed);
  await using store = await RestartingStore.start(random);
  const hooks = { answered: () => store.answered(), settled: () => store.calm() };
  const history = await recordHistory({ url: store.url, random, durationMs, leastOperations, ...hooks });
  return { history, kills: store.kills };
}

suite(`${histories} histories of ${durationMs / 1000} s`, { concurrency: atOnce }, () => {
  const total = { histories: 0, operations: 0, unanswered: 0, events: 0, kills: 0, seconds: 0, checkingMs: 0, violations: 0 };
  let slowest = Number.POSITIVE_INFINITY;
  for (let seed = firstSeed; seed < firstSeed + histories; seed++) {
    const killed = seed % 2 === 0;
    test(`${killed ? "disk, killed again and again" : "memory"}, seed ${seed}: no promise is broken`, {
      timeout: 600_000,
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
