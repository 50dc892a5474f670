import assert from "node:assert/strict";
import { test } from "node:test";
import type { Deployment, DeploymentStatus, Pod, ReplicaSet, Stored } from "#api";
import { type DeploymentFacts, planDeployment } from "./plan.ts";

const nowMs = Date.UTC(2026, 0, 1, 12);

interface Given {
  readonly replicas?: number;
  readonly image?: string;
  readonly surge?: number | string;
  readonly unavailable?: number | string;
  readonly recreate?: boolean;
  readonly paused?: boolean;
  readonly history?: number;
  readonly status?: DeploymentStatus;
  readonly annotations?: Record<string, string>;
}

const template = (image: string) => ({ metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image }] } });

const deployment = (given: Given = {}): Stored<Deployment> => ({
  metadata: {
    namespace: "default",
    name: "web",
    uid: "d",
    resourceVersion: "1",
    creationTimestamp: "2026-01-01T00:00:00Z",
    generation: 2,
    annotations: given.annotations ?? {},
  },
  spec: {
    replicas: given.replicas ?? 10,
    selector: { matchLabels: { app: "web" } },
    template: template(given.image ?? "v2"),
    progressDeadlineSeconds: 600,
    revisionHistoryLimit: given.history ?? 10,
    ...(given.paused === true ? { paused: true } : {}),
    strategy:
      given.recreate === true
        ? { type: "Recreate" }
        : {
            type: "RollingUpdate",
            rollingUpdate: { maxSurge: given.surge ?? "25%", maxUnavailable: given.unavailable ?? "25%" },
          },
  },
  status: given.status,
});

interface SetGiven {
  readonly replicas: number;
  readonly available?: number;
  readonly actual?: number;
  readonly desired?: number;
  readonly max?: number;
  readonly revision?: number;
  readonly age?: number;
}

const set = (image: string, given: SetGiven): Stored<ReplicaSet> => ({
  metadata: {
    namespace: "default",
    name: `web-${image}`,
    uid: `uid-${image}`,
    resourceVersion: "1",
    generation: 1,
    creationTimestamp: new Date(nowMs - (given.age ?? 100) * 1000).toISOString(),
    annotations: {
      "deployment.kubernetes.io/revision": String(given.revision ?? 1),
      "deployment.kubernetes.io/desired-replicas": String(given.desired ?? 10),
      "deployment.kubernetes.io/max-replicas": String(given.max ?? 13),
    },
  },
  spec: {
    replicas: given.replicas,
    selector: { matchLabels: { app: "web", "pod-template-hash": image } },
    template: { ...template(image), metadata: { labels: { app: "web", "pod-template-hash": image } } },
  },
  status: {
    replicas: given.actual ?? given.replicas,
    availableReplicas: given.available ?? given.replicas,
    readyReplicas: given.available ?? given.replicas,
    observedGeneration: 1,
  },
});

const plan = (deployment: Stored<Deployment>, replicaSets: readonly Stored<ReplicaSet>[], more: Partial<DeploymentFacts> = {}) =>
  planDeployment({ deployment, replicaSets, pods: () => [], nowMs, ...more });

/** "web-v2: 3" per written ReplicaSet. */
const sizes = (result: ReturnType<typeof plan>): string[] =>
  result.writes.map((write) =>
    write.kind === "delete"
      ? `${write.object.metadata.name}: deleted`
      : `${write.object.metadata.name?.replace(/web-[^v].*/, "new")}: ${write.object.spec.replicas}`,
  );

const progressing = (result: ReturnType<typeof plan>) => result.status?.conditions?.find(({ type }) => type === "Progressing");

