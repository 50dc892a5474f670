// When probes run and what a row of results means.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Probe } from "#api";
import { VirtualClock } from "#base";
import type { ProbeResults } from "../pod/state.ts";
import type { ProbeOutcome } from "./check.ts";
import { ContainerProber, type ProbeKind } from "./prober.ts";

function scene(probes: Partial<Record<ProbeKind, Probe>>, outcome: (kind: ProbeKind, atMs: number) => ProbeOutcome["result"]) {
  const clock = new VirtualClock();
  const runs: string[] = [];
  const results: ProbeResults[] = [];
  const told: string[] = [];
  const prober = new ContainerProber({
    clock,
    probes,
    startedAtMs: clock.now(),
    run: async (kind) => {
      runs.push(`${kind}@${clock.monotonic() / 1000}`);
      return { result: outcome(kind, clock.monotonic()), output: "" };
    },
    changed: (result) => results.push(result),
    unhealthy: (kind) => told.push(`${kind}@${clock.monotonic() / 1000}`),
  });
  return { clock, runs, results, told, prober };
}

const tcp = { tcpSocket: { port: 80 } };

test("a probe begins after its initial delay and repeats at its period", async () => {
  const { clock, runs, results } = scene({ readiness: { ...tcp, initialDelaySeconds: 3, periodSeconds: 5 } }, () => "success");
  await clock.advance(14_000);
  assert.deepEqual(runs, ["readiness@3", "readiness@8", "readiness@13"]);
  assert.deepEqual(results, [{ readiness: "success" }], "told once");
});

test("thresholds count results in a row, on both sides", async () => {
  const flips = [true, false, true, true, false, false, false, true, true];
  const { clock, results, told } = scene(
    { readiness: { ...tcp, periodSeconds: 1, failureThreshold: 3, successThreshold: 2 } },
    (_kind, atMs) => (flips[atMs / 1000] ? "success" : "failure"),
  );
  await clock.advance(8_000);
  assert.deepEqual(
    results.map(({ readiness }) => readiness),
    ["success", "failure", "success"],
  );
  assert.deepEqual(told, ["readiness@1", "readiness@4", "readiness@5", "readiness@6"]);
});

test("liveness and readiness wait until the startup probe has succeeded, and it runs no more then", async () => {
  const { clock, runs } = scene(
    { startup: { ...tcp, periodSeconds: 2 }, liveness: { ...tcp, periodSeconds: 10 } },
    (kind, atMs) => (kind === "startup" && atMs < 4000 ? "failure" : "success"),
  );
  await clock.advance(15_000);
  assert.deepEqual(runs, ["startup@0", "startup@2", "startup@4", "liveness@4", "liveness@14"]);
});

test("a liveness probe that has failed its threshold runs no more: the container goes", async () => {
  const { clock, runs, results } = scene({ liveness: { ...tcp, periodSeconds: 1, failureThreshold: 2 } }, () => "failure");
  await clock.advance(10_000);
  assert.equal(runs.length, 2);
  assert.deepEqual(results, [{ liveness: "failure" }]);
});

test("a check that cannot be made changes nothing", async () => {
  const { clock, runs, results, told } = scene({ liveness: { ...tcp, periodSeconds: 1, failureThreshold: 1 } }, () => "unknown");
  await clock.advance(5_000);
  assert.equal(results.length, 0);
  assert.equal(runs.length, told.length);
});

test("a disposed prober runs nothing any more", async () => {
  const { clock, runs, prober } = scene({ readiness: { ...tcp, periodSeconds: 1 } }, () => "success");
  await clock.advance(500);
  prober[Symbol.dispose]();
  await clock.advance(10_000);
  assert.equal(runs.length, 1);
});
