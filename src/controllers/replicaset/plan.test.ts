import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod, Stored } from "#api";
import { planReplicaStatus, planReplicas, type Wanted } from "./plan.ts";

const nowMs = Date.UTC(2026, 0, 1, 12);
const ago = (seconds: number): string => new Date(nowMs - seconds * 1000).toISOString();

interface Given {
  readonly node?: string;
  readonly phase?: string;
  readonly readyFor?: number;
  readonly cost?: number;
  readonly restarts?: number;
  readonly age?: number;
  readonly terminating?: boolean;
  readonly labels?: Record<string, string>;
}

const pod = (name: string, given: Given = {}): Stored<Pod> => ({
  metadata: {
    name,
    namespace: "default",
    uid: name,
    resourceVersion: "1",
    creationTimestamp: ago(given.age ?? 100),
    labels: given.labels ?? { app: "a" },
    ...(given.terminating === true ? { deletionTimestamp: ago(1) } : {}),
    ...(given.cost === undefined ? {} : { annotations: { "controller.kubernetes.io/pod-deletion-cost": String(given.cost) } }),
  },
  spec: { containers: [], nodeName: given.node },
  status: {
    phase: given.phase ?? "Running",
    conditions: given.readyFor === undefined ? [] : [{ type: "Ready", status: "True", lastTransitionTime: ago(given.readyFor) }],
    containerStatuses: [{ name: "c", image: "i", imageID: "", ready: true, restartCount: given.restarts ?? 0 }],
  },
});

const wanted = (replicas: number, more: Partial<Wanted> = {}): Wanted => ({
  replicas,
  minReadySeconds: 0,
  template: { metadata: { labels: { app: "a" } } },
  generation: 3,
  status: undefined,
  countsTerminating: true,
  ...more,
});

const removed = (replicas: number, pods: readonly Stored<Pod>[], related = pods): string[] =>
  planReplicas(wanted(replicas), pods, related, nowMs).remove.map(({ metadata }) => metadata.name);

const ranks: readonly { readonly name: string; readonly first: Given; readonly second: Given }[] = [
  { name: "an unassigned pod goes before an assigned one", first: {}, second: { node: "n" } },
  { name: "a pending pod goes before a running one", first: { node: "n", phase: "Pending" }, second: { node: "n" } },
  { name: "an unknown pod goes before a running one", first: { node: "n", phase: "Unknown" }, second: { node: "n" } },
  { name: "a pod that is not ready goes before a ready one", first: { node: "n" }, second: { node: "n", readyFor: 5 } },
  {
    name: "a lower deletion cost goes first, below zero too",
    first: { node: "n", readyFor: 50, cost: -1 },
    second: { node: "n", readyFor: 5 },
  },
  {
    name: "a pod that became ready much later goes first",
    first: { node: "n", readyFor: 5 },
    second: { node: "m", readyFor: 500 },
  },
  {
    name: "a pod with more restarts goes first",
    first: { node: "n", readyFor: 50, restarts: 3 },
    second: { node: "m", readyFor: 50 },
  },
  { name: "a much younger pod goes first", first: { node: "n", age: 10 }, second: { node: "m", age: 10_000 } },
];

for (const { name, first, second } of ranks)
  test(`when one of two is too many, ${name}`, () => {
    assert.deepEqual(removed(1, [pod("b", second), pod("a", first)]), ["a"]);
    // Whatever the order in which they are found, and whatever their names.
    assert.deepEqual(removed(1, [pod("a", first), pod("b", second)]), ["a"]);
    assert.deepEqual(removed(1, [pod("z", first), pod("b", second)]), ["z"]);
  });

test("a pod that shares its node with a sibling goes before one that is alone", () => {
  const mine = [pod("alone", { node: "m", readyFor: 5 }), pod("crowded", { node: "n", readyFor: 500 })];
  assert.deepEqual(removed(1, mine, [...mine, pod("sibling", { node: "n" })]), ["crowded"]);
});

test("creates what is missing, not counting finished and terminating pods", () => {
  const pods = [pod("a"), pod("b", { phase: "Failed" }), pod("c", { phase: "Succeeded" }), pod("d", { terminating: true })];
  assert.deepEqual(planReplicas(wanted(3), pods, pods, nowMs), { create: 2, remove: [] });
});

test("creates at most 500 at once and removes at most 500 at once", () => {
  assert.equal(planReplicas(wanted(2000), [], [], nowMs).create, 500);
  const many = Array.from({ length: 700 }, (_, i) => pod(`p${i}`));
  assert.equal(planReplicas(wanted(0), many, many, nowMs).remove.length, 500);
});

test("the status counts by state, and looks again when the next pod becomes available", () => {
  const pods = [
    pod("fresh", { readyFor: 4 }),
    pod("old", { readyFor: 20 }),
    pod("starting"),
    pod("other", { labels: { app: "b" }, readyFor: 30 }),
    pod("gone", { terminating: true, readyFor: 30 }),
    pod("failed", { phase: "Failed" }),
  ];
  const { status, requeueAfterMs } = planReplicaStatus(wanted(4, { minReadySeconds: 10 }), pods, undefined, nowMs);
  assert.deepEqual(status, {
    replicas: 4,
    fullyLabeledReplicas: 3,
    readyReplicas: 3,
    availableReplicas: 2,
    terminatingReplicas: 1,
    observedGeneration: 3,
  });
  assert.equal(requeueAfterMs, 6000);
});

test("a status that is right is not written again", () => {
  const { status } = planReplicaStatus(wanted(1), [pod("a", { readyFor: 5 })], undefined, nowMs);
  assert.ok(status !== undefined);
  assert.equal(planReplicaStatus(wanted(1, { status }), [pod("a", { readyFor: 5 })], undefined, nowMs).status, undefined);
});

test("a failure sets ReplicaFailure once and success removes it", () => {
  const failure = { reason: "FailedCreate", message: "quota" } as const;
  const failed = planReplicaStatus(wanted(1), [], failure, nowMs).status;
  assert.deepEqual(failed?.conditions, [
    {
      type: "ReplicaFailure",
      status: "True",
      reason: "FailedCreate",
      message: "quota",
      lastTransitionTime: "2026-01-01T12:00:00Z",
    },
  ]);
  assert.equal(
    planReplicaStatus(wanted(1, { status: failed }), [], { ...failure, message: "again" }, nowMs + 60_000).status,
    undefined,
  );
  assert.equal(planReplicaStatus(wanted(1, { status: failed }), [], undefined, nowMs).status?.conditions, undefined);
});
