import assert from "node:assert/strict";
import { test } from "node:test";
import { configMaps, namespaces, pods, type ResourceType, secrets } from "#api";
import type { Discovered } from "../shared/discovery.ts";
import { createWorld, namesOf, type World } from "../testing/world.ts";
import { namespaceController } from "./controller.ts";

const types = [configMaps, secrets, pods, namespaces] as readonly ResourceType[];

async function start(
  world: World,
  discover: () => Promise<Discovered> = async () => ({ resources: types, failures: [] }),
): Promise<void> {
  world.api.put(configMaps, { metadata: { namespace: "shop", name: "one" } });
  world.api.put(secrets, { metadata: { namespace: "shop", name: "two" } });
  world.api.put(configMaps, { metadata: { namespace: "other", name: "three" } });
  world.api.put(namespaces, {
    metadata: { name: "shop", deletionTimestamp: "2026-01-01T00:00:00Z" },
    spec: { finalizers: ["kubernetes"] },
    status: { phase: "Active" },
  });
  world.api.put(namespaces, { metadata: { name: "other" }, spec: { finalizers: ["kubernetes"] }, status: { phase: "Active" } });
  world.run(namespaceController(world.context, discover));
  await world.settle();
}

const conditions = (world: World) =>
  (world.api.peek(namespaces, { name: "shop" })?.status?.conditions ?? []).map(({ type, status, reason, message }) => ({
    type,
    status,
    reason,
    message,
  }));

test("a deleted namespace is emptied of all its resources and then goes; others keep theirs", async () => {
  await using world = createWorld();
  await start(world);
  await world.pass(1_000);
  assert.deepEqual(namesOf(world.api.all(namespaces)), ["other"]);
  assert.deepEqual([...namesOf(world.api.all(configMaps)), ...namesOf(world.api.all(secrets))], ["three"]);
});

test("pods go first: while one is left, nothing else is deleted (CVE-2024-7598)", async () => {
  await using world = createWorld({ gracefulPods: true });
  world.api.put(pods, { metadata: { namespace: "shop", name: "web" }, spec: { containers: [] } });
  await start(world);
  await world.pass(5_000);
  assert.deepEqual(namesOf(world.api.all(secrets)), ["two"]);
  assert.deepEqual(
    conditions(world).find(({ type }) => type === "NamespaceContentRemaining"),
    {
      type: "NamespaceContentRemaining",
      status: "True",
      reason: "SomeResourcesRemain",
      message: "Some resources are remaining: pods has 1 resource instances",
    },
  );
  assert.equal(world.api.peek(namespaces, { name: "shop" })?.status?.phase, "Terminating");
  const before = world.clock.monotonic();
  world.api.remove(pods, { namespace: "shop", name: "web" });
  await world.settle();
  // The event, not the next pause, brought the controller back.
  assert.equal(world.clock.monotonic(), before);
  assert.deepEqual(namesOf(world.api.all(secrets)), []);
});

test("what a finalizer holds is named in the conditions, and the namespace waits for it", async () => {
  await using world = createWorld();
  world.api.put(configMaps, { metadata: { namespace: "shop", name: "held", finalizers: ["example.com/hold"] } });
  await start(world);
  await world.pass(2_000);
  assert.deepEqual(
    conditions(world).filter(({ status }) => status === "True"),
    [
      {
        type: "NamespaceContentRemaining",
        status: "True",
        reason: "SomeResourcesRemain",
        message: "Some resources are remaining: configmaps has 1 resource instances",
      },
      {
        type: "NamespaceFinalizersRemaining",
        status: "True",
        reason: "SomeFinalizersRemain",
        message: "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
      },
    ],
  );
  await world.client.patch(
    configMaps,
    { namespace: "shop", name: "held" },
    { type: "merge", body: { metadata: { finalizers: [] } } },
  );
  await world.pass(30_000);
  assert.equal(world.api.peek(namespaces, { name: "shop" }), undefined);
});

test("a namespace is not finalized while a part of discovery fails", async () => {
  await using world = createWorld();
  let failing = true;
  await start(world, async () => ({
    resources: types,
    failures: failing ? [{ groupVersion: "metrics.k8s.io/v1beta1", message: "unavailable" }] : [],
  }));
  await world.pass(1_000);
  const [first] = conditions(world);
  assert.deepEqual([first?.reason, first?.status], ["DiscoveryFailed", "True"]);
  failing = false;
  await world.pass(60_000);
  assert.equal(world.api.peek(namespaces, { name: "shop" }), undefined);
});