test("a new Deployment gets a ReplicaSet of full size, with hash, owner, annotations and revision 1", () => {
  const result = plan(deployment({ annotations: { team: "a", "kubectl.kubernetes.io/last-applied-configuration": "{}" } }), []);
  const [write] = result.writes;
  assert.ok(write?.kind === "create");
  const hash = write.object.metadata.labels?.["pod-template-hash"] ?? "";
  assert.match(hash, /^[bcdfghjklmnpqrstvwxz2456789]{5,10}$/);
  assert.equal(write.object.metadata.name, `web-${hash}`);
  assert.equal(write.object.spec.replicas, 10);
  assert.deepEqual(write.object.spec.selector, { matchLabels: { app: "web", "pod-template-hash": hash } });
  assert.deepEqual(write.object.spec.template?.metadata?.labels, { app: "web", "pod-template-hash": hash });
  assert.deepEqual(write.object.metadata.annotations, {
    team: "a",
    "deployment.kubernetes.io/revision": "1",
    "deployment.kubernetes.io/desired-replicas": "10",
    "deployment.kubernetes.io/max-replicas": "13",
  });
  assert.equal(write.object.metadata.ownerReferences?.[0]?.uid, "d");
  assert.equal(write.event, `Scaled up replica set web-${hash} from 0 to 10`);
  assert.equal(result.revision, "1");
  assert.deepEqual(
    [progressing(result)?.reason, progressing(result)?.message],
    ["NewReplicaSetCreated", `Created new replica set "web-${hash}"`],
  );
});

const rollouts: readonly {
  readonly name: string;
  readonly given: Given;
  readonly sets: readonly Stored<ReplicaSet>[];
  readonly want: readonly string[];
}[] = [
  {
    name: "starts with maxSurge new pods and removes maxUnavailable old ones",
    given: {},
    sets: [set("v1", { replicas: 10 })],
    want: ["web-v1: 8", "new: 3"],
  },
  {
    name: "goes on as new pods become available",
    given: {},
    sets: [set("v1", { replicas: 8 }), set("v2", { replicas: 3, available: 0, revision: 2 })],
    want: ["web-v2: 5"],
  },
  {
    name: "waits while nothing becomes available",
    given: {},
    sets: [set("v1", { replicas: 8 }), set("v2", { replicas: 5, available: 0, revision: 2 })],
    want: [],
  },
  {
    name: "removes old pods for those that became available",
    given: {},
    sets: [set("v1", { replicas: 8 }), set("v2", { replicas: 5, available: 4, revision: 2 })],
    want: ["web-v1: 4"],
  },
  {
    name: "removes broken old pods first, even when no new one is available",
    given: {},
    sets: [set("v1", { replicas: 10, available: 4 }), set("v2", { replicas: 3, available: 0, revision: 2 })],
    want: ["web-v1: 8"],
  },
  {
    name: "without surge removes old pods before it adds new ones",
    given: { surge: 0, unavailable: 1 },
    sets: [set("v1", { replicas: 10, max: 10 }), set("v2", { replicas: 0, revision: 2, max: 10 })],
    want: ["web-v1: 9"],
  },
  {
    name: "with neither surge nor unavailability still moves, one at a time",
    given: { surge: 0, unavailable: 0 },
    sets: [set("v1", { replicas: 10, max: 10 }), set("v2", { replicas: 0, revision: 2, max: 10 })],
    want: ["web-v1: 9"],
  },
  {
    name: "takes from the oldest of several old sets first",
    given: {},
    sets: [set("v0", { replicas: 4, age: 900 }), set("v1", { replicas: 6, age: 500 }), set("v2", { replicas: 3, revision: 3 })],
    want: ["web-v0: 0", "web-v1: 5"],
  },
  {
    name: "rolls back to an older set by its template",
    given: { image: "v1" },
    sets: [set("v1", { replicas: 0 }), set("v2", { replicas: 10, revision: 2 })],
    want: ["web-v1: 3"],
  },
];

for (const { name, given, sets, want } of rollouts)
  test(`a rolling update ${name}`, () => {
    assert.deepEqual(sizes(plan(deployment(given), sets)), want);
  });

