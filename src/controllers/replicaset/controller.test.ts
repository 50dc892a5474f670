import assert from "node:assert/strict";
import { test } from "node:test";
import { apiError, type Pod, pods, type ReplicaSet, replicaSets, type Stored } from "#api";
import { type Log, silentLog } from "#base";
import { controllerOf } from "#client";
import { createWorld, type World } from "../testing/world.ts";
import { replicaSetKind } from "./controller.ts";
import { replicaController } from "./engine.ts";

const replicaSet = (replicas: number): ReplicaSet => ({
  metadata: { namespace: "default", name: "web" },
  spec: {
    replicas,
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "i" }] } },
  },
});

const at = { namespace: "default", name: "web" };

async function start(replicas: number, options: Parameters<typeof createWorld>[0] = {}): Promise<World> {
  const world = createWorld(options);
  world.api.put(replicaSets, replicaSet(replicas));
  world.run(replicaController(replicaSetKind, world.context));
  await world.settle();
  return world;
}

const living = (world: World): readonly Stored<Pod>[] =>
  world.api.all(pods).filter(({ metadata }) => metadata.deletionTimestamp === undefined);

async function scale(world: World, replicas: number): Promise<void> {
  const current = world.api.peek(replicaSets, at);
  world.api.put(replicaSets, {
    ...replicaSet(replicas),
    metadata: { ...at, generation: (current?.metadata.generation ?? 1) + 1 },
    status: current?.status,
  });
  await world.settle();
}

test("at debug level the log tells of each sync what was heard, what is missing and what is done about it", async () => {
  const lines: string[] = [];
  const log: Log = {
    ...silentLog,
    debug: (message, fields) => lines.push(`${message} ${JSON.stringify(fields)}`),
    child: () => log,
  };
  await using world = await start(2, { log });
  const key = "default/web";
  const line = (message: string, fields: object): string => `${message} ${JSON.stringify(fields)}`;
  assert.deepEqual(lines.slice(0, 2), [
    line("heard of a change", { source: "replicasets", key }),
    line("not as wanted", { key, want: 2, have: 0, create: 2, remove: 0 }),
  ]);
  lines.length = 0;
  const [pod] = living(world);
  await world.client.delete(pods, { namespace: "default", name: pod?.metadata.name ?? "" });
  await world.settle();
  assert.deepEqual(lines.slice(0, 2), [
    line("heard of a change", { source: "pods", key }),
    line("not as wanted", { key, want: 2, have: 1, create: 1, remove: 0 }),
  ]);
  lines.length = 0;
  await scale(world, 0);
  assert.equal(lines.filter((each) => each === line("not as wanted", { key, want: 0, have: 2, create: 0, remove: 2 })).length, 1);
});

test("a ReplicaSet gets its pods, owned by it, and says so in its status", async () => {
  await using world = await start(3);
  assert.equal(living(world).length, 3);
  const [pod] = living(world);
  assert.match(pod?.metadata.name ?? "", /^web-/);
  assert.deepEqual(controllerOf(pod as Pod), {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    name: "web",
    uid: "uid-1",
    controller: true,
    blockOwnerDeletion: true,
  });
  assert.deepEqual(world.api.peek(replicaSets, at)?.status, {
    replicas: 3,
    fullyLabeledReplicas: 3,
    terminatingReplicas: 0,
    observedGeneration: 1,
  });
  assert.equal(world.events.filter((event) => event.startsWith("Normal SuccessfulCreate Created pod: web-")).length, 3);
});

test("a deleted pod is replaced, surplus pods are deleted, down to none", async () => {
  await using world = await start(3);
  world.api.remove(pods, { namespace: "default", name: living(world)[0]?.metadata.name ?? "" });
  await world.settle();
  assert.equal(living(world).length, 3);
  await scale(world, 1);
  assert.equal(living(world).length, 1);
  await scale(world, 0);
  assert.equal(living(world).length, 0);
});

test("a thousand replicas come up in bursts of 500, never one too many", async () => {
  await using world = await start(1000);
  for (let i = 0; i < 20; i++) await world.settle();
  assert.equal(living(world).length, 1000);
  const creates = world.api.requests.filter(({ method, path }) => method === "POST" && path.endsWith("/pods"));
  assert.equal(creates.length, 1000);
});

