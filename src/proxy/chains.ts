// The chains that services share: one per policy and number of endpoints, named by what they do, so that a service is only elements.
import type { Item } from "#base";
import { endpointMap, type Protocol } from "./frame.ts";
import type { NodeView } from "./model.ts";

/** How a frontend finds an endpoint. `cluster` and `local` say where to: a number of slots, or an affinity chain. */
export interface Route {
  readonly kind: "cluster-ip" | "external-ip" | "node-port";
  readonly protocol: Protocol;
  readonly cluster: Target;
  /** Present with external traffic policy Local: where traffic from elsewhere goes. */
  readonly local?: Target;
}

export type Target = { readonly slots: number } | { readonly affinityChain: string };

/** The chain a frontend of this kind goes to. */
export function routeChain(route: Route, node: NodeView): Item {
  return { kind: "chain", name: chainName(route), key: "", value: rulesOf(route, node).join("\n") };
}

function chainName({ kind, protocol, cluster, local }: Route): string {
  const words = ["slots" in cluster ? `${kind}-${protocol}-${cluster.slots}` : `${kind}-${cluster.affinityChain}`];
  if (local !== undefined) words.push("slots" in local ? `local-${local.slots}` : local.affinityChain);
  return words.join("-");
}

const mark = "jump mark-for-masquerade";

function rulesOf(route: Route, node: NodeView): string[] {
  const toCluster = statement(route, "", route.cluster);
  const pods = node.clusterCidrs.length === 0 ? undefined : `{ ${node.clusterCidrs.join(", ")} }`;
  if (route.kind === "cluster-ip") return [...(pods === undefined ? [] : [`ip saddr != ${pods} ${mark}`]), toCluster];
  if (route.local === undefined) return [mark, toCluster];
  // Pods and the node itself reach every endpoint whatever the policy says of traffic from elsewhere.
  return [
    ...(pods === undefined ? [] : [`ip saddr ${pods} ${toCluster}`]),
    `fib saddr type local ${mark}`,
    `fib saddr type local ${toCluster}`,
    "slots" in route.local && route.local.slots === 0 ? "drop" : statement(route, "-local", route.local),
  ];
}

function statement({ kind, protocol }: Route, scope: "" | "-local", target: Target): string {
  if ("affinityChain" in target) return `goto ${target.affinityChain}`;
  const key = `${protocol} dport . numgen random mod ${target.slots}`;
  return kind === "node-port"
    ? `dnat ip to ${key} map @${endpointMap("nodeport", scope, protocol)}`
    : `dnat ip to ip daddr . ${key} map @${endpointMap("service", scope, protocol)}`;
}

/**
 * Session affinity: a client goes where it went within the last `timeoutSeconds`, and the time starts anew with each connection. One set of
 * clients per endpoint, so that an endpoint that leaves takes only its own clients along.
 */
export function affinityItems(chain: string, protocol: Protocol, backends: readonly string[], timeoutSeconds: number): Item[] {
  const known: string[] = [];
  const fresh: string[] = [];
  const sets = backends.map((backend, index): Item => {
    const [address, port] = backend.split(" . ");
    const name = `${chain}-${address}-${port}`;
    const go = `update @${name} { ip saddr timeout ${timeoutSeconds}s } dnat ip to ${address}:${port}`;
    const left = backends.length - index;
    known.push(`ip protocol ${protocol} ip saddr @${name} ${go}`);
    fresh.push(`ip protocol ${protocol} ${left === 1 ? "" : `numgen random mod ${left} == 0 `}${go}`);
    return { kind: "set", name, key: "", value: "type ipv4_addr; flags dynamic,timeout;" };
  });
  return [...sets, { kind: "chain", name: chain, key: "", value: [...known, ...fresh].join("\n") }];
}