test("a set that is used again gets the next revision and remembers its old one", () => {
  const result = plan(deployment({ image: "v1" }), [
    set("v1", { replicas: 0, revision: 1 }),
    set("v2", { replicas: 10, revision: 2 }),
  ]);
  const write = result.writes.find(({ object }) => object.metadata.name === "web-v1");
  assert.ok(write?.kind === "update");
  assert.equal(write.object.metadata.annotations?.["deployment.kubernetes.io/revision"], "3");
  assert.equal(write.object.metadata.annotations?.["deployment.kubernetes.io/revision-history"], "1");
  assert.equal(result.revision, "3");
});

const scalings: readonly {
  readonly name: string;
  readonly given: Given;
  readonly sets: readonly Stored<ReplicaSet>[];
  readonly want: readonly string[];
}[] = [
  {
    name: "the only active set takes it all",
    given: { replicas: 20 },
    sets: [set("v2", { replicas: 10 })],
    want: ["web-v2: 20"],
  },
  {
    name: "during a rollout both sets grow in proportion",
    given: { replicas: 20 },
    sets: [set("v1", { replicas: 8 }), set("v2", { replicas: 5, revision: 2 })],
    want: ["web-v1: 15", "web-v2: 10"],
  },
  {
    name: "during a rollout both sets shrink in proportion",
    given: { replicas: 5 },
    sets: [set("v1", { replicas: 8 }), set("v2", { replicas: 5, revision: 2 })],
    want: ["web-v1: 4", "web-v2: 3"],
  },
  {
    name: "to zero, everything goes",
    given: { replicas: 0 },
    sets: [set("v1", { replicas: 8 }), set("v2", { replicas: 5, revision: 2 })],
    want: ["web-v1: 0", "web-v2: 0"],
  },
  {
    name: "a paused Deployment scales all the same",
    given: { replicas: 20, paused: true },
    sets: [set("v2", { replicas: 10 })],
    want: ["web-v2: 20"],
  },
];

for (const { name, given, sets, want } of scalings)
  test(`when replicas change, ${name}`, () => {
    assert.deepEqual(sizes(plan(deployment(given), sets)), want);
  });

test("a paused Deployment does not begin a rollout and says that it is paused", () => {
  const result = plan(deployment({ paused: true }), [set("v1", { replicas: 10 })]);
  assert.deepEqual(sizes(result), []);
  assert.deepEqual([progressing(result)?.status, progressing(result)?.reason], ["Unknown", "DeploymentPaused"]);
});

test("Recreate removes the old pods, waits until the last is gone, and then creates", () => {
  const given = deployment({ recreate: true });
  assert.deepEqual(sizes(plan(given, [set("v1", { replicas: 10, max: 10 })])), ["web-v1: 0"]);
  const leaving: Pod = {
    metadata: {
      ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-v1", uid: "uid-v1", controller: true }],
    },
    spec: { containers: [] },
    status: { phase: "Running" },
  };
  const empty = [set("v1", { replicas: 0, max: 10 })];
  assert.deepEqual(sizes(plan(given, empty, { pods: () => [leaving] })), []);
  assert.deepEqual(sizes(plan(given, empty, { pods: () => [{ ...leaving, status: { phase: "Failed" } }] })), ["new: 10"]);
});

test("when complete, revisions beyond the limit are deleted, oldest first, but none that still has pods", () => {
  const done: DeploymentStatus = { replicas: 10, updatedReplicas: 10, availableReplicas: 10, observedGeneration: 2 };
  const sets = [
    set("v2", { replicas: 10, revision: 5 }),
    set("a", { replicas: 0, revision: 1 }),
    set("b", { replicas: 0, actual: 1, revision: 2 }),
    set("c", { replicas: 0, revision: 3 }),
    set("d", { replicas: 0, revision: 4 }),
  ];
  assert.deepEqual(sizes(plan(deployment({ history: 1, status: done }), sets)), ["web-a: deleted", "web-c: deleted"]);
  assert.deepEqual(sizes(plan(deployment({ history: 1 }), sets)), []);
});

