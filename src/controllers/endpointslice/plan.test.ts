import assert from "node:assert/strict";
import { test } from "node:test";
import type { EndpointSlice, Pod, Service, ServiceSpec, Stored } from "#api";
import { planSlices, type SliceFacts } from "./plan.ts";

const service = (spec: Partial<ServiceSpec> = {}): Stored<Service> => ({
  metadata: {
    namespace: "shop",
    name: "web",
    uid: "s",
    resourceVersion: "1",
    creationTimestamp: "2026-01-01T00:00:00Z",
    labels: { team: "a" },
  },
  spec: {
    selector: { app: "web" },
    ports: [{ name: "http", port: 80, targetPort: "web" }],
    ipFamilies: ["IPv4"],
    clusterIP: "10.0.0.1",
    ...spec,
  },
});

interface Given {
  readonly ready?: boolean;
  readonly ips?: readonly string[];
  readonly terminating?: boolean;
  readonly phase?: string;
  readonly app?: string;
  readonly port?: number;
  readonly hostname?: string;
}

const pod = (name: string, given: Given = {}): Stored<Pod> => {
  const ips = given.ips ?? [`10.1.0.${Number(name.slice(1)) + 1}`];
  return {
    metadata: {
      namespace: "shop",
      name,
      uid: `uid-${name}`,
      resourceVersion: "1",
      creationTimestamp: "2026-01-01T00:00:00Z",
      labels: { app: given.app ?? "web" },
      ...(given.terminating === true ? { deletionTimestamp: "2026-01-01T00:00:05Z" } : {}),
    },
    spec: {
      nodeName: "n1",
      ...(given.hostname === undefined ? {} : { hostname: given.hostname, subdomain: "web" }),
      containers: [{ name: "c", image: "i", ports: [{ name: "web", containerPort: given.port ?? 8080 }] }],
    },
    status: {
      phase: given.phase ?? "Running",
      podIP: ips[0],
      podIPs: ips.map((ip) => ({ ip })),
      conditions: [
        { type: "Ready", status: given.ready === false ? "False" : "True", lastTransitionTime: "2026-01-01T00:01:00Z" },
      ],
    },
  };
};

const plan = (facts: Partial<SliceFacts>) =>
  planSlices({
    service: service(),
    pods: [],
    slices: [],
    node: () => ({ spec: {}, metadata: { labels: { "topology.kubernetes.io/zone": "z1" } } }),
    ...facts,
  });

const stored = (slice: EndpointSlice, name: string): Stored<EndpointSlice> => ({
  ...slice,
  metadata: { ...slice.metadata, name, uid: name, resourceVersion: "1", creationTimestamp: "2026-01-01T00:00:00Z" },
});

const addresses = (slice: EndpointSlice | undefined): string[] =>
  (slice?.endpoints ?? []).flatMap((endpoint) => endpoint.addresses);

