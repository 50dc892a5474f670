import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Pod, PodDisruptionBudget, PodDisruptionBudgetSpec, Stored } from "#api";
import { planBudget } from "./plan.ts";

const nowMs = Date.UTC(2026, 0, 1);
const budget = (spec: PodDisruptionBudgetSpec, status?: PodDisruptionBudget["status"]): Stored<PodDisruptionBudget> => ({
  metadata: {
    namespace: "a",
    name: "b",
    uid: "u",
    resourceVersion: "1",
    creationTimestamp: "2026-01-01T00:00:00Z",
    generation: 4,
  },
  spec,
  status,
});
const pod = (name: string, ready = true, terminating = false): Stored<Pod> => ({
  metadata: {
    namespace: "a",
    name,
    uid: name,
    resourceVersion: "1",
    creationTimestamp: "2026-01-01T00:00:00Z",
    ...(terminating ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
  },
  spec: { containers: [] },
  status: { conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
});
const five = ["1", "2", "3", "4", "5"].map((name) => pod(name));

const rows: readonly {
  readonly name: string;
  readonly spec: PodDisruptionBudgetSpec;
  readonly pods: readonly Stored<Pod>[];
  readonly scale?: number;
  readonly want: readonly [expected: number, desired: number, healthy: number, allowed: number];
}[] = [
  { name: "minAvailable as a number counts pods", spec: { minAvailable: 3 }, pods: five, want: [5, 3, 5, 2] },
  {
    name: "minAvailable as a percentage counts what the controllers want, rounded up",
    spec: { minAvailable: "50%" },
    pods: five,
    scale: 7,
    want: [7, 4, 5, 1],
  },
  {
    name: "maxUnavailable counts from what the controllers want",
    spec: { maxUnavailable: 1 },
    pods: five.slice(0, 4),
    scale: 5,
    want: [5, 4, 4, 0],
  },
  {
    name: "maxUnavailable as a percentage is rounded up",
    spec: { maxUnavailable: "30%" },
    pods: five,
    scale: 5,
    want: [5, 3, 5, 2],
  },
  {
    name: "pods that are not ready or terminating are not healthy",
    spec: { minAvailable: 1 },
    pods: [pod("a"), pod("b", false), pod("c", true, true)],
    want: [3, 1, 1, 0],
  },
  { name: "without pods nothing is allowed", spec: { minAvailable: 0 }, pods: [], want: [0, 0, 0, 0] },
];

for (const { name, spec, pods, scale, want } of rows)
  test(name, () => {
    const { status } = planBudget({ budget: budget(spec), pods, expectedScale: () => scale ?? 0, nowMs });
    assert.deepEqual([status?.expectedPods, status?.desiredHealthy, status?.currentHealthy, status?.disruptionsAllowed], want);
    const [condition] = status?.conditions ?? [];
    assert.deepEqual(
      [condition?.type, condition?.status, condition?.reason],
      want[3] > 0 ? ["DisruptionAllowed", "True", "SufficientPods"] : ["DisruptionAllowed", "False", "InsufficientPods"],
    );
  });

test("a granted eviction counts as gone for two minutes, then the pod counts again", () => {
  const status = {
    currentHealthy: 5,
    desiredHealthy: 3,
    expectedPods: 5,
    disruptionsAllowed: 1,
    disruptedPods: { "1": "2026-01-01T00:00:00Z", gone: "2026-01-01T00:00:00Z" },
  };
  const during = planBudget({
    budget: budget({ minAvailable: 3 }, status),
    pods: five,
    expectedScale: () => 0,
    nowMs: nowMs + 60_000,
  });
  assert.deepEqual(
    [during.status?.disruptionsAllowed, during.status?.disruptedPods, during.requeueAfterMs],
    [1, { "1": "2026-01-01T00:00:00Z" }, 60_000],
  );
  const after = planBudget({
    budget: budget({ minAvailable: 3 }, status),
    pods: five,
    expectedScale: () => 0,
    nowMs: nowMs + 121_000,
  });
  assert.deepEqual([after.status?.disruptionsAllowed, after.status?.disruptedPods], [2, undefined]);
});

test("when the controllers' wish cannot be found out, nothing is allowed and the reason is said", () => {
  const { status } = planBudget({
    budget: budget({ maxUnavailable: 1 }),
    pods: five,
    expectedScale: () => ({ error: "no matches" }),
    nowMs,
  });
  assert.equal(status?.disruptionsAllowed, 0);
  assert.deepEqual([status?.conditions?.[0]?.reason, status?.conditions?.[0]?.message], ["SyncFailed", "no matches"]);
});

test("what is allowed never leaves fewer healthy pods than desired, and a second plan changes nothing (I27)", () =>
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), fc.boolean()), { maxLength: 20 }),
      fc.nat(20),
      fc.oneof(
        fc.nat(10),
        fc.nat(100).map((n) => `${n}%`),
      ),
      fc.boolean(),
      (states, scale, value, minimum) => {
        const pods = states.map(([ready, terminating], i) => pod(`p${i}`, ready, terminating));
        const spec = minimum ? { minAvailable: value } : { maxUnavailable: value };
        const { status } = planBudget({ budget: budget(spec), pods, expectedScale: () => scale, nowMs });
        const { disruptionsAllowed = -1, currentHealthy = 0, desiredHealthy = 0 } = status ?? {};
        assert.ok(disruptionsAllowed >= 0);
        assert.ok(disruptionsAllowed === 0 || currentHealthy - disruptionsAllowed >= desiredHealthy);
        assert.equal(planBudget({ budget: budget(spec, status), pods, expectedScale: () => scale, nowMs }).status, undefined);
      },
    ),
  ));
