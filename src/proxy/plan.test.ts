// Every feature of a service, as the elements and chains that it becomes.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { EndpointSlice, Service } from "#api";
import type { ServiceRules } from "./model.ts";
import { planService } from "./plan.ts";
import { endpoint, node, service, slice } from "./testing/objects.ts";

const plan = (object: Service, slices: readonly EndpointSlice[], view = node): ServiceRules => {
  const rules = planService(object, slices, view);
  assert.ok(rules !== undefined, "the service is ours");
  return rules;
};
/** "map: key -> value" of all elements but cluster-ips and hairpin-connections. */
const elements = (rules: ServiceRules): string[] =>
  [...rules.items.values()]
    .filter((item) => item.kind === "element" && item.name !== "cluster-ips" && item.name !== "hairpin-connections")
    .map(({ name, key, value }) => (value === "" ? `${name}: ${key}` : `${name}: ${key} -> ${value}`));
const chain = (rules: ServiceRules, name: string): string[] | undefined => rules.items.get(`chain ${name} `)?.value.split("\n");
const web = (spec: Partial<Service["spec"]> = {}, status?: Service["status"]): Service =>
  service("web", { clusterIP: "10.96.0.10", ...spec }, status);

test("a cluster IP goes to a chain for as many slots as there are endpoints, one element each", () => {
  const rules = plan(web(), [slice("web", [endpoint(1), endpoint(2, 2)])]);
  assert.deepEqual(elements(rules), [
    "service-ips: 10.96.0.10 . tcp . 80 -> goto cluster-ip-tcp-2",
    "service-endpoints-tcp: 10.96.0.10 . 80 . 0 -> 10.244.1.1 . 8080",
    "service-endpoints-tcp: 10.96.0.10 . 80 . 1 -> 10.244.2.2 . 8080",
  ]);
  assert.deepEqual(chain(rules, "cluster-ip-tcp-2"), [
    "ip saddr != { 10.244.0.0/16 } jump mark-for-masquerade",
    "dnat ip to ip daddr . tcp dport . numgen random mod 2 map @service-endpoints-tcp",
  ]);
});

test("without a cluster range nothing is told apart by its source", () => {
  const rules = plan(web({ externalTrafficPolicy: "Local", externalIPs: ["192.0.2.9"] }), [slice("web", [endpoint(1)])], {
    ...node,
    clusterCidrs: [],
  });
  assert.equal(chain(rules, "cluster-ip-tcp-1")?.length, 1);
  assert.ok(!chain(rules, "external-ip-tcp-1-local-1")?.some((rule) => rule.startsWith("ip saddr")));
});

test("only endpoints on this node hairpin", () => {
  const rules = plan(web(), [slice("web", [endpoint(1), endpoint(2, 2)])]);
  assert.deepEqual(
    [...rules.items.values()].filter((item) => item.name === "hairpin-connections").map((item) => item.key),
    ["10.244.1.1 . 10.244.1.1"],
  );
});

for (const [what, object] of [
  ["a headless service", web({ clusterIP: "None", clusterIPs: ["None"] })],
  ["an ExternalName service", web({ type: "ExternalName", externalName: "db.example.com" })],
  ["a service whose cluster IP is not allocated", web({ clusterIP: "" })],
  ["a service with an IPv6 address only", web({ clusterIP: "fd00::1", clusterIPs: ["fd00::1"] })],
  [
    "a service labelled for another proxy",
    { ...web(), metadata: { name: "web", namespace: "default", labels: { "service.kubernetes.io/service-proxy-name": "" } } },
  ],
] as const) {
  test(`${what} has no rules`, () => assert.equal(planService(object, [slice("web", [endpoint(1)])], node), undefined));
}

test("a service of both families is served at its IPv4 address", () => {
  const rules = plan(web({ clusterIP: "fd00::1", clusterIPs: ["fd00::1", "10.96.0.10"] }), [slice("web", [endpoint(1)])]);
  assert.match(elements(rules)[0] ?? "", /^service-ips: 10\.96\.0\.10/);
});

