// Where a request is passed on to: a kubelet, a pod, a service. How the connection is made is the border's business (http/outbound.ts).
import {
  apiError,
  badRequest,
  endpointSlices,
  nodes,
  notFound,
  type Pod,
  pods,
  type Stored,
  services,
  simulatedNodeLabel,
} from "#api";
import type { LocalNode, ObjectReader } from "../contract.ts";

/** An HTTP server that answers in our place. */
export interface Backend {
  readonly scheme: "http" | "https";
  readonly host: string;
  readonly port: number;
  /** Present our client certificate: only to kubelets. */
  readonly kubelet: boolean;
  /** Answers in this process: nothing is sent. */
  readonly local?: LocalNode;
}

const addressOrder = ["InternalIP", "Hostname", "InternalDNS", "ExternalDNS", "ExternalIP"];
const kubeletPort = 10250;

/** How nodes are found. */
export interface Nodes {
  readonly reader: ObjectReader;
  readonly localNode?: ((name: string) => LocalNode | undefined) | undefined;
}

/** Throws NotFound with the pod's name when the node is gone, as upstream does. */
export function kubeletBackend({ reader, localNode }: Nodes, nodeName: string): Backend {
  const node = reader.get(nodes, { name: nodeName });
  if (node === undefined) throw notFound(pods, nodeName);
  const local = localNode?.(nodeName);
  if (local !== undefined) return { scheme: "https", host: nodeName, port: kubeletPort, kubelet: true, local };
  const addresses = node.status?.addresses ?? [];
  for (const type of addressOrder) {
    const found = addresses.find((address) => address.type === type && address.address !== "");
    if (found !== undefined)
      return {
        scheme: "https",
        host: found.address,
        port: node.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? kubeletPort,
        kubelet: true,
      };
  }
  throw apiError(
    "",
    `no preferred addresses found; known addresses: [${addresses.map((address) => `{${address.type} ${address.address}}`).join(" ")}]`,
  );
}

/** "[scheme:]name[:port]", as the proxy paths write it. */
export function splitTarget(
  text: string,
  kind: "pod" | "service" | "node",
): { readonly scheme: "http" | "https"; readonly name: string; readonly port: string } {
  const parts = text.split(":");
  const refuse = (): Error => badRequest(`invalid ${kind} request ${JSON.stringify(text)}`);
  if (parts.length > 3) throw refuse();
  if (parts.length === 1) return { scheme: "http", name: text, port: "" };
  if (parts.length === 2) return { scheme: "http", name: parts[0] as string, port: parts[1] as string };
  const [scheme, name, port] = parts as [string, string, string];
  if ((scheme !== "http" && scheme !== "https" && scheme !== "") || name === "") throw refuse();
  return { scheme: scheme === "https" ? "https" : "http", name, port };
}

const loopback = /^(127\.|169\.254\.|0\.|::1$|fe80:)/;

export function podBackend(reader: ObjectReader, namespace: string, target: string): Backend {
  const { scheme, name, port } = splitTarget(target, "pod");
  const pod = reader.get(pods, { namespace, name });
  if (pod === undefined) throw notFound(pods, name);
  const host = pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? "";
  if (host === "" || loopback.test(host)) throw badRequest("address not allowed");
  const number = podPort(pod, port, scheme);
  assertReal(reader, pod.spec?.nodeName, host, number);
  return { scheme, host, port: number, kubelet: false };
}

/** The addresses of simulated pods belong to nobody here: out there they may be somebody's. */
function assertReal(reader: ObjectReader, nodeName: string | undefined, host: string, port: number): void {
  if (nodeName === undefined || reader.get(nodes, { name: nodeName })?.metadata.labels?.[simulatedNodeLabel] !== "true") return;
  throw apiError(
    "ServiceUnavailable",
    `error trying to reach service: node "${nodeName}" is simulated, nothing listens on ${host}:${port}`,
  );
}

function podPort(pod: Stored<Pod>, port: string, scheme: string): number {
  if (/^\d+$/.test(port)) return Number(port);
  const ports = (pod.spec?.containers ?? []).flatMap((container) => container.ports ?? []);
  const found = port === "" ? ports[0] : ports.find((other) => other.name === port);
  return found?.containerPort ?? (scheme === "https" ? 443 : 80);
}

export function serviceBackend(
  reader: ObjectReader,
  namespace: string,
  target: string,
  pick: (below: number) => number,
): Backend {
  const { scheme, name, port } = splitTarget(target, "service");
  const service = reader.get(services, { namespace, name });
  if (service === undefined) throw notFound(services, name);
  const servicePorts = service.spec?.ports ?? [];
  const servicePort =
    port === "" && servicePorts.length === 1
      ? servicePorts[0]
      : servicePorts.find((other) => (other.name ?? "") === port || String(other.port) === port);
  if (servicePort === undefined && /^[0-9]+$/.test(port))
    throw apiError("ServiceUnavailable", `no service port ${port} found for service ${JSON.stringify(name)}`);
  const portName = servicePort === undefined ? port : (servicePort.name ?? "");
  const candidates: { host: string; port: number; nodeName: string | undefined }[] = [];
  let known = false;
  for (const slice of reader.list(endpointSlices, namespace)) {
    if (slice.metadata.labels?.["kubernetes.io/service-name"] !== name) continue;
    known = true;
    const found = (slice.ports ?? []).find((other) => (other.name ?? "") === portName);
    if (found?.port === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) {
      if (endpoint.conditions?.ready === false) continue;
      for (const host of endpoint.addresses) candidates.push({ host, port: found.port, nodeName: endpoint.nodeName });
    }
  }
  if (!known) throw notFound(services, name);
  const chosen = candidates[pick(Math.max(1, candidates.length))];
  if (chosen === undefined) throw apiError("ServiceUnavailable", `no endpoints available for service ${JSON.stringify(target)}`);
  const { nodeName, ...place } = chosen;
  assertReal(reader, nodeName, place.host, place.port);
  return { scheme, ...place, kubelet: false };
}
