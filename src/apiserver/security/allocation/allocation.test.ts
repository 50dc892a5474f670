// Cluster IPs and node ports: unique whatever comes at once, given back when not needed, upstream's texts.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type IPAddress, ipAddresses, type Service, type ServiceSpec, services } from "#api";
import { addressAt, addressText, contains, parseAddress, parseRange, seededRandom } from "#base";
import { FakeObjects } from "../testing/objects.ts";
import { ServiceAllocator } from "./services.ts";

function world(ranges: readonly string[] = ["10.96.0.0/24"], nodePorts: readonly [number, number] = [30000, 30009]) {
  const objects = new FakeObjects();
  const allocator = new ServiceAllocator({ reader: objects, writer: objects, random: seededRandom(1), ranges, nodePorts });
  const named = (name: string, spec: object): Service => ({
    metadata: { namespace: "ns", name },
    spec: { type: "ClusterIP", ports: [{ port: 80, protocol: "TCP" }], ...spec } as ServiceSpec,
  });
  const save = async (name: string, spec: object): Promise<ServiceSpec> => {
    const old = objects.get<Service>(services, { namespace: "ns", name });
    const allocation = await allocator.allocate(named(name, spec), old, false);
    objects.put(services, allocation.object as Service);
    await allocation.commit();
    return (allocation.object as Service).spec as ServiceSpec;
  };
  const addresses = (): string[] =>
    objects
      .list<IPAddress>(ipAddresses)
      .map((each) => each.metadata.name)
      .sort();
  return { objects, allocator, named, save, addresses };
}

test("concurrent services never share an address or a port", async () => {
  const { save } = world(["10.96.0.0/24"], [30000, 30199]);
  const specs = await Promise.all(Array.from({ length: 150 }, (_, index) => save(`s${index}`, { type: "NodePort" })));
  assert.equal(new Set(specs.map((spec) => spec.clusterIP)).size, 150);
  assert.equal(new Set(specs.flatMap((spec) => spec.ports?.map((port) => port.nodePort))).size, 150);
});

test("an address is given back with its service, and refused while it is used", async () => {
  const { save, allocator, objects, addresses, named } = world();
  const spec = await save("a", { clusterIP: "10.96.0.77", clusterIPs: ["10.96.0.77"] });
  assert.deepEqual(spec.clusterIPs, ["10.96.0.77"]);
  assert.deepEqual(addresses(), ["10.96.0.77"]);
  await assert.rejects(save("b", { clusterIP: "10.96.0.77" }), {
    message:
      'Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.77"]: failed to allocate IP 10.96.0.77: provided IP is already allocated',
  });
  await objects.remove(services, { namespace: "ns", name: "a" });
  await allocator.released(named("a", { ...spec }));
  assert.deepEqual(addresses(), []);
  assert.equal((await save("b", { clusterIP: "10.96.0.77" })).clusterIP, "10.96.0.77");
});

test("a failed write and a dry run leave nothing behind", async () => {
  const { allocator, named, addresses, save } = world(["10.96.0.0/30"], [30000, 30000]);
  for (const dryRun of [true, false]) {
    const allocation = await allocator.allocate(named("a", { type: "NodePort" }), undefined, dryRun);
    await allocation.release();
    assert.deepEqual(addresses(), []);
  }
  await assert.rejects(save("a", { type: "NodePort", ports: [{ port: 80, nodePort: 1 }] }), {
    message:
      'Service "a" is invalid: spec.ports[0].nodePort: Invalid value: 1: provided port is not in the valid range. The range of valid ports is 30000-30000',
  });
  assert.deepEqual(addresses(), [], "the address taken before the port failed");
  await save("a", { type: "NodePort" });
});

test("a dry run does not look for an address: it answers the network's own", async () => {
  const { allocator, named } = world(["10.96.0.0/24"]);
  for (const name of ["a", "b"]) {
    const { object } = await allocator.allocate(named(name, {}), undefined, true);
    assert.equal((object as Service).spec?.clusterIP, "10.96.0.0");
  }
});

test("full ranges say so", async () => {
  const { save } = world(["10.96.0.0/30"], [30000, 30000]);
  await save("a", { type: "NodePort" });
  await assert.rejects(save("b", { type: "NodePort" }), {
    message: "Internal error occurred: failed to allocate a nodePort: range is full",
  });
  await save("b", {});
  await assert.rejects(save("c", {}), { message: "Internal error occurred: failed to allocate a serviceIP: range is full" });
});

test("an update keeps addresses and ports that the client left out, and takes only what is new", async () => {
  const { save } = world();
  const before = await save("a", { type: "NodePort", ports: [{ name: "x", port: 80, protocol: "TCP" }] });
  const after = await save("a", {
    type: "NodePort",
    ports: [
      { name: "x", port: 80, protocol: "TCP" },
      { name: "y", port: 81, protocol: "TCP" },
    ],
  });
  assert.equal(after.clusterIP, before.clusterIP);
  assert.equal(after.ports?.[0]?.nodePort, before.ports?.[0]?.nodePort);
  assert.notEqual(after.ports?.[1]?.nodePort, before.ports?.[0]?.nodePort);
});

test("a service that becomes ExternalName gives its address and ports back", async () => {
  const { save, addresses } = world(["10.96.0.0/24"], [30000, 30000]);
  await save("a", { type: "NodePort" });
  await save("a", { type: "ExternalName", externalName: "x", ports: [] });
  assert.deepEqual(addresses(), []);
  await save("b", { type: "NodePort" });
});

