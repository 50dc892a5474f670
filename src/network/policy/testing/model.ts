// For tests: what NetworkPolicy means, said the slow way and without any table. May A talk to B at this port?
import {
  type LabelSelector,
  labelSelector,
  type NetworkPolicy,
  type NetworkPolicyPeer,
  type NetworkPolicyPort,
  type Pod,
  selectorMatches,
} from "#api";
import { contains, parseAddress, parseRange } from "#base";

export interface World {
  /** Labels by name. */
  readonly namespaces: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly pods: readonly Pod[];
  readonly policies: readonly NetworkPolicy[];
}

/** A packet that begins a connection. */
export interface Packet {
  readonly source: string;
  readonly destination: string;
  /** "TCP", "UDP", "SCTP" or another, which has no ports. */
  readonly protocol: string;
  readonly port: number;
}

/** Both ends agree: the source's egress policies and the destination's ingress policies. */
export const mayTalk = (world: World, packet: Packet): boolean =>
  packet.source === packet.destination ||
  (allows(world, "Egress", packet.source, packet.destination, packet) &&
    allows(world, "Ingress", packet.destination, packet.source, packet));

/** `subject` is whose policies are asked, `other` who it talks to. */
function allows(world: World, type: "Ingress" | "Egress", subject: string, other: string, packet: Packet): boolean {
  const pod = podAt(world, subject);
  if (pod === undefined) return true;
  const isolating = world.policies.filter(
    ({ metadata, spec }) =>
      metadata.namespace === pod.metadata.namespace &&
      matches(spec.podSelector ?? {}, pod.metadata.labels) &&
      typesOf(spec).includes(type),
  );
  if (isolating.length === 0) return true;
  return isolating.some(({ metadata, spec }) =>
    (type === "Ingress"
      ? (spec.ingress ?? []).map(({ from, ports }) => ({ peers: from, ports }))
      : (spec.egress ?? []).map(({ to, ports }) => ({ peers: to, ports }))
    ).some(
      ({ peers = [], ports = [] }) =>
        (peers.length === 0 || peers.some((peer) => isPeer(world, peer, metadata.namespace ?? "", other))) &&
        (ports.length === 0 || ports.some((port) => isPort(world, port, packet))),
    ),
  );
}

const typesOf = (spec: NetworkPolicy["spec"]): readonly string[] =>
  spec.policyTypes ?? ((spec.egress ?? []).length > 0 ? ["Ingress", "Egress"] : ["Ingress"]);

function isPeer(world: World, peer: NetworkPolicyPeer, namespace: string, address: string): boolean {
  const { ipBlock, namespaceSelector, podSelector } = peer;
  if (ipBlock !== undefined)
    return inRange(ipBlock.cidr, address) && !(ipBlock.except ?? []).some((range) => inRange(range, address));
  const pod = podAt(world, address);
  if (pod === undefined) return false;
  const home = pod.metadata.namespace ?? "";
  const inNamespace = namespaceSelector === undefined ? home === namespace : matches(namespaceSelector, world.namespaces[home]);
  return inNamespace && (podSelector === undefined || matches(podSelector, pod.metadata.labels));
}

function isPort(world: World, { protocol = "TCP", port, endPort }: NetworkPolicyPort, packet: Packet): boolean {
  if (protocol !== packet.protocol) return false;
  if (port === undefined) return true;
  if (typeof port === "number") return packet.port >= port && packet.port <= (endPort ?? port);
  return (podAt(world, packet.destination)?.spec.containers ?? []).some((container) =>
    (container.ports ?? []).some(
      (named) => named.name === port && (named.protocol ?? "TCP") === protocol && named.containerPort === packet.port,
    ),
  );
}

const podAt = (world: World, address: string): Pod | undefined =>
  world.pods.find(
    ({ spec, status }) =>
      spec.hostNetwork !== true && status?.podIP === address && !["Succeeded", "Failed"].includes(status.phase ?? ""),
  );

const matches = (selector: LabelSelector, labels: Readonly<Record<string, string>> | undefined): boolean =>
  selectorMatches(labelSelector(selector), labels);

function inRange(cidr: string, text: string): boolean {
  const [range, address] = [parseRange(cidr), parseAddress(text)];
  return range !== undefined && address !== undefined && contains(range, address);
}
