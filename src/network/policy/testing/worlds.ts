// For tests: clusters of every kind, small enough that their policies meet.
import fc from "fast-check";
import type { LabelSelector, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, Pod } from "#api";
import type { World } from "./model.ts";

const someSelector = (key: string, values: readonly string[]): fc.Arbitrary<LabelSelector> =>
  fc.oneof(
    fc.constant({}),
    fc.constantFrom(...values).map((value) => ({ matchLabels: { [key]: value } })),
    fc
      .record({ operator: fc.constantFrom("In", "NotIn"), values: fc.subarray([...values], { minLength: 1 }) })
      .map((expression) => ({ matchExpressions: [{ key, ...expression }] })),
    fc.constantFrom("Exists", "DoesNotExist").map((operator) => ({ matchExpressions: [{ key, operator }] })),
  );

const somePods = someSelector("app", ["web", "db"]);
const someNamespaces = someSelector("team", ["red", "blue"]);

const someBlock = fc
  .record({
    cidr: fc.constantFrom("0.0.0.0/0", "10.244.0.0/16", "10.244.1.0/24", "203.0.113.0/24", "2001:db8::/32"),
    except: fc.option(fc.subarray(["10.244.1.0/30", "10.244.2.0/24", "203.0.113.7/32"]), { nil: undefined }),
  })
  .map((ipBlock): NetworkPolicyPeer => ({ ipBlock }));

const somePeer: fc.Arbitrary<NetworkPolicyPeer> = fc.oneof(
  somePods.map((podSelector) => ({ podSelector })),
  someNamespaces.map((namespaceSelector) => ({ namespaceSelector })),
  fc.record({ podSelector: somePods, namespaceSelector: someNamespaces }),
  someBlock,
);

const somePort: fc.Arbitrary<NetworkPolicyPort> = fc.oneof(
  fc.record({ protocol: fc.constantFrom("TCP", "UDP", "SCTP") }),
  fc.record({
    protocol: fc.constantFrom("TCP", "UDP"),
    port: fc.constantFrom<number | string>(53, 80, 8080, "http", "dns", "none"),
  }),
  fc.record({ port: fc.constantFrom(50, 80), endPort: fc.constantFrom(100, 8080) }),
);

const some = <T>(arbitrary: fc.Arbitrary<T>, maxLength: number): fc.Arbitrary<T[] | undefined> =>
  fc.option(fc.array(arbitrary, { maxLength }), { nil: undefined, freq: 4 });

const someNamespace = fc.constantFrom("a", "b");

export const somePolicy = (name: string): fc.Arbitrary<NetworkPolicy> =>
  fc.record({
    metadata: someNamespace.map((namespace) => ({ name, namespace })),
    spec: fc.record(
      {
        podSelector: somePods,
        policyTypes: fc.constantFrom(["Ingress"], ["Egress"], ["Ingress", "Egress"]),
        ingress: fc.array(fc.record({ from: some(somePeer, 3), ports: some(somePort, 3) }), { maxLength: 2 }),
        egress: fc.array(fc.record({ to: some(somePeer, 3), ports: some(somePort, 3) }), { maxLength: 2 }),
      },
      { requiredKeys: [] },
    ),
  });

/** Each has an address of its own; hosts' are those of nodes. */
export const somePod = (index: number): fc.Arbitrary<Pod> =>
  fc
    .record({
      namespace: someNamespace,
      node: fc.constantFrom(1, 2),
      labels: fc.constantFrom<Record<string, string>>({}, { app: "web" }, { app: "db" }),
      http: fc.constantFrom(80, 8080),
      kind: fc.constantFrom("running", "running", "running", "running", "host", "ended", "new"),
    })
    .map(({ namespace, node, labels, http, kind }) => ({
      metadata: { name: `p${index}`, namespace, labels },
      spec: {
        nodeName: `n${node}`,
        ...(kind === "host" && { hostNetwork: true }),
        containers: [
          { name: "a", ports: [{ name: "http", containerPort: http }] },
          { name: "b", ports: [{ name: "dns", containerPort: 53, protocol: "UDP" }] },
        ],
      },
      status: {
        phase: kind === "ended" ? "Succeeded" : "Running",
        ...(kind !== "new" && { podIP: kind === "host" ? `192.0.2.${node}` : `10.244.${node}.${index + 2}` }),
      },
    }));

export const someLabels = fc.constantFrom<Record<string, string>>({}, { team: "red" }, { team: "blue" });

export const someWorld: fc.Arbitrary<World> = fc.record({
  namespaces: fc.record({ a: someLabels, b: someLabels }),
  pods: fc.tuple(...[0, 1, 2, 3].map(somePod)),
  policies: fc
    .tuple(...[0, 1, 2].map((index) => fc.option(somePolicy(`policy-${index}`), { nil: undefined, freq: 4 })))
    .map((policies) => policies.filter((policy) => policy !== undefined)),
});
