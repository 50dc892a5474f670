import assert from "node:assert/strict";
import { test } from "node:test";
import { type Endpoints, endpointSlices, endpoints as endpointsType, services } from "#api";
import { createWorld, type World } from "../testing/world.ts";
import { endpointSliceMirroringController } from "./controller.ts";

const at = { namespace: "a", name: "db" };
const given = (ips: readonly string[], more: Partial<Endpoints["metadata"]> = {}): Endpoints => ({
  metadata: { ...at, ...more },
  subsets: [{ addresses: ips.map((ip) => ({ ip })), ports: [{ port: 5432 }] }],
});

async function start(endpoints: Endpoints, selector?: Record<string, string>): Promise<World> {
  const world = createWorld();
  world.api.put(services, { metadata: at, spec: { selector, ports: [{ port: 5432 }] } });
  world.api.put(endpointsType, endpoints);
  world.run(endpointSliceMirroringController(world.context));
  await world.settle();
  return world;
}

const addresses = (world: World): string[] =>
  world.api.all(endpointSlices).flatMap((slice) => (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses));

test("Endpoints of a service without a selector appear as slices of both families, follow changes and go with it", async () => {
  await using world = await start(given(["10.0.0.1", "fd00::1"]));
  assert.deepEqual(
    world.api.all(endpointSlices).map(({ addressType, ports, metadata }) => [addressType, ports, metadata.labels]),
    [
      [
        "IPv4",
        [{ name: "", protocol: "TCP", port: 5432 }],
        {
          "kubernetes.io/service-name": "db",
          "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
        },
      ],
      [
        "IPv6",
        [{ name: "", protocol: "TCP", port: 5432 }],
        {
          "kubernetes.io/service-name": "db",
          "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
        },
      ],
    ],
  );
  world.api.put(endpointsType, given(["10.0.0.2"]));
  await world.settle();
  assert.deepEqual(addresses(world), ["10.0.0.2"]);
  world.api.remove(endpointsType, at);
  await world.settle();
  assert.deepEqual(world.api.all(endpointSlices), []);
});

test("more than a hundred addresses fill several slices", async () => {
  await using world = await start(given(Array.from({ length: 250 }, (_, i) => `10.0.${i >> 7}.${i & 127}`)));
  assert.deepEqual(
    world.api.all(endpointSlices).map((slice) => slice.endpoints?.length),
    [100, 100, 50],
  );
});

for (const [name, endpoints, selector] of [
  ["of a service with a selector", given(["10.0.0.1"]), { app: "db" }],
  ["that ask not to be", given(["10.0.0.1"], { labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } }), undefined],
  ["that serve as a lock", given(["10.0.0.1"], { annotations: { "control-plane.alpha.kubernetes.io/leader": "{}" } }), undefined],
] as const)
  test(`Endpoints ${name} are not mirrored`, async () => {
    await using world = await start(endpoints, selector);
    assert.deepEqual(world.api.all(endpointSlices), []);
  });