test("while the watch is late, no pod is created or deleted twice", async () => {
  await using world = await start(5, { gracefulPods: true });
  let late = true;
  world.api.before = ({ query }) => (late && query["watch"] === "true" ? apiError("ServiceUnavailable", "late") : undefined);
  world.api.endWatches();
  await scale(world, 7);
  await world.pass(5_000);
  late = false;
  await world.pass(120_000);
  assert.equal(living(world).length, 7);
  late = true;
  world.api.endWatches();
  const posts = (): number => world.api.requests.filter(({ method, path }) => method === "POST" && path.endsWith("/pods")).length;
  assert.equal(posts(), 7);
  late = false;
  await world.pass(120_000);
  await scale(world, 4);
  await world.pass(1_000);
  assert.equal(living(world).length, 4);
  assert.equal(world.api.requests.filter(({ method }) => method === "DELETE").length, 3);
  assert.equal(posts(), 7);
});

test("a create whose answer was lost is not made up for before the cache has seen it", async () => {
  await using world = createWorld();
  let lost = 0;
  world.api.after = ({ method, path }) => {
    if (method === "POST" && path.endsWith("/pods") && lost++ === 0) throw new Error("connection reset");
  };
  world.api.put(replicaSets, replicaSet(3));
  world.run(replicaController(replicaSetKind, world.context));
  await world.pass(2_000);
  assert.equal(living(world).length, 3);
  assert.equal(lost, 3);
});

test("a delete whose answer was lost, done or not, ends with the right number of pods", async () => {
  for (const done of [true, false]) {
    await using world = await start(5, { gracefulPods: true });
    let lost = 0;
    const lose = ({ method }: { method: string }): void => {
      if (method === "DELETE" && lost++ === 0) throw new Error("connection reset");
    };
    if (done) world.api.after = lose;
    else world.api.before = (request) => void lose(request) as undefined;
    await scale(world, 3);
    await world.pass(2_000);
    assert.equal(living(world).length, 3, `deleted: ${done}`);
    assert.equal(world.api.all(pods).length, 5);
  }
});

test("a refused create becomes a condition and an event, and is tried again with backoff", async () => {
  await using world = createWorld();
  let refused = true;
  world.api.before = ({ method, path }) =>
    refused && method === "POST" && path.endsWith("/pods") ? apiError("Forbidden", "exceeded quota") : undefined;
  world.api.put(replicaSets, replicaSet(3));
  world.run(replicaController(replicaSetKind, world.context));
  await world.settle();
  const [condition] = world.api.peek(replicaSets, at)?.status?.conditions ?? [];
  assert.deepEqual(
    [condition?.type, condition?.reason, condition?.message],
    ["ReplicaFailure", "FailedCreate", "exceeded quota"],
  );
  assert.ok(world.events.includes("Warning FailedCreate Error creating: exceeded quota"));
  refused = false;
  await world.pass(5_000);
  assert.equal(living(world).length, 3);
  assert.equal(world.api.peek(replicaSets, at)?.status?.conditions, undefined);
});

test("matching orphans are adopted, pods whose labels changed are released and replaced", async () => {
  await using world = createWorld();
  const orphan = (name: string, app: string): Pod => ({
    metadata: { namespace: "default", name, labels: { app } },
    spec: { containers: [] },
  });
  world.api.put(pods, orphan("mine", "web"));
  world.api.put(pods, orphan("other", "db"));
  world.api.put(replicaSets, replicaSet(2));
  world.run(replicaController(replicaSetKind, world.context));
  await world.settle();
  const mine = world.api.peek(pods, { namespace: "default", name: "mine" });
  assert.equal(controllerOf(mine as Pod)?.name, "web");
  assert.equal(controllerOf(world.api.peek(pods, { namespace: "default", name: "other" }) as Pod), undefined);
  assert.equal(living(world).length, 3);
  world.api.put(pods, { ...mine, metadata: { ...mine?.metadata, labels: { app: "quarantine" } }, spec: { containers: [] } });
  await world.settle();
  assert.equal(controllerOf(world.api.peek(pods, { namespace: "default", name: "mine" }) as Pod), undefined);
  assert.equal(living(world).length, 4);
});

test("a ReplicaSet that is being deleted neither creates nor adopts", async () => {
  await using world = createWorld();
  world.api.put(pods, { metadata: { namespace: "default", name: "orphan", labels: { app: "web" } }, spec: { containers: [] } });
  world.api.put(replicaSets, {
    ...replicaSet(3),
    metadata: { ...at, finalizers: ["foregroundDeletion"], deletionTimestamp: "2026-01-01T00:00:00Z" },
  });
  world.run(replicaController(replicaSetKind, world.context));
  await world.settle();
  assert.equal(world.api.all(pods).length, 1);
  assert.equal(controllerOf(world.api.all(pods)[0] as Pod), undefined);
});
