// Turns one policy into the chains that its pods' packets go through, and the sets that those ask. Which pods are in the sets is plan.ts's matter.
import { createHash } from "node:crypto";
import {
  everything,
  labelSelector,
  type NetworkPolicy,
  type NetworkPolicyPeer,
  type NetworkPolicyPort,
  type Selector,
  selectorMatches,
} from "#api";
import type { Item } from "#base";
import { type Direction, directions } from "./frame.ts";
import type { Member } from "./member.ts";
import { addressesOf, addressSpanText, isEverything, portSpanText, union } from "./spans.ts";

export interface CompiledPolicy {
  readonly selector: Selector;
  /** In an absent direction it says nothing of its pods. */
  readonly chains: Readonly<Partial<Record<Direction, PolicyChain>>>;
}

/** Accepts what the policy allows; what comes out at its end is allowed by none of its rules. */
export interface PolicyChain {
  readonly chain: Item;
  /** Filled by pods. */
  readonly groups: readonly Group[];
  /** Filled already. */
  readonly blocks: readonly Item[];
}

/** A set of pods: two policies that ask for the same pods share it. */
export interface Group {
  readonly set: Item;
  /** Only pods of the policies' own node are ever looked up in it. */
  readonly isLocal: boolean;
  /** Elements of the set by which this pod is in it. */
  elements(member: Member): readonly string[];
}

const protocols = ["TCP", "UDP", "SCTP"] as const;
type Protocol = (typeof protocols)[number];

export function compilePolicy(policy: NetworkPolicy): CompiledPolicy {
  const { spec } = policy;
  const types = spec.policyTypes ?? ["Ingress", ...((spec.egress?.length ?? 0) > 0 ? ["Egress"] : [])];
  const rules: Readonly<Record<Direction, readonly Rule[]>> = {
    ingress: (spec.ingress ?? []).map(({ from, ports }) => ({ peers: from, ports })),
    egress: (spec.egress ?? []).map(({ to, ports }) => ({ peers: to, ports })),
  };
  const isolated = directions.filter((direction) => types.some((type) => type.toLowerCase() === direction));
  return {
    selector: spec.podSelector === undefined ? everything : labelSelector(spec.podSelector),
    chains: Object.fromEntries(
      isolated.map((direction) => [direction, chainOf(policy.metadata, direction, rules[direction])] as const),
    ),
  };
}

interface Rule {
  readonly peers: readonly NetworkPolicyPeer[] | undefined;
  readonly ports: readonly NetworkPolicyPort[] | undefined;
}

function chainOf(
  { namespace = "", name = "" }: NetworkPolicy["metadata"],
  direction: Direction,
  rules: readonly Rule[],
): PolicyChain {
  const groups: Group[] = [];
  const blocks: Item[] = [];
  const lines = rules.flatMap((rule) => {
    const peers = matchPeers(rule.peers ?? [], namespace, direction === "ingress" ? "ip saddr" : "ip daddr");
    const ports = matchPorts(rule.ports ?? [], direction);
    groups.push(...peers.groups, ...ports.groups);
    blocks.push(...peers.blocks);
    return peers.matches.flatMap((peer) => ports.matches.map((port) => `${peer}${port}accept`));
  });
  const chain: Item = { kind: "chain", name: chainName(direction, namespace, name), key: "", value: lines.join("\n") };
  return { chain, groups, blocks };
}

/** Conditions of which one must hold, each "" or with a space at its end. */
interface Matches {
  readonly matches: readonly string[];
  readonly groups: readonly Group[];
}

const anything: Matches = { matches: [""], groups: [] };

function matchPeers(
  peers: readonly NetworkPolicyPeer[],
  namespace: string,
  address: string,
): Matches & { readonly blocks: readonly Item[] } {
  if (peers.length === 0) return { ...anything, blocks: [] };
  const selecting = peers.filter(({ ipBlock }) => ipBlock === undefined);
  const groups = selecting.length === 0 ? [] : [podGroup(selecting, namespace)];
  const addresses = addressesOf(peers.flatMap(({ ipBlock }) => (ipBlock === undefined ? [] : [ipBlock])));
  if (isEverything(addresses)) return { ...anything, blocks: [] };
  const blocks = addresses.length === 0 ? [] : [blockSet(addresses.map(addressSpanText))];
  const sets = [...groups.map(({ set }) => set), ...blocks];
  return { matches: sets.map(({ name }) => `${address} @${name} `), groups, blocks };
}