test("one node port serves TCP and UDP of the same port", async () => {
  const { save } = world();
  const spec = await save("a", {
    type: "NodePort",
    ports: [
      { name: "t", port: 53, protocol: "TCP" },
      { name: "u", port: 53, protocol: "UDP" },
    ],
  });
  assert.equal(spec.ports?.[0]?.nodePort, spec.ports?.[1]?.nodePort);
});

test("a load balancer with local traffic has a health check port, one without node ports has none", async () => {
  const { save } = world();
  const local = await save("a", { type: "LoadBalancer", externalTrafficPolicy: "Local" });
  assert.ok((local.healthCheckNodePort ?? 0) >= 30000);
  const without = await save("b", { type: "LoadBalancer", allocateLoadBalancerNodePorts: false });
  assert.equal(without.ports?.[0]?.nodePort, undefined);
});

const families: readonly {
  readonly name: string;
  readonly ranges?: readonly string[];
  readonly spec: object;
  readonly expected: object | string;
}[] = [
  { name: "single stack by default", spec: {}, expected: { ipFamilyPolicy: "SingleStack", ipFamilies: ["IPv4"] } },
  {
    name: "prefers dual stack where there is one family",
    spec: { ipFamilyPolicy: "PreferDualStack" },
    expected: { ipFamilyPolicy: "PreferDualStack", ipFamilies: ["IPv4"] },
  },
  {
    name: "dual stack where both are there",
    ranges: ["10.96.0.0/24", "fd00::/112"],
    spec: { ipFamilyPolicy: "PreferDualStack" },
    expected: { ipFamilies: ["IPv4", "IPv6"] },
  },
  {
    name: "IPv6 when asked",
    ranges: ["10.96.0.0/24", "fd00::/112"],
    spec: { ipFamilies: ["IPv6"] },
    expected: { ipFamilyPolicy: "SingleStack", ipFamilies: ["IPv6"] },
  },
  {
    name: "headless without selector is anybody's",
    spec: { clusterIP: "None" },
    expected: { clusterIPs: ["None"], ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv4", "IPv6"] },
  },
  {
    name: "headless with selector is the cluster's",
    spec: { clusterIP: "None", selector: { a: "b" } },
    expected: { ipFamilyPolicy: "SingleStack", ipFamilies: ["IPv4"] },
  },
  {
    name: "refuses a family that is not there",
    spec: { ipFamilies: ["IPv6"] },
    expected: 'Service "a" is invalid: spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
  },
  {
    name: "refuses dual stack on one family",
    spec: { ipFamilyPolicy: "RequireDualStack" },
    expected:
      'Service "a" is invalid: spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
  },
  {
    name: "refuses two families as single stack",
    ranges: ["10.96.0.0/24", "fd00::/112"],
    spec: { ipFamilies: ["IPv4", "IPv6"] },
    expected:
      "Service \"a\" is invalid: spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
  },
];
for (const { name, ranges, spec, expected } of families) {
  test(`IP families: ${name}`, async () => {
    const { save } = world(ranges);
    if (typeof expected === "string") await assert.rejects(save("a", spec), { message: expected });
    else assert.partialDeepStrictEqual(await save("a", spec), expected);
  });
}

test("repair() makes addresses and services agree after a crash", async () => {
  const { objects, allocator, save, addresses } = world();
  const { clusterIP = "" } = await save("a", {});
  await objects.remove(ipAddresses, { name: clusterIP });
  const allocation = await allocator.allocate(
    { metadata: { namespace: "ns", name: "lost" }, spec: { type: "ClusterIP" } } as Service,
    undefined,
    false,
  );
  assert.equal(addresses().length, 1);
  assert.notDeepEqual(addresses(), [clusterIP]);
  await allocator.repair();
  assert.deepEqual(addresses(), [clusterIP]);
  await allocation.release();
});

test("a static address outside of the range is refused", async () => {
  const { save } = world();
  for (const clusterIP of ["10.97.0.1", "10.96.0.0", "10.96.0.255"]) {
    await assert.rejects(save("a", { clusterIP }), {
      message: `Service "a" is invalid: spec.clusterIPs: Invalid value: ["${clusterIP}"]: failed to allocate IP ${clusterIP}: the provided network does not match the current range`,
    });
  }
});

test("addresses survive text and back", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), fc.integer({ min: 0, max: 128 }), (value, bits) => {
      const text = addressText({ family: 6, value });
      assert.deepEqual(parseAddress(text), { family: 6, value }, text);
      const range = parseRange(`${text}/${bits}`);
      assert.ok(range !== undefined && contains(range, { family: 6, value }));
      assert.ok(contains(range, addressAt(range, range.size - 1n)) && !contains(range, addressAt(range, range.size)));
    }),
  );
  for (const [text, canonical] of [
    ["::", "::"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["::ffff:1.2.3.4", "::ffff:102:304"],
    ["FE80::1", "fe80::1"],
  ] as const) {
    assert.equal(addressText(parseAddress(text) ?? { family: 4, value: 0n }), canonical);
  }
  for (const wrong of [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "256.1.1.1",
    ":::",
    "1::2::3",
    "12345::",
    "1:2:3:4:5:6:7:8:9",
    "::g",
  ])
    assert.equal(parseAddress(wrong), undefined, wrong);
});
