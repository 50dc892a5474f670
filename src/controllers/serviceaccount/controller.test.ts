import assert from "node:assert/strict";
import { test } from "node:test";
import { namespaces, serviceAccounts } from "#api";
import { createWorld } from "../testing/world.ts";
import { serviceAccountController } from "./controller.ts";

test("every active namespace has its default ServiceAccount, and gets it again when it is deleted", async () => {
  await using world = createWorld();
  world.api.put(namespaces, { metadata: { name: "one" }, spec: {} });
  world.api.put(namespaces, {
    metadata: { name: "dying", deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: ["x"] },
    spec: {},
  });
  world.run(serviceAccountController(world.context));
  await world.settle();
  const present = (): string[] => world.api.all(serviceAccounts).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  assert.deepEqual(present(), ["one/default"]);
  world.api.put(serviceAccounts, { metadata: { namespace: "one", name: "mine" } });
  world.api.remove(serviceAccounts, { namespace: "one", name: "default" });
  await world.settle();
  assert.deepEqual(present(), ["one/mine", "one/default"]);
});