function podGroup(peers: readonly NetworkPolicyPeer[], namespace: string): Group {
  const named = peers.map(({ namespaceSelector, podSelector }) => ({ namespaceSelector, podSelector }));
  const home = peers.some(({ namespaceSelector }) => namespaceSelector === undefined) ? namespace : "";
  const tests = peers.map(({ namespaceSelector, podSelector }) => {
    const pods = podSelector === undefined ? everything : labelSelector(podSelector);
    const spaces = namespaceSelector && labelSelector(namespaceSelector);
    return (member: Member): boolean => isIn(member, spaces, namespace) && selectorMatches(pods, member.labels);
  });
  return {
    set: { kind: "set", name: `pods-${digest([home, named])}`, key: "", value: "type ipv4_addr;" },
    isLocal: false,
    elements: (member) => (tests.some((matches) => matches(member)) ? [member.address] : []),
  };
}

/** `spaces` selects namespaces; undefined: this one. */
function isIn(member: Member, spaces: Selector | undefined, namespace: string): boolean {
  if (spaces === undefined) return member.namespace === namespace;
  return member.namespaceLabels !== undefined && selectorMatches(spaces, member.namespaceLabels);
}

const blockSet = (spans: readonly string[]): Item => ({
  kind: "set",
  name: `blocks-${digest(spans)}`,
  key: "",
  value: `type ipv4_addr; flags interval; elements = { ${spans.join(", ")} }`,
});

function matchPorts(ports: readonly NetworkPolicyPort[], direction: Direction): Matches {
  if (ports.length === 0) return anything;
  const each = protocols.map((protocol) =>
    matchProtocol(
      protocol,
      ports.filter((port) => (port.protocol ?? "TCP") === protocol),
      direction,
    ),
  );
  return { matches: each.flatMap(({ matches }) => matches), groups: each.flatMap(({ groups }) => groups) };
}

function matchProtocol(protocol: Protocol, ports: readonly NetworkPolicyPort[], direction: Direction): Matches {
  const word = protocol.toLowerCase();
  if (ports.some(({ port }) => port === undefined)) return { matches: [`ip protocol ${word} `], groups: [] };
  const numbers = union(
    ports.flatMap(({ port, endPort }) => (typeof port === "number" ? [{ first: port, last: endPort ?? port }] : [])),
  );
  const groups = ports.flatMap(({ port }) => (typeof port === "string" ? [portGroup(protocol, port, direction)] : []));
  return {
    matches: [
      ...(numbers.length === 0 ? [] : [`${word} dport { ${numbers.map(portSpanText).join(", ")} } `]),
      ...groups.map(({ set }) => `ip daddr . ${word} dport @${set.name} `),
    ],
    groups,
  };
}

/** A port that pods have a number for, each its own. What comes in comes to a pod of this node. */
function portGroup(protocol: Protocol, name: string, direction: Direction): Group {
  const isLocal = direction === "ingress";
  const setName = `${isLocal ? "own-" : ""}port-${protocol.toLowerCase()}-${name}`;
  return {
    set: { kind: "set", name: setName, key: "", value: "type ipv4_addr . inet_service;" },
    isLocal,
    elements: ({ address, ports }) =>
      ports.flatMap((each) => (each.name === name && each.protocol === protocol ? [`${address} . ${each.port}`] : [])),
  };
}

/** nft takes names of up to 255 characters; a policy's alone may have 253. */
function chainName(direction: Direction, namespace: string, name: string): string {
  const full = `${direction}/${namespace}/${name}`;
  return full.length <= 120 ? full : `${full.slice(0, 100)}-${digest(full)}`;
}

export const digest = (value: unknown): string => createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 12);
