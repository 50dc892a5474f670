// What a simulated container does.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "#api";
import { failsNow, parseDuration, programOf, runScript } from "./program.ts";

const pod = (annotations: Record<string, string> = {}): Pod => ({
  metadata: { annotations },
  spec: { containers: [{ name: "app" }], initContainers: [{ name: "init" }] },
});

test("parseDuration() reads units, defaults to seconds, and refuses the rest", () => {
  const rows: readonly (readonly [string, number | undefined])[] = [
    ["500ms", 500],
    ["2", 2000],
    ["1.5s", 1500],
    ["3m", 180_000],
    ["1h", 3_600_000],
    ["infinity", Number.POSITIVE_INFINITY],
    ["soon", undefined],
    ["", undefined],
  ];
  for (const [text, expected] of rows) assert.equal(parseDuration(text), expected, text);
});

test("scripts: lists of known commands end, everything else runs on", () => {
  const rows: readonly (readonly [string, number | undefined, number])[] = [
    ["sleep 5", 5000, 0],
    ["sleep 5; exit 3", 5000, 3],
    ["true && sleep 1 && false", 1000, 1],
    ["false || exit 4", 0, 4],
    ["false && exit 4", 0, 1],
    ["echo hello; sleep 1", 1000, 0],
    ["exit 300", 0, 44],
    ["sleep infinity", undefined, 0],
    ["sleep 2; serve --port 80", undefined, 0],
    ["while true; do sleep 1; done", undefined, 0],
    ["cat /etc/hosts | wc -l", undefined, 0],
    ["mkdir -p /x && echo 'a b' > /x/y\nexit 7", 0, 7],
  ];
  for (const [script, durationMs, exitCode] of rows) {
    const outcome = runScript(script);
    assert.deepEqual([outcome?.durationMs, outcome?.exitCode], [durationMs, exitCode], script);
  }
});

test("a container without a command runs on, an init container is done at once", () => {
  assert.equal(programOf(pod(), "app", [], []).durationMs, undefined);
  assert.equal(programOf(pod(), "init", [], []).durationMs, 0);
  assert.equal(programOf(pod(), "app", ["/bin/sh", "-ec"], ["sleep 3"]).durationMs, 3000);
});

test("annotations overrule the command, those for one container the general ones", () => {
  const annotated = pod({
    "sim.tiphys.dev/duration": "10s",
    "sim.tiphys.dev/duration.app": "20s",
    "sim.tiphys.dev/exit-code": "3",
    "sim.tiphys.dev/exit-reason": "OOMKilled",
  });
  const { durationMs, exitCode, reason } = programOf(annotated, "app", ["sleep", "1"], []);
  assert.deepEqual([durationMs, exitCode, reason], [20_000, 3, "OOMKilled"]);
  assert.equal(programOf(annotated, "other", [], []).durationMs, 10_000);
});

test("an exit code without a duration ends the container at once", () => {
  assert.equal(programOf(pod({ "sim.tiphys.dev/exit-code": "0" }), "app", [], []).durationMs, 0);
});

test("SIGTERM ends a command with 143 and a plain image with 0", () => {
  assert.equal(programOf(pod(), "app", ["sleep", "100"], []).stopExitCode, 143);
  assert.equal(programOf(pod(), "app", [], []).stopExitCode, 0);
});

test("failsNow() goes by the age of the container", () => {
  const rows: readonly (readonly [string | undefined, number, boolean])[] = [
    [undefined, 0, false],
    ["true", 0, true],
    ["false", 0, false],
    ["before=30s", 29_999, true],
    ["before=30s", 30_000, false],
    ["after=30s", 29_999, false],
    ["after=30s", 30_000, true],
  ];
  for (const [rule, age, expected] of rows) assert.equal(failsNow(rule, age), expected, `${rule} at ${age}`);
});
