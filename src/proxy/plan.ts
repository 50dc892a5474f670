// What the table must hold for one service: pure, from the service, its EndpointSlices and what the previous plan put where.
import { createHash } from "node:crypto";
import type { EndpointSlice, Service, ServicePort } from "#api";
import { type Item, itemId } from "#base";
import { formatRange, type Ipv4Range, isIpv4, parseIpv4Range, rangeContains, withoutNested } from "./address.ts";
import { affinityItems, type Route, routeChain, type Target } from "./chains.ts";
import { type Backends, backendsOf, placeInSlots } from "./endpoints.ts";
import { endpointMap, type Protocol, protocols } from "./frame.ts";
import type { Flows, Frontend, NodeView, ServiceRules } from "./model.ts";

const proxyNameLabel = "service.kubernetes.io/service-proxy-name";
const defaultAffinitySeconds = 10_800;

export const serviceKey = (object: { readonly metadata: { readonly namespace?: string; readonly name?: string } }): string =>
  `${object.metadata.namespace}/${object.metadata.name}`;

/** Undefined for a service that is not ours: headless, ExternalName, labelled for another proxy, or without an IPv4 address. */
export function planService(
  service: Service,
  slices: readonly EndpointSlice[],
  node: NodeView,
  before?: ServiceRules,
): ServiceRules | undefined {
  const clusterIp = clusterIpOf(service);
  if (clusterIp === undefined) return undefined;
  const plan = new ServicePlan(service, clusterIp, node, before);
  for (const port of service.spec.ports ?? []) plan.addPort(port, backendsOf(port, slices, node));
  return plan.rules();
}

function clusterIpOf(service: Service): string | undefined {
  if (service.spec.type === "ExternalName" || Object.hasOwn(service.metadata.labels ?? {}, proxyNameLabel)) return undefined;
  return [...(service.spec.clusterIPs ?? []), service.spec.clusterIP].find(isIpv4); // headless: "None"
}

class ServicePlan {
  readonly #service: Service;
  readonly #clusterIp: string;
  readonly #node: NodeView;
  readonly #before: ServiceRules | undefined;
  readonly #items = new Map<string, Item>();
  readonly #slots = new Map<string, readonly string[]>();
  readonly #flows = new Map<string, Flows>();
  readonly #localAddresses = new Set<string>();

  constructor(service: Service, clusterIp: string, node: NodeView, before: ServiceRules | undefined) {
    this.#service = service;
    this.#clusterIp = clusterIp;
    this.#node = node;
    this.#before = before;
    this.#element("cluster-ips", clusterIp);
  }

  rules(): ServiceRules {
    const { creationTimestamp = "" } = this.#service.metadata;
    return {
      rank: `${creationTimestamp} ${serviceKey(this.#service)}`,
      items: this.#items,
      slots: this.#slots,
      flows: this.#flows,
      ...this.#health(),
    };
  }