test("a ready pod is an endpoint with its address, node, zone, reference and the port under its target name", () => {
  const { create } = plan({ pods: [pod("p0")] });
  assert.equal(create.length, 1);
  const [slice] = create;
  assert.deepEqual(slice?.endpoints, [
    {
      addresses: ["10.1.0.1"],
      conditions: { ready: true, serving: true, terminating: false },
      targetRef: { kind: "Pod", namespace: "shop", name: "p0", uid: "uid-p0" },
      nodeName: "n1",
      zone: "z1",
    },
  ]);
  assert.deepEqual(slice?.ports, [{ name: "http", port: 8080, protocol: "TCP" }]);
  assert.deepEqual(slice?.metadata, {
    namespace: "shop",
    generateName: "web-",
    labels: {
      team: "a",
      "kubernetes.io/service-name": "web",
      "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    },
    annotations: { "endpoints.kubernetes.io/last-change-trigger-time": "2026-01-01T00:01:00Z" },
    ownerReferences: [{ apiVersion: "v1", kind: "Service", name: "web", uid: "s", controller: true, blockOwnerDeletion: true }],
  });
});

const conditions: readonly {
  readonly name: string;
  readonly given: Given;
  readonly spec?: Partial<ServiceSpec>;
  readonly want: object | undefined;
}[] = [
  {
    name: "a pod that is not ready is listed, not ready",
    given: { ready: false },
    want: { ready: false, serving: false, terminating: false },
  },
  {
    name: "a terminating pod still serves but is not ready",
    given: { terminating: true },
    want: { ready: false, serving: true, terminating: true },
  },
  {
    name: "publishNotReadyAddresses makes everything ready",
    given: { ready: false },
    spec: { publishNotReadyAddresses: true },
    want: { ready: true, serving: false, terminating: false },
  },
  { name: "a finished pod is not listed", given: { phase: "Succeeded" }, want: undefined },
  { name: "a pod without an address is not listed", given: { ips: [] }, want: undefined },
  { name: "a pod of another label is not listed", given: { app: "db" }, want: undefined },
];

for (const { name, given, spec, want } of conditions)
  test(name, () => {
    const { create } = plan({ service: service(spec), pods: [pod("p0", given)] });
    assert.deepEqual(
      create.flatMap((slice) => slice.endpoints ?? []).map((endpoint) => endpoint.conditions),
      want === undefined ? [] : [want],
    );
  });

test("a service without pods has one empty slice per family", () => {
  const { create } = plan({ service: service({ ipFamilies: ["IPv4", "IPv6"] }) });
  assert.deepEqual(
    create.map(({ addressType, endpoints, ports }) => ({ addressType, endpoints, ports })),
    [
      { addressType: "IPv4", endpoints: [], ports: [] },
      { addressType: "IPv6", endpoints: [], ports: [] },
    ],
  );
  assert.deepEqual(plan({ slices: [stored(create[0] as EndpointSlice, "a")] }), { create: [], update: [], remove: [] });
});

test("the first endpoints go into the empty slice instead of a new one", () => {
  const empty = stored(plan({}).create[0] as EndpointSlice, "a");
  const result = plan({ pods: [pod("p0")], slices: [empty] });
  assert.deepEqual(
    [result.create.length, result.remove.length, result.update.map(({ metadata }) => metadata.name)],
    [0, 0, ["a"]],
  );
});

test("both families of a dual-stack service have slices of their own", () => {
  const { create } = plan({
    service: service({ ipFamilies: ["IPv4", "IPv6"] }),
    pods: [pod("p0", { ips: ["10.1.0.1", "fd00::1"] })],
  });
  assert.deepEqual(
    create.map((slice) => [slice.addressType, addresses(slice)]),
    [
      ["IPv4", ["10.1.0.1"]],
      ["IPv6", ["fd00::1"]],
    ],
  );
});

test("pods whose named port differs go into different slices", () => {
  const { create } = plan({ pods: [pod("p0"), pod("p1", { port: 9090 })] });
  assert.deepEqual(
    create.map((slice) => [slice.ports?.[0]?.port, addresses(slice)]),
    [
      [8080, ["10.1.0.1"]],
      [9090, ["10.1.0.2"]],
    ],
  );
});

test("a headless service carries the headless label and hostnames, and may have no ports", () => {
  const { create } = plan({
    service: service({ clusterIP: "None", ports: undefined }),
    pods: [pod("p0", { hostname: "web-0" })],
  });
  assert.equal(create[0]?.metadata.labels?.["service.kubernetes.io/headless"], "");
  assert.deepEqual([create[0]?.endpoints?.[0]?.hostname, create[0]?.ports], ["web-0", []]);
});

test("a change of one endpoint touches only its slice, and no change touches none", () => {
  const pods = Array.from({ length: 250 }, (_, i) => pod(`p${i}`, { ips: [`10.1.${i >> 8}.${i & 255}`] }));
  const slices = plan({ pods }).create.map((slice, i) => stored(slice, `s${i}`));
  assert.deepEqual(
    slices.map((slice) => slice.endpoints?.length),
    [100, 100, 50],
  );
  assert.deepEqual(plan({ pods, slices }), { create: [], update: [], remove: [] });
  const changed = pods.map((one, i) => (i === 150 ? pod("p150", { ips: ["10.1.0.150"], ready: false }) : one));
  const { create, update, remove } = plan({ pods: changed, slices });
  assert.deepEqual([create.length, update.map(({ metadata }) => metadata.name), remove.length], [0, ["s1"], 0]);
});

test("trafficDistribution gives zone hints when every endpoint has a zone, and none otherwise", () => {
  const hints = (node: SliceFacts["node"]) =>
    plan({ service: service({ trafficDistribution: "PreferClose" }), pods: [pod("p0")], node }).create[0]?.endpoints?.[0]?.hints;
  assert.deepEqual(
    hints(() => ({ spec: {}, metadata: { labels: { "topology.kubernetes.io/zone": "z1" } } })),
    { forZones: [{ name: "z1" }] },
  );
  assert.equal(
    hints(() => undefined),
    undefined,
  );
});
