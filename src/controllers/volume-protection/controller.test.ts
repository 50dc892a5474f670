import assert from "node:assert/strict";
import { test } from "node:test";
import { type Pod, persistentVolumeClaims, persistentVolumes, pods } from "#api";
import { createWorld, namesOf } from "../testing/world.ts";
import { claimProtectionController, volumeProtectionController } from "./controller.ts";

const pod = (name: string, claimName: string, phase = "Running", nodeName: string | undefined = "n"): Pod => ({
  metadata: { namespace: "a", name },
  spec: { nodeName, containers: [], volumes: [{ name: "v", persistentVolumeClaim: { claimName } }] },
  status: { phase },
});
const claim = (name: string) => ({ metadata: { namespace: "a", name, finalizers: ["kubernetes.io/pvc-protection"] }, spec: {} });

test("a deleted claim stays while a pod uses it, and goes when the pod ends or is gone", async () => {
  await using world = createWorld();
  for (const name of ["used", "ended", "free", "waiting"]) world.api.put(persistentVolumeClaims, claim(name));
  world.api.put(pods, pod("one", "used"));
  world.api.put(pods, pod("two", "ended"));
  world.api.put(pods, pod("three", "waiting", "Pending", ""));
  world.run(claimProtectionController(world.context));
  await world.settle();
  for (const name of ["used", "ended", "free", "waiting"])
    await world.client.delete(persistentVolumeClaims, { namespace: "a", name });
  await world.settle();
  assert.deepEqual(namesOf(world.api.all(persistentVolumeClaims)), ["used", "ended"]);
  world.api.put(pods, pod("two", "ended", "Succeeded"));
  await world.settle();
  assert.deepEqual(namesOf(world.api.all(persistentVolumeClaims)), ["used"]);
  world.api.remove(pods, { namespace: "a", name: "one" });
  await world.settle();
  assert.deepEqual(namesOf(world.api.all(persistentVolumeClaims)), []);
});

test("a claim or volume without the finalizer gets it", async () => {
  await using world = createWorld();
  world.api.put(persistentVolumeClaims, { metadata: { namespace: "a", name: "c" }, spec: {} });
  world.api.put(persistentVolumes, { metadata: { name: "v" }, spec: {} });
  world.run(claimProtectionController(world.context));
  world.run(volumeProtectionController(world.context));
  await world.settle();
  assert.deepEqual(world.api.peek(persistentVolumeClaims, { namespace: "a", name: "c" })?.metadata.finalizers, [
    "kubernetes.io/pvc-protection",
  ]);
  assert.deepEqual(world.api.peek(persistentVolumes, { name: "v" })?.metadata.finalizers, ["kubernetes.io/pv-protection"]);
});

test("a deleted volume stays while it is bound", async () => {
  await using world = createWorld();
  const volume = { metadata: { name: "v", finalizers: ["kubernetes.io/pv-protection"] }, spec: {} };
  world.api.put(persistentVolumes, { ...volume, status: { phase: "Bound" } });
  world.run(volumeProtectionController(world.context));
  await world.client.delete(persistentVolumes, { name: "v" });
  await world.settle();
  const held = world.api.peek(persistentVolumes, { name: "v" });
  assert.ok(held?.metadata.deletionTimestamp !== undefined);
  world.api.put(persistentVolumes, { ...held, status: { phase: "Released" } });
  await world.settle();
  assert.equal(world.api.peek(persistentVolumes, { name: "v" }), undefined);
});
