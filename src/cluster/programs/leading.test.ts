// A program that competes for its lease: what it shows on its port while it leads, and while it does not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { leases } from "#api";
import { seededRandom, silentLog, systemFiles, systemProcesses, VirtualClock } from "#base";
import { createClient, createFakeApi } from "#client";
import { leading } from "./leading.ts";
import { workOf } from "./work.ts";

test("what a program shows goes with its lease, and comes back with the next term", async () => {
  const clock = new VirtualClock();
  const api = createFakeApi({ clock });
  const deps = {
    clock,
    random: seededRandom(1),
    log: silentLog,
    files: systemFiles,
    processes: systemProcesses,
    packageVersion: "0",
    signal: new AbortController().signal,
    hostname: "here",
  };
  const stopped: number[] = [];
  let terms = 0;
  const work = workOf(async () => {
    const term = ++terms;
    return { term, [Symbol.asyncDispose]: async () => void stopped.push(term) };
  });
  const election = leading("kube-scheduler", createClient(api), deps, work.start);
  assert.equal(work.running(), undefined);
  await clock.advance(5_000);
  assert.equal(work.running()?.term, 1);

  const lease = { namespace: "kube-system", name: "kube-scheduler" };
  const held = api.peek(leases, lease);
  api.put(leases, { ...held, metadata: lease, spec: { ...held?.spec, holderIdentity: "thief" } });
  await clock.advance(2_500);
  assert.deepEqual([stopped, work.running()], [[1], undefined]);

  await clock.advance(30_000); // the thief renews nothing
  assert.equal(work.running()?.term, 2);
  await election[Symbol.asyncDispose]();
  assert.deepEqual([stopped, work.running()], [[1, 2], undefined]);
});