test("endpoints come from all slices of the family that are not another proxy's, each once, by their first address", () => {
  const slices = [
    slice("web", [endpoint(2), { addresses: ["10.244.1.3", "10.244.1.4"] }]),
    slice("web", [endpoint(1), endpoint(2, 1, { ready: false })]),
    slice("web", [{ addresses: ["fd00::5"] }], { addressType: "IPv6" }),
    slice("web", [endpoint(6)], { metadata: { labels: { "service.kubernetes.io/service-proxy-name": "other" } } }),
    slice("web", [endpoint(7)], { ports: [{ name: "metrics", port: 9090 }] }),
    slice("web", [endpoint(8)], { ports: [{ name: "", port: 53, protocol: "UDP" }] }),
    slice("web", [{ addresses: ["10.244.1.9; flush ruleset"] }]),
  ];
  assert.deepEqual([...plan(web(), slices).slots.values()], [["10.244.1.1 . 8080", "10.244.1.2 . 8080", "10.244.1.3 . 8080"]]);
});

test("named ports go to the slice's port of that name, whatever its number on each endpoint", () => {
  const rules = plan(web({ ports: [{ name: "http", port: 80, targetPort: "web" }] }), [
    slice("web", [endpoint(1)], { ports: [{ name: "http", port: 8080 }] }),
    slice("web", [endpoint(2)], { ports: [{ name: "http", port: 9090 }] }),
  ]);
  assert.deepEqual([...rules.slots.values()], [["10.244.1.1 . 8080", "10.244.1.2 . 9090"]]);
});

const going = { ready: false, serving: true, terminating: true };
for (const [what, endpoints, expected] of [
  [
    "ready ones only, while there are some",
    [endpoint(1), endpoint(2, 1, going), endpoint(3, 1, { ready: false })],
    ["10.244.1.1 . 8080"],
  ],
  [
    "those that terminate but serve, when none is ready",
    [
      endpoint(2, 1, going),
      endpoint(3, 1, { ready: false, serving: true }),
      endpoint(4, 1, { ready: false, serving: false, terminating: true }),
    ],
    ["10.244.1.2 . 8080"],
  ],
  ["those of which nothing is said", [{ addresses: ["10.244.1.5"] }], ["10.244.1.5 . 8080"]],
  [
    "those for this node before those for its zone",
    [
      { ...endpoint(1, 2), hints: { forNodes: [{ name: "n2" }], forZones: [{ name: "east" }] } },
      { ...endpoint(2), hints: { forNodes: [{ name: "n1" }], forZones: [{ name: "east" }] } },
    ],
    ["10.244.1.2 . 8080"],
  ],
  [
    "those for the zone",
    [
      { ...endpoint(1, 2), hints: { forZones: [{ name: "west" }] } },
      { ...endpoint(2, 3), hints: { forZones: [{ name: "east" }] } },
    ],
    ["10.244.3.2 . 8080"],
  ],
  [
    "all, when one has no hint",
    [{ ...endpoint(1, 2), hints: { forZones: [{ name: "west" }] } }, endpoint(2, 3)],
    ["10.244.2.1 . 8080", "10.244.3.2 . 8080"],
  ],
  ["all, when the zone has none", [{ ...endpoint(1, 2), hints: { forZones: [{ name: "west" }] } }], ["10.244.2.1 . 8080"]],
] as const) {
  test(`endpoints that serve: ${what}`, () => {
    assert.deepEqual(plan(web(), [slice("web", endpoints)], { ...node, zone: "east" }).slots.get("/tcp"), expected);
  });
}

test("a service without endpoints is refused at each of its addresses", () => {
  const rules = plan(
    web(
      { type: "LoadBalancer", externalIPs: ["198.51.100.1"], ports: [{ port: 80, nodePort: 30080 }] },
      { loadBalancer: { ingress: [{ ip: "198.51.100.2" }] } },
    ),
    [],
  );
  assert.deepEqual(elements(rules), [
    "no-endpoint-services: 10.96.0.10 . tcp . 80 -> goto reject-it",
    "no-endpoint-services: 198.51.100.1 . tcp . 80 -> goto reject-it",
    "no-endpoint-services: 198.51.100.2 . tcp . 80 -> goto reject-it",
    "no-endpoint-nodeports: tcp . 30080 -> goto reject-it",
  ]);
});

