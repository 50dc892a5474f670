// Services and their EndpointSlices as what the rules are made from: one entry per port of a Service, with the endpoints that may serve it.
import type { Endpoint, EndpointSlice, Service, ServicePort } from "#api";

/** Where this proxy runs. */
export interface ProxyNode {
  readonly name: string;
  readonly zone?: string;
  /** Traffic to a Service from elsewhere is masqueraded. Absent: none is, by source. */
  readonly clusterCidr?: string;
}

export interface Backend {
  readonly ip: string;
  readonly port: number;
}

export type PolicyEndpoints = readonly Backend[];

export interface PlannedPort {
  /** "default/web:http" */
  readonly name: string;
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly port: number;
  readonly clusterIp: string;
  /** External and load-balancer addresses. */
  readonly externalIps: readonly string[];
  /** Load-balancer addresses that only these ranges may use. */
  readonly firewalled: { readonly ips: readonly string[]; readonly ranges: readonly string[] } | undefined;
  readonly nodePort: number | undefined;
  readonly stickySeconds: number | undefined;
  /** For traffic to the cluster address (internalTrafficPolicy). */
  readonly internal: PolicyEndpoints;
  /** For traffic from outside (externalTrafficPolicy); from inside the cluster `cluster` serves it. */
  readonly external: PolicyEndpoints;
  readonly cluster: PolicyEndpoints;
  readonly externalLocal: boolean;
  readonly internalLocal: boolean;
  /** Endpoints on this node, for traffic that comes back to its sender. */
  readonly localIps: readonly string[];
}

const serviceNameLabel = "kubernetes.io/service-name";
const otherProxyLabel = "service.kubernetes.io/service-proxy-name";
const headlessLabel = "service.kubernetes.io/headless";

/** IPv4 only: addresses of the other family have no rules yet. */
export function plannedPorts(services: readonly Service[], slices: readonly EndpointSlice[], node: ProxyNode): readonly PlannedPort[] {
  const slicesOf = new Map<string, EndpointSlice[]>();
  for (const slice of slices) {
    const name = slice.metadata.labels?.[serviceNameLabel];
    if (name === undefined || slice.addressType !== "IPv4" || slice.metadata.labels?.[headlessLabel] !== undefined) continue;
    const key = `${slice.metadata.namespace ?? ""}/${name}`;
    const list = slicesOf.get(key);
    if (list === undefined) slicesOf.set(key, [slice]);
    else list.push(slice);
  }
  return services.flatMap((service) => {
    const key = `${service.metadata.namespace ?? ""}/${service.metadata.name ?? ""}`;
    return portsOf(key, service, slicesOf.get(key) ?? [], node);
  });
}

function portsOf(key: string, service: Service, slices: readonly EndpointSlice[], node: ProxyNode): readonly PlannedPort[] {
  const { spec } = service;
  const clusterIp = (spec?.clusterIPs ?? [spec?.clusterIP ?? ""]).find(isIpv4);
  if (spec === undefined || clusterIp === undefined || spec.type === "ExternalName") return [];
  if (service.metadata.labels?.[otherProxyLabel] !== undefined) return [];
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  const balancerIps = spec.type === "LoadBalancer" ? ingress.filter(({ ip, ipMode }) => isIpv4(ip ?? "") && ipMode !== "Proxy").map(({ ip }) => ip as string) : []; // filtered
  const ranges = (spec.loadBalancerSourceRanges ?? []).map((range) => range.trim()).filter((range) => isIpv4(range.split("/")[0] ?? ""));
  const hasNodePort = spec.type === "NodePort" || spec.type === "LoadBalancer";
  const externalLocal = spec.externalTrafficPolicy === "Local";
  const internalLocal = spec.internalTrafficPolicy === "Local";
  return (spec.ports ?? []).map((port): PlannedPort => {
    const endpoints = endpointsOf(port, slices);
    const local = endpoints.filter(({ endpoint }) => endpoint.nodeName === node.name);
    const cluster = usable(byHints(endpoints, node));
    return {
      name: `${key}:${port.name ?? ""}`,
      protocol: (port.protocol ?? "TCP").toLowerCase() as PlannedPort["protocol"],
      port: port.port,
      clusterIp,
      externalIps: [...new Set([...(spec.externalIPs ?? []).filter(isIpv4), ...balancerIps])],
      firewalled: ranges.length > 0 && balancerIps.length > 0 ? { ips: balancerIps, ranges } : undefined,
      nodePort: hasNodePort && (port.nodePort ?? 0) > 0 ? port.nodePort : undefined,
      stickySeconds: spec.sessionAffinity === "ClientIP" ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800) : undefined,
      internal: internalLocal ? usable(local) : cluster,
      external: externalLocal ? usable(local) : cluster,
      cluster,
      externalLocal,
      internalLocal,
      localIps: [...new Set(local.map(({ backend }) => backend.ip))],
    };
  });
}

interface Candidate {
  readonly endpoint: Endpoint;
  readonly backend: Backend;
}

function endpointsOf(port: ServicePort, slices: readonly EndpointSlice[]): readonly Candidate[] {
  const found = new Map<string, Candidate>();
  for (const slice of slices) {
    const target = (slice.ports ?? []).find((entry) => (entry.name ?? "") === (port.name ?? "") && (entry.protocol ?? "TCP") === (port.protocol ?? "TCP"));
    if (target?.port === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const [ip] = endpoint.addresses;
      if (ip === undefined || !isIpv4(ip)) continue;
      const key = `${ip}:${target.port}`;
      // An endpoint may stand in two slices for a moment; the ready one counts.
      if (!found.has(key) || endpoint.conditions?.ready !== false) found.set(key, { endpoint, backend: { ip, port: target.port } });
    }
  }
  return [...found.values()].sort((a, b) => (a.backend.ip === b.backend.ip ? a.backend.port - b.backend.port : a.backend.ip < b.backend.ip ? -1 : 1));
}

/** The ready ones; when there is none, those that are going but still serve (KEP-1669). */
function usable(candidates: readonly Candidate[]): PolicyEndpoints {
  const ready = candidates.filter(({ endpoint }) => endpoint.conditions?.ready !== false);
  const chosen = ready.length > 0 ? ready : candidates.filter(({ endpoint }) => endpoint.conditions?.serving !== false && endpoint.conditions?.terminating === true);
  return chosen.map(({ backend }) => backend);
}

/** Hints count only when every ready endpoint has one (KEP-2433, KEP-3015): first those for this node, then those for its zone. */
function byHints(candidates: readonly Candidate[], node: ProxyNode): readonly Candidate[] {
  const ready = candidates.filter(({ endpoint }) => endpoint.conditions?.ready !== false);
  if (ready.length === 0) return candidates;
  if (ready.every(({ endpoint }) => (endpoint.hints?.forNodes ?? []).length > 0)) {
    const near = ready.filter(({ endpoint }) => endpoint.hints?.forNodes?.some(({ name }) => name === node.name));
    if (near.length > 0) return near;
  }
  if (node.zone !== undefined && ready.every(({ endpoint }) => (endpoint.hints?.forZones ?? []).length > 0)) {
    const near = ready.filter(({ endpoint }) => endpoint.hints?.forZones?.some(({ name }) => name === node.zone));
    if (near.length > 0) return near;
  }
  return candidates;
}

const isIpv4 = (text: string): boolean => /^\d{1,3}(\.\d{1,3}){3}$/.test(text);
