// Which UDP flows are forgotten after which change.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Service } from "#api";
import { staleFlows } from "./conntrack.ts";
import type { ServiceRules } from "./model.ts";
import { planService } from "./plan.ts";
import { endpoint, node, service, slice } from "./testing/objects.ts";

const plan = (spec: Partial<Service["spec"]>, endpoints: number, protocol = "UDP"): ServiceRules | undefined =>
  planService(
    service("dns", { clusterIP: "10.96.0.10", ports: [{ port: 53, protocol, nodePort: 30053 }], ...spec }),
    [
      slice(
        "dns",
        Array.from({ length: endpoints }, (_, index) => endpoint(index + 1)),
        { ports: [{ name: "", port: 5353, protocol }] },
      ),
    ],
    node,
  );

for (const [what, before, after, expected] of [
  [
    "an endpoint that left, at each address",
    plan({ type: "NodePort" }, 2),
    plan({ type: "NodePort" }, 1),
    ["--orig-dst 10.96.0.10 --orig-port-dst 53 --dst-nat 10.244.1.2", "--orig-port-dst 30053 --dst-nat 10.244.1.2"],
  ],
  [
    "all endpoints of a service that is gone",
    plan({}, 2),
    undefined,
    [
      "--orig-dst 10.96.0.10 --orig-port-dst 53 --dst-nat 10.244.1.1",
      "--orig-dst 10.96.0.10 --orig-port-dst 53 --dst-nat 10.244.1.2",
    ],
  ],
  [
    "all endpoints at an address that is gone",
    plan({ externalIPs: ["198.51.100.1"] }, 1),
    plan({}, 1),
    ["--orig-dst 198.51.100.1 --orig-port-dst 53 --dst-nat 10.244.1.1"],
  ],
  ["all flows of a service that had no endpoint", plan({}, 0), plan({}, 1), ["--orig-dst 10.96.0.10 --orig-port-dst 53"]],
  ["nothing when endpoints join", plan({}, 1), plan({}, 3), []],
  ["nothing of TCP, which notices by itself", plan({}, 2, "TCP"), plan({}, 0, "TCP"), []],
] as const) {
  test(`staleFlows() names ${what}`, () => {
    assert.deepEqual(
      staleFlows(before?.flows, after?.flows).map((args) => args.join(" ")),
      expected.map((text) => `-D -f ipv4 -p udp ${text}`),
    );
  });
}