  addPort(port: ServicePort, backends: Backends): void {
    const protocol = protocols.find((known) => known === (port.protocol ?? "TCP").toLowerCase());
    if (protocol === undefined) return;
    const spec = this.#service.spec;
    const portKey = `${port.name ?? ""}/${protocol}`;
    const localInside = spec.internalTrafficPolicy === "Local";
    const localOutside = spec.externalTrafficPolicy === "Local";
    const frontends = [
      { kind: "cluster-ip", address: this.#clusterIp, port: port.port } as const,
      ...this.#externalFrontends(port),
    ];
    const hasExternal = frontends.length > 1;
    const cluster = localInside && !hasExternal ? noTarget : this.#target(portKey, "", protocol, backends.cluster);
    const local =
      localInside || (localOutside && hasExternal) ? this.#target(portKey, "-local", protocol, backends.local) : noTarget;
    const nowhere = backends.cluster.length === 0 && backends.local.length === 0;
    for (const frontend of frontends) {
      if (frontend.kind === "cluster-ip") {
        const chosen = localInside ? local : cluster;
        if (chosen.backends.length === 0) this.#refuse(frontend, protocol, nowhere);
        else this.#route(frontend, protocol, chosen, undefined);
      } else if (nowhere) this.#refuse(frontend, protocol, true);
      else this.#route(frontend, protocol, cluster, localOutside ? local : undefined);
    }
    for (const backend of backends.local) this.#localAddresses.add(addressOf(backend));
    for (const address of backends.localAddresses) this.#element("hairpin-connections", `${address} . ${address}`);
    this.#addFirewall(port, protocol);
    if (protocol === "udp")
      this.#flows.set(portKey, { frontends, endpoints: new Set([...backends.cluster, ...backends.local].map(addressOf)) });
  }

  #health(): Pick<ServiceRules, "health"> {
    const { type, externalTrafficPolicy, healthCheckNodePort = 0 } = this.#service.spec;
    if (type !== "LoadBalancer" || externalTrafficPolicy !== "Local" || healthCheckNodePort === 0) return {};
    return { health: { port: healthCheckNodePort, localEndpoints: this.#localAddresses.size } };
  }

  #externalFrontends(port: ServicePort): Frontend[] {
    const addresses = [...(this.#service.spec.externalIPs ?? []).filter(isIpv4), ...this.#loadBalancerIps()];
    const found: Frontend[] = [...new Set(addresses)].map((address) => ({ kind: "external-ip", address, port: port.port }));
    const { type } = this.#service.spec;
    if ((type === "NodePort" || type === "LoadBalancer") && port.nodePort !== undefined && port.nodePort > 0)
      found.push({ kind: "node-port", address: "", port: port.nodePort });
    return found;
  }

  /** An ingress with mode "Proxy" wants its traffic to pass through the load balancer (KEP-1860). */
  #loadBalancerIps(): string[] {
    const ingress = this.#service.status?.loadBalancer?.ingress ?? [];
    return ingress
      .filter((point) => point.ipMode !== "Proxy")
      .map((point) => point.ip)
      .filter(isIpv4);
  }

  #target(portKey: string, scope: "" | "-local", protocol: Protocol, backends: readonly string[]): PlannedTarget {
    const key = `${portKey}${scope}`;
    const placed = placeInSlots(this.#before?.slots.get(key) ?? [], backends);
    this.#slots.set(key, placed);
    if (this.#service.spec.sessionAffinity !== "ClientIP" || placed.length === 0)
      return { backends: placed, target: { slots: placed.length } };
    const chain = `affinity-${shortHash(`${serviceKey(this.#service)}:${portKey}`)}${scope}`;
    const timeout = this.#service.spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? defaultAffinitySeconds;
    for (const item of affinityItems(chain, protocol, placed, timeout)) this.#add(item);
    return { backends: placed, target: { affinityChain: chain } };
  }

  #route(frontend: Frontend, protocol: Protocol, cluster: PlannedTarget, local: PlannedTarget | undefined): void {
    const route: Route = {
      kind: frontend.kind,
      protocol,
      cluster: cluster.target,
      ...(local === undefined ? {} : { local: local.target }),
    };
    const chain = routeChain(route, this.#node);
    this.#add(chain);
    const key = frontendKey(frontend, protocol);
    this.#element(frontend.kind === "node-port" ? "service-nodeports" : "service-ips", key, `goto ${chain.name}`);
    const slotKey = frontend.kind === "node-port" ? `${frontend.port}` : `${frontend.address} . ${frontend.port}`;
    const of = frontend.kind === "node-port" ? "nodeport" : "service";
    this.#fill(endpointMap(of, "", protocol), slotKey, cluster);
    if (local !== undefined) this.#fill(endpointMap(of, "-local", protocol), slotKey, local);
  }

  #fill(map: string, key: string, { backends, target }: PlannedTarget): void {
    if ("slots" in target) for (const [slot, backend] of backends.entries()) this.#element(map, `${key} . ${slot}`, backend);
  }

  /** Refused where there is no endpoint at all; dropped where a policy only looks at this node and others may have some. */
  #refuse(frontend: Frontend, protocol: Protocol, nowhere: boolean): void {
    const map = frontend.kind === "node-port" ? "no-endpoint-nodeports" : "no-endpoint-services";
    this.#element(map, frontendKey(frontend, protocol), nowhere ? "goto reject-it" : "drop");
  }

  #addFirewall(port: ServicePort, protocol: Protocol): void {
    const ranges = (this.#service.spec.loadBalancerSourceRanges ?? []).map(parseIpv4Range).filter((range) => range !== undefined);
    if (ranges.length === 0 || ranges.some((range) => range.prefix === 0)) return;
    const allowsNode = this.#node.ips.some((ip) => isIpv4(ip) && ranges.some((range) => rangeContains(range, ip)));
    for (const address of this.#loadBalancerIps()) {
      const key = `${address} . ${protocol} . ${port.port}`;
      this.#element("firewall-ips", key);
      // The node itself may speak with the load balancer's address as its source.
      const own = allowsNode ? [parseIpv4Range(`${address}/32`) as Ipv4Range] : []; // `address` is an IPv4 address
      for (const range of withoutNested([...ranges, ...own])) this.#element("firewall-sources", `${key} . ${formatRange(range)}`);
    }
  }

  #element(name: string, key: string, value = ""): void {
    this.#add({ kind: "element", name, key, value });
  }

  #add(item: Item): void {
    this.#items.set(itemId(item), item);
  }
}

interface PlannedTarget {
  readonly backends: readonly string[];
  readonly target: Target;
}

const noTarget: PlannedTarget = { backends: [], target: { slots: 0 } };

const addressOf = (backend: string): string => backend.split(" . ")[0] as string; // "address . port"
const frontendKey = ({ kind, address, port }: Frontend, protocol: Protocol): string =>
  kind === "node-port" ? `${protocol} . ${port}` : `${address} . ${protocol} . ${port}`;
const shortHash = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 12);