test("node ports, external IPs and load-balancer IPs lead to the same endpoints, masqueraded", () => {
  const rules = plan(
    web(
      { type: "LoadBalancer", externalIPs: ["198.51.100.1", "fd00::9"], ports: [{ port: 80, nodePort: 30080 }] },
      {
        loadBalancer: {
          ingress: [{ ip: "198.51.100.2" }, { ip: "198.51.100.3", ipMode: "Proxy" }, { hostname: "lb.example.com" }],
        },
      },
    ),
    [slice("web", [endpoint(1)])],
  );
  assert.deepEqual(
    elements(rules).filter((text) => !text.includes("-endpoints-")),
    [
      "service-ips: 10.96.0.10 . tcp . 80 -> goto cluster-ip-tcp-1",
      "service-ips: 198.51.100.1 . tcp . 80 -> goto external-ip-tcp-1",
      "service-ips: 198.51.100.2 . tcp . 80 -> goto external-ip-tcp-1",
      "service-nodeports: tcp . 30080 -> goto node-port-tcp-1",
    ],
  );
  assert.equal(chain(rules, "external-ip-tcp-1")?.[0], "jump mark-for-masquerade");
  assert.equal(chain(rules, "node-port-tcp-1")?.[1], "dnat ip to tcp dport . numgen random mod 1 map @nodeport-endpoints-tcp");
});

test("a node port of a service that is no longer of that type does not answer", () => {
  assert.ok(
    !elements(plan(web({ type: "ClusterIP", ports: [{ port: 80, nodePort: 30080 }] }), [slice("web", [endpoint(1)])])).some(
      (text) => text.includes("30080"),
    ),
  );
});

test("externalTrafficPolicy Local: traffic from elsewhere to endpoints of this node, from pods and the node to all", () => {
  const rules = plan(web({ type: "NodePort", externalTrafficPolicy: "Local", ports: [{ port: 80, nodePort: 30080 }] }), [
    slice("web", [endpoint(1), endpoint(2, 2)]),
  ]);
  assert.deepEqual(
    elements(rules).filter((text) => text.startsWith("nodeport") || text.startsWith("service-nodeports")),
    [
      "service-nodeports: tcp . 30080 -> goto node-port-tcp-2-local-1",
      "nodeport-endpoints-tcp: 30080 . 0 -> 10.244.1.1 . 8080",
      "nodeport-endpoints-tcp: 30080 . 1 -> 10.244.2.2 . 8080",
      "nodeport-local-endpoints-tcp: 30080 . 0 -> 10.244.1.1 . 8080",
    ],
  );
  assert.match(elements(rules)[0] ?? "", /goto cluster-ip-tcp-2$/);
});

test("externalTrafficPolicy Local without an endpoint here drops what comes from elsewhere", () => {
  const rules = plan(web({ type: "NodePort", externalTrafficPolicy: "Local", ports: [{ port: 80, nodePort: 30080 }] }), [
    slice("web", [endpoint(2, 2)]),
  ]);
  assert.equal(chain(rules, "node-port-tcp-1-local-0")?.at(-1), "drop");
});

test("internalTrafficPolicy Local: only endpoints of this node, dropped where there is none, refused where there is none anywhere", () => {
  const local = web({ internalTrafficPolicy: "Local" });
  assert.deepEqual(elements(plan(local, [slice("web", [endpoint(1), endpoint(2, 2)])])), [
    "service-ips: 10.96.0.10 . tcp . 80 -> goto cluster-ip-tcp-1",
    "service-endpoints-tcp: 10.96.0.10 . 80 . 0 -> 10.244.1.1 . 8080",
  ]);
  assert.deepEqual(elements(plan(local, [slice("web", [endpoint(2, 2)])])), [
    "no-endpoint-services: 10.96.0.10 . tcp . 80 -> drop",
  ]);
  assert.deepEqual(elements(plan(local, [])), ["no-endpoint-services: 10.96.0.10 . tcp . 80 -> goto reject-it"]);
});

