// Random programs through gRPC against our etcd API and a real etcd: every answer must be the same, field by field.
// DIFFERENTIAL_PROGRAMS=5000 node --test test/store/differential.test.ts
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { silentLog, systemClock } from "#base";
import { openMemoryStore, startEtcdServer } from "#store";
import { openPair, runProgram } from "./support/differential/run.ts";
import { etcdMissing, startRealEtcd } from "./support/real-etcd.ts";

const programs = Number(process.env["DIFFERENTIAL_PROGRAMS"] ?? 200);
const length = Number(process.env["DIFFERENTIAL_OPERATIONS"] ?? 200);
const firstSeed = Number(process.env["DIFFERENTIAL_SEED"] ?? 1);
/** Each has an etcd and a server of ours for itself: what one program waits for (etcd's watches catch up every 100 ms) others use. */
const atOnce = Number(process.env["DIFFERENTIAL_AT_ONCE"] ?? 4);

test(`${programs} random programs of ${length} steps: our etcd API answers as etcd does`, {
  skip: etcdMissing ?? false,
  timeout: 7_200_000,
}, async (t) => {
  let next = firstSeed;
  const started = performance.now();
  const lane = async (): Promise<void> => {
    using etcd = await startRealEtcd();
    await using backend = openMemoryStore({ clock: systemClock });
    await using server = await startEtcdServer({ store: backend, clock: systemClock, log: silentLog, listen: "127.0.0.1:0" });
    await (await etcd.connect())[Symbol.asyncDispose]();
    using pair = openPair(etcd.url, server.url);
    while (next < firstSeed + programs) {
      const mine = next++;
      const difference = await runProgram(pair, mine, length).catch((cause: unknown) => {
        throw new Error(`seed ${mine}: ${String(cause)}`, { cause });
      });
      if (difference === undefined) continue;
      const { seed, index, step, expected, actual } = difference;
      assert.deepEqual(actual, expected, `seed ${seed}, step ${index}: ${inspect(step, { depth: 12 })}`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, programs) }, lane));
  t.diagnostic(`${Math.round((performance.now() - started) / programs)} ms a program`);
});
