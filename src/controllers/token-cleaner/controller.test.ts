import assert from "node:assert/strict";
import { test } from "node:test";
import { secrets } from "#api";
import { createWorld, namesOf } from "../testing/world.ts";
import { tokenCleanerController } from "./controller.ts";

test("bootstrap tokens go when their time is over, those without an end stay, and one that cannot be read goes at once", async () => {
  await using world = createWorld();
  for (const [name, expiration] of [
    ["later", "2026-01-01T01:00:00Z"],
    ["never", undefined],
    ["over", "2025-12-31T00:00:00Z"],
    ["unreadable", "soon"],
  ] as const)
    world.api.put(secrets, {
      metadata: { namespace: "kube-system", name },
      type: "bootstrap.kubernetes.io/token",
      data: expiration === undefined ? {} : { expiration: Buffer.from(expiration).toString("base64") },
    });
  world.run(tokenCleanerController(world.context));
  await world.settle();
  assert.deepEqual(namesOf(world.api.all(secrets)), ["later", "never"]);
  await world.pass(3_601_000);
  assert.deepEqual(namesOf(world.api.all(secrets)), ["never"]);
});
