import assert from "node:assert/strict";
import { test } from "node:test";
import { nodes, type Pod, pods } from "#api";
import { createWorld, namesOf, type World } from "../testing/world.ts";
import { podGarbageCollector } from "./controller.ts";
import { surplusFinished } from "./plan.ts";

const pod = (name: string, more: Partial<Pod["spec"]> = {}, phase = "Running", metadata: Partial<Pod["metadata"]> = {}): Pod => ({
  metadata: { namespace: "default", name, ...metadata },
  spec: { containers: [], ...more },
  status: { phase },
});

const left = (world: World): string[] => namesOf(world.api.all(pods)).sort();

test("pods of a node that is gone for 40 s are marked failed and removed; a node that comes back keeps them", async () => {
  await using world = createWorld();
  for (const name of ["a", "b", "c"]) world.api.put(nodes, { metadata: { name }, spec: {} });
  for (const name of ["a", "b", "c"]) world.api.put(pods, pod(`on-${name}`, { nodeName: name }));
  world.run(podGarbageCollector(world.context));
  await world.settle();
  const statuses: string[] = [];
  world.context.informers.informer(pods).addHandler({
    updated: ({ status }) =>
      statuses.push(`${status?.phase} ${status?.conditions?.[0]?.reason} ${status?.conditions?.[0]?.message}`),
  });
  world.api.remove(nodes, { name: "a" });
  world.api.remove(nodes, { name: "b" });
  await world.pass(30_000);
  assert.deepEqual(left(world), ["on-a", "on-b", "on-c"]);
  world.api.put(nodes, { metadata: { name: "b" }, spec: {} });
  await world.pass(20_000);
  assert.deepEqual(left(world), ["on-b", "on-c"]);
  assert.deepEqual(statuses, ["Failed DeletionByPodGC PodGC: node no longer exists"]);
});

test("a pod that is deleted before it was scheduled goes at once", async () => {
  await using world = createWorld();
  world.api.put(pods, pod("pending", {}, "Pending", { deletionTimestamp: "2026-01-01T00:00:00Z" }));
  world.api.put(pods, pod("waiting", {}, "Pending"));
  world.run(podGarbageCollector(world.context));
  await world.settle();
  assert.deepEqual(left(world), ["waiting"]);
});

test("terminating pods of a node out of service are removed by force, others stay", async () => {
  await using world = createWorld();
  world.api.put(nodes, { metadata: { name: "a" }, spec: {}, status: { conditions: [{ type: "Ready", status: "Unknown" }] } });
  world.api.put(pods, pod("leaving", { nodeName: "a" }, "Running", { deletionTimestamp: "2026-01-01T00:00:00Z" }));
  world.api.put(pods, pod("staying", { nodeName: "a" }));
  world.run(podGarbageCollector(world.context));
  await world.settle();
  assert.deepEqual(left(world), ["leaving", "staying"]);
  world.api.put(nodes, {
    metadata: { name: "a" },
    spec: { taints: [{ key: "node.kubernetes.io/out-of-service", effect: "NoExecute" }] },
    status: { conditions: [{ type: "Ready", status: "Unknown" }] },
  });
  await world.settle();
  assert.deepEqual(left(world), ["staying"]);
});

test("finished pods beyond the threshold go, evicted ones first, then the oldest", async () => {
  const stored = (name: string, second: number, reason?: string) => ({
    ...pod(name),
    metadata: { namespace: "default", name, uid: name, resourceVersion: "1", creationTimestamp: `2026-01-01T00:00:0${second}Z` },
    status: { phase: "Failed", reason },
  });
  const all = [stored("a", 3), stored("b", 1), stored("c", 2), stored("d", 4, "Evicted")];
  assert.deepEqual(namesOf(surplusFinished(all, 2)), ["d", "b"]);
  assert.deepEqual(surplusFinished(all, 0), []);
  await using world = createWorld({ options: { terminatedPodThreshold: 2 } });
  world.run(podGarbageCollector(world.context));
  for (let i = 0; i < 5; i++) world.api.put(pods, pod(`p${i}`, {}, "Succeeded"));
  await world.settle();
  assert.deepEqual(left(world), ["p3", "p4"]);
});