test("session affinity: one set of clients per endpoint, shared by all addresses of the port", () => {
  const rules = plan(
    web({
      sessionAffinity: "ClientIP",
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
      externalIPs: ["198.51.100.1"],
    }),
    [slice("web", [endpoint(1), endpoint(2)])],
  );
  const [own = ""] = [...rules.items.values()]
    .filter((item) => item.kind === "chain" && item.name.startsWith("affinity-"))
    .map((item) => item.name);
  assert.deepEqual(elements(rules), [
    `service-ips: 10.96.0.10 . tcp . 80 -> goto cluster-ip-${own}`,
    `service-ips: 198.51.100.1 . tcp . 80 -> goto external-ip-${own}`,
  ]);
  assert.deepEqual(chain(rules, own), [
    `ip protocol tcp ip saddr @${own}-10.244.1.1-8080 update @${own}-10.244.1.1-8080 { ip saddr timeout 60s } dnat ip to 10.244.1.1:8080`,
    `ip protocol tcp ip saddr @${own}-10.244.1.2-8080 update @${own}-10.244.1.2-8080 { ip saddr timeout 60s } dnat ip to 10.244.1.2:8080`,
    `ip protocol tcp numgen random mod 2 == 0 update @${own}-10.244.1.1-8080 { ip saddr timeout 60s } dnat ip to 10.244.1.1:8080`,
    `ip protocol tcp update @${own}-10.244.1.2-8080 { ip saddr timeout 60s } dnat ip to 10.244.1.2:8080`,
  ]);
});

test("session affinity lasts three hours unless told", () => {
  const rules = plan(web({ sessionAffinity: "ClientIP" }), [slice("web", [endpoint(1)])]);
  assert.ok([...rules.items.values()].some((item) => item.value.includes("timeout 10800s")));
});

test("loadBalancerSourceRanges guard the load balancer's addresses only; nested ranges are one, other families none", () => {
  const spec = {
    type: "LoadBalancer",
    externalIPs: ["198.51.100.1"],
    loadBalancerSourceRanges: ["10.1.2.3/8", "10.4.0.0/16", "fd00::/8", " 203.0.113.0/24 "],
  };
  const status = { loadBalancer: { ingress: [{ ip: "198.51.100.2" }] } };
  assert.deepEqual(
    elements(plan(web(spec, status), [])).filter((text) => text.startsWith("firewall")),
    [
      "firewall-ips: 198.51.100.2 . tcp . 80",
      "firewall-sources: 198.51.100.2 . tcp . 80 . 10.0.0.0/8",
      "firewall-sources: 198.51.100.2 . tcp . 80 . 203.0.113.0/24",
    ],
  );
  assert.ok(
    !elements(plan(web({ ...spec, loadBalancerSourceRanges: ["10.0.0.0/8", "0.0.0.0/0"] }, status), [])).some((text) =>
      text.startsWith("firewall"),
    ),
    "open to all",
  );
  assert.ok(
    elements(plan(web({ ...spec, loadBalancerSourceRanges: ["192.0.2.0/24"] }, status), [])).includes(
      "firewall-sources: 198.51.100.2 . tcp . 80 . 198.51.100.2/32",
    ),
    "the node is in it, and may speak as the load balancer",
  );
});

test("ports of one number and several protocols stand side by side; unknown protocols have no rules", () => {
  const ports = [
    { port: 53, name: "dns", protocol: "UDP" },
    { port: 53, name: "dns-tcp", protocol: "TCP" },
    { port: 53, name: "sctp", protocol: "SCTP" },
    { port: 53, name: "odd", protocol: "ICMP" },
  ];
  assert.deepEqual(
    elements(plan(web({ ports }), [])).map((text) => text.split(" ")[3]),
    ["udp", "tcp", "sctp"],
  );
});

test("an endpoint that joins takes the next slot, one that leaves is replaced by the last", () => {
  const first = plan(web(), [slice("web", [endpoint(1), endpoint(2), endpoint(3)])]);
  const joined = planService(web(), [slice("web", [endpoint(1), endpoint(2), endpoint(3), endpoint(0)])], node, first);
  assert.deepEqual(joined?.slots.get("/tcp"), [
    "10.244.1.1 . 8080",
    "10.244.1.2 . 8080",
    "10.244.1.3 . 8080",
    "10.244.1.0 . 8080",
  ]);
  const left = planService(web(), [slice("web", [endpoint(2), endpoint(3), endpoint(0)])], node, joined);
  assert.deepEqual(left?.slots.get("/tcp"), ["10.244.1.0 . 8080", "10.244.1.2 . 8080", "10.244.1.3 . 8080"]);
});
