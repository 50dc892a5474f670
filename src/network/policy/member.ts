// A pod as policies see it: where it is in the network, and what selectors can say of it.
import type { Container, Pod } from "#api";
import { parseAddress } from "#base";

type Labels = Readonly<Record<string, string>>;

export interface Member {
  readonly namespace: string;
  readonly labels: Labels;
  /** Undefined while the namespace is not known: then no namespace selector matches. */
  readonly namespaceLabels: Labels | undefined;
  /** IPv4. */
  readonly address: string;
  readonly nodeName: string;
  readonly ports: readonly NamedPort[];
}

export interface NamedPort {
  readonly name: string;
  /** "TCP", "UDP", "SCTP" */
  readonly protocol: string;
  readonly port: number;
}

/** Undefined for a pod without an address of its own: one that has none yet, that has ended, or that is on its node's network, which no policy is about. */
export function memberOf(pod: Pod, namespaceLabels: Labels | undefined, given?: string): Member | undefined {
  const { metadata, spec, status } = pod;
  if (spec.hostNetwork === true || status?.phase === "Succeeded" || status?.phase === "Failed") return undefined;
  const addresses = [given, status?.podIP, ...(status?.podIPs ?? []).map(({ ip }) => ip)];
  const address = addresses.find((text) => text !== undefined && parseAddress(text)?.family === 4);
  if (address === undefined) return undefined;
  const { namespace = "", labels = {} } = metadata;
  return { namespace, labels, namespaceLabels, address, nodeName: spec.nodeName ?? "", ports: namedPorts(pod) };
}

function namedPorts({ spec }: Pod): NamedPort[] {
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  return [...spec.containers, ...sidecars].flatMap((container: Container) =>
    (container.ports ?? []).flatMap(({ name, protocol = "TCP", containerPort }) =>
      name === undefined ? [] : [{ name, protocol, port: containerPort }],
    ),
  );
}