test("the status counts new, ready, available and missing replicas", () => {
  const { status } = plan(deployment(), [
    set("v1", { replicas: 8 }),
    set("v2", { replicas: 5, available: 2, actual: 4, revision: 2 }),
  ]);
  const { conditions: _, ...counts } = status ?? {};
  assert.deepEqual(counts, {
    replicas: 12,
    updatedReplicas: 4,
    readyReplicas: 10,
    availableReplicas: 10,
    unavailableReplicas: 1,
    terminatingReplicas: 0,
    observedGeneration: 2,
  });
});

const cond = (reason: string, status: string, secondsAgo: number) => {
  const time = new Date(nowMs - secondsAgo * 1000).toISOString();
  return { type: "Progressing", status, reason, message: "", lastUpdateTime: time, lastTransitionTime: time };
};

test("a rollout that stands still past its deadline is out of time, and one that moves is not", () => {
  const stuck = [set("v1", { replicas: 8 }), set("v2", { replicas: 5, available: 0, revision: 2 })];
  const counts = { replicas: 13, updatedReplicas: 5, readyReplicas: 8, availableReplicas: 8, unavailableReplicas: 5 };
  const late = plan(deployment({ status: { ...counts, conditions: [cond("ReplicaSetUpdated", "True", 601)] } }), stuck);
  assert.deepEqual(
    [progressing(late)?.status, progressing(late)?.reason, progressing(late)?.message],
    ["False", "ProgressDeadlineExceeded", 'ReplicaSet "web-v2" has timed out progressing.'],
  );
  assert.equal(late.requeueAfterMs, undefined);
  const inTime = plan(deployment({ status: { ...counts, conditions: [cond("ReplicaSetUpdated", "True", 500)] } }), stuck);
  assert.equal(progressing(inTime)?.reason, "ReplicaSetUpdated");
  assert.equal(inTime.requeueAfterMs, 101_000);
  const moved = plan(
    deployment({
      status: { ...counts, availableReplicas: 7, readyReplicas: 7, conditions: [cond("ReplicaSetUpdated", "True", 601)] },
    }),
    stuck,
  );
  assert.equal(progressing(moved)?.lastUpdateTime, "2026-01-01T12:00:00Z");
});

test("a finished rollout says so once and is left alone when a pod dies later", () => {
  const done = plan(deployment(), [set("v2", { replicas: 10 })]);
  assert.deepEqual(
    [progressing(done)?.reason, progressing(done)?.message],
    ["NewReplicaSetAvailable", 'ReplicaSet "web-v2" has successfully progressed.'],
  );
  const hurt = plan(deployment({ status: done.status }), [set("v2", { replicas: 10, available: 5 })]);
  assert.equal(progressing(hurt)?.reason, "NewReplicaSetAvailable");
  assert.equal(hurt.status?.conditions?.find(({ type }) => type === "Available")?.reason, "MinimumReplicasUnavailable");
});

test("a ReplicaSet that cannot create pods makes the Deployment say why", () => {
  const failing = set("v2", { replicas: 10, available: 0, actual: 0 });
  const broken = {
    ...failing,
    status: { replicas: 0, conditions: [{ type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: "quota" }] },
  };
  const { status } = plan(deployment(), [broken]);
  const found = status?.conditions?.find(({ type }) => type === "ReplicaFailure");
  assert.deepEqual([found?.status, found?.reason, found?.message], ["True", "FailedCreate", "quota"]);
});

test("a plan that changes nothing writes nothing", () => {
  const sets = [set("v2", { replicas: 10 })];
  const first = plan(deployment(), sets);
  const again = plan(deployment({ status: first.status, annotations: { "deployment.kubernetes.io/revision": "1" } }), sets);
  assert.deepEqual(again, { writes: [], revision: undefined, status: undefined, requeueAfterMs: undefined });
});
