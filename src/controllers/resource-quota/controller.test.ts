import assert from "node:assert/strict";
import { test } from "node:test";
import { configMaps, type Pod, pods, resourceQuotas } from "#api";
import { createWorld, type World } from "../testing/world.ts";
import { resourceQuotaController } from "./controller.ts";

const at = { namespace: "shop", name: "q" };
const pod = (name: string, phase = "Running", cpu = "250m"): Pod => ({
  metadata: { namespace: "shop", name },
  spec: { containers: [{ name: "c", image: "i", resources: { requests: { cpu } } }] },
  status: { phase },
});
const used = (world: World) => world.api.peek(resourceQuotas, at)?.status?.used;

test("a quota's status shows its limits and what is used, and follows what goes", async () => {
  await using world = createWorld();
  world.api.put(pods, pod("a"));
  world.api.put(pods, pod("b"));
  world.api.put(pods, pod("done", "Succeeded"));
  world.api.put(configMaps, { metadata: { namespace: "shop", name: "c" } });
  world.api.put(configMaps, { metadata: { namespace: "other", name: "d" } });
  const hard = { pods: "5", "requests.cpu": "1", configmaps: "3", "count/services": "2" };
  world.api.put(resourceQuotas, { metadata: at, spec: { hard } });
  world.run(resourceQuotaController(world.context));
  await world.settle();
  assert.deepEqual(world.api.peek(resourceQuotas, at)?.status, {
    hard,
    used: { pods: "2", "requests.cpu": "500m", configmaps: "1", "count/services": "0" },
  });
  world.api.remove(pods, { namespace: "shop", name: "a" });
  await world.settle();
  assert.deepEqual(used(world), { pods: "1", "requests.cpu": "250m", configmaps: "1", "count/services": "0" });
  world.api.put(pods, pod("b", "Failed"));
  world.api.remove(configMaps, { namespace: "shop", name: "c" });
  await world.settle();
  assert.deepEqual(used(world), { pods: "0", "requests.cpu": "0", configmaps: "0", "count/services": "0" });
});

test("a changed limit is shown at once, and names that nothing counts are not used", async () => {
  await using world = createWorld();
  world.api.put(resourceQuotas, { metadata: at, spec: { hard: { pods: "5" } } });
  world.run(resourceQuotaController(world.context));
  await world.settle();
  world.api.put(resourceQuotas, {
    metadata: at,
    spec: { hard: { pods: "9", nonsense: "1" } },
    status: world.api.peek(resourceQuotas, at)?.status,
  });
  await world.settle();
  assert.deepEqual(world.api.peek(resourceQuotas, at)?.status, { hard: { pods: "9", nonsense: "1" }, used: { pods: "0" } });
});

test("a scope counts only what is in it", async () => {
  await using world = createWorld();
  world.api.put(pods, pod("burstable"));
  world.api.put(pods, { metadata: { namespace: "shop", name: "besteffort" }, spec: { containers: [{ name: "c", image: "i" }] } });
  world.api.put(resourceQuotas, { metadata: at, spec: { hard: { pods: "5" }, scopes: ["BestEffort"] } });
  world.run(resourceQuotaController(world.context));
  await world.settle();
  assert.deepEqual(used(world), { pods: "1" });
});
