import assert from "node:assert/strict";
import { test } from "node:test";
import { configMaps, namespaces } from "#api";
import { createWorld } from "../testing/world.ts";
import { rootCaController } from "./controller.ts";

test("kube-root-ca.crt is published in every namespace and put right when somebody changes or deletes it", async () => {
  await using world = createWorld();
  world.api.put(namespaces, { metadata: { name: "one" }, spec: {} });
  world.run(rootCaController(world.context, "PEM"));
  await world.settle();
  const at = { namespace: "one", name: "kube-root-ca.crt" };
  assert.deepEqual(world.api.peek(configMaps, at)?.data, { "ca.crt": "PEM" });
  assert.match(
    world.api.peek(configMaps, at)?.metadata.annotations?.["kubernetes.io/description"] ?? "",
    /^Contains a CA bundle/,
  );
  world.api.put(configMaps, { metadata: at, data: { "ca.crt": "forged", more: "x" } });
  await world.settle();
  assert.deepEqual(world.api.peek(configMaps, at)?.data, { "ca.crt": "PEM" });
  world.api.remove(configMaps, at);
  await world.settle();
  assert.deepEqual(world.api.peek(configMaps, at)?.data, { "ca.crt": "PEM" });
});
