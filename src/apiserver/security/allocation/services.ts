// Gives Services their IP families, cluster IPs and node ports, and takes them back (upstream's BeginCreate and BeginUpdate).
import {
  type ApiError,
  type ApiObject,
  type FieldError,
  type IPAddress,
  internalError,
  invalid,
  invalidValue,
  ipAddresses,
  type Service,
  type ServicePort,
  type ServiceSpec,
  services,
} from "#api";
import { parseRange, type Random } from "#base";
import type { ObjectReader, ObjectWriter } from "../../contract.ts";
import { ClusterIps, ipAddressFor, type ServiceRef } from "./cluster-ips.ts";
import { familiesOf, isHeadless } from "./families.ts";
import { NodePorts } from "./node-ports.ts";

/** What an allocation holds until the write is decided. Call one of the two, once. */
export interface Allocation {
  /** The service with its addresses, ports and IP families filled in. */
  readonly object: ApiObject;
  /** The write failed, or was a dry run: gives back what was taken for it. */
  release(): Promise<void>;
  /** The write is durable: gives back what the old version had and the new one has not. */
  commit(): Promise<void>;
}

export interface ServiceAllocatorOptions {
  readonly reader: ObjectReader;
  readonly writer: ObjectWriter;
  readonly random: Random;
  /** CIDRs, the default family's first. */
  readonly ranges: readonly string[];
  /** Inclusive. */
  readonly nodePorts: readonly [number, number];
}

/** What one write has taken so far. */
interface Hold {
  readonly owner: ServiceRef;
  readonly dryRun: boolean;
  readonly addresses: string[];
  readonly ports: number[];
}

export class ServiceAllocator implements Disposable {
  readonly #reader: ObjectReader;
  readonly #writer: ObjectWriter;
  readonly #ips: ClusterIps;
  readonly #ports: NodePorts;

  constructor({ reader, writer, random, ranges, nodePorts }: ServiceAllocatorOptions) {
    const parsed = ranges.map((text) => {
      const range = parseRange(text);
      if (range === undefined) throw new Error(`Cannot use service range "${text}": it is not a CIDR such as 10.96.0.0/16`);
      return range;
    });
    this.#reader = reader;
    this.#writer = writer;
    this.#ips = new ClusterIps(reader, writer, random, parsed);
    this.#ports = new NodePorts(reader, random, nodePorts);
  }

  /** `old`: the stored version, of an update. Throws Invalid, or InternalError when a range is full; nothing is held then. */
  async allocate(object: ApiObject, old: ApiObject | undefined, dryRun: boolean): Promise<Allocation> {
    const [service, before] = [object as Service, old as Service | undefined]; // callers pass Services
    const owner = { namespace: service.metadata.namespace ?? "", name: service.metadata.name ?? "" };
    const hold: Hold = { owner, dryRun, addresses: [], ports: [] };
    try {
      const filled = await this.#fill(service, before, hold);
      return {
        object: filled,
        release: () => this.#release(hold),
        commit: async () => {
          this.#ips.settle(hold.addresses);
          this.#ports.settle(hold.ports);
          const kept = new Set(addressesOf(filled));
          await this.#ips.release(before === undefined ? [] : addressesOf(before).filter((text) => !kept.has(text)), owner);
        },
      };
    } catch (error) {
      await this.#release(hold);
      throw error;
    }
  }

  /** Gives back what a deleted Service held. */
  async released(object: ApiObject): Promise<void> {
    const { namespace = "", name = "" } = object.metadata;
    await this.#ips.release(addressesOf(object as Service), { namespace, name }); // callers pass Services
  }

  /**
   * Makes IPAddress objects and Services agree after a crash between the two writes: an address without its Service is given back, a Service
   * without its address gets it.
   */
  async repair(): Promise<void> {
    const held = new Map<string, ServiceRef>();
    for (const service of this.#reader.list<Service>(services)) {
      const owner = { namespace: service.metadata.namespace ?? "", name: service.metadata.name };
      for (const text of addressesOf(service)) held.set(text, owner);
    }
    for (const address of this.#reader.list<IPAddress>(ipAddresses)) {
      const isOurs = address.metadata.labels?.["ipaddress.kubernetes.io/managed-by"] === "ipallocator.k8s.io";
      if (isOurs && !held.has(address.metadata.name)) await this.#writer.remove(ipAddresses, { name: address.metadata.name });
    }
    const missing = [...held].filter(([text]) => this.#reader.get(ipAddresses, { name: text }) === undefined);
    if (missing.length > 0)
      await this.#writer.createMissing(
        missing.map(([text, owner]) => ({ type: ipAddresses, object: ipAddressFor(text, owner) })),
      );
  }

  [Symbol.dispose](): void {
    this.#ports[Symbol.dispose]();
  }

  async #release(hold: Hold): Promise<void> {
    this.#ports.settle(hold.ports);
    if (hold.dryRun) this.#ips.settle(hold.addresses);
    else await this.#ips.release(hold.addresses, hold.owner);
  }

  async #fill(service: Service, old: Service | undefined, hold: Hold): Promise<Service> {
    if (service.spec === undefined || service.spec.type === "ExternalName") return service;
    let spec: ServiceSpec = withOldAddresses(service.spec, old?.spec);
    const chosen = familiesOf({ ...service, spec }, old, this.#ips.families);
    if ("errors" in chosen) throw refused(service, chosen.errors);
    spec = { ...spec, ipFamilyPolicy: chosen.policy, ipFamilies: chosen.families };
    spec = isHeadless(spec)
      ? { ...spec, clusterIP: "None", clusterIPs: ["None"] }
      : await this.#withAddresses(service, spec, old, hold);
    spec = this.#withNodePorts(service, spec, old?.spec, hold);
    return { ...service, spec: this.#withHealthPort(spec, old?.spec, hold) };
  }

  async #withAddresses(service: Service, spec: ServiceSpec, old: Service | undefined, hold: Hold): Promise<ServiceSpec> {
    const had = new Set(old === undefined ? [] : addressesOf(old));
    const given = spec.clusterIPs ?? [];
    const families = spec.ipFamilies ?? [];
    const clusterIPs: string[] = [];
    for (const [index, family] of families.entries()) {
      const asked = given[index] ?? "";
      if (had.has(asked)) {
        clusterIPs.push(asked);
        continue;
      }
      if (asked === "") {
        const found = await this.#ips.takeAny(family, hold.owner, hold.dryRun);
        if (found === undefined) throw internalError("failed to allocate a serviceIP: range is full");
        hold.addresses.push(found);
        clusterIPs.push(found);
        continue;
      }
      const taken = await this.#ips.take(asked, hold.owner, hold.dryRun);
      if ("refused" in taken) {
        throw refused(service, [invalidValue("spec.clusterIPs", given, `failed to allocate IP ${asked}: ${taken.refused}`)]);
      }
      hold.addresses.push(taken.address);
      clusterIPs.push(taken.address);
    }
    return { ...spec, clusterIP: clusterIPs[0], clusterIPs };
  }

  #withNodePorts(service: Service, spec: ServiceSpec, old: ServiceSpec | undefined, hold: Hold): ServiceSpec {
    if (!hasNodePorts(spec)) return spec;
    const had = new Set(old !== undefined && hasNodePorts(old) ? (old.ports ?? []).map((port) => port.nodePort ?? 0) : []);
    const allocates = spec.type === "NodePort" || spec.allocateLoadBalancerNodePorts !== false;
    const carried = (spec.ports ?? []).map((port) => ({ ...port, nodePort: port.nodePort ?? 0 }));
    if (had.size > 0) carryNodePorts(carried, old?.ports ?? []);
    const taken = new Map<number, Set<string>>();
    const note = (port: ServicePort & { nodePort: number }): void => {
      taken.set(port.nodePort, (taken.get(port.nodePort) ?? new Set()).add(port.protocol ?? "TCP"));
    };
    for (const [index, port] of carried.entries()) {
      if (port.nodePort === 0) continue;
      // The same number serves one protocol each.
      const isMine = had.has(port.nodePort) || taken.get(port.nodePort)?.has(port.protocol ?? "TCP") === false;
      if (!isMine) {
        const why = this.#ports.take(port.nodePort);
        if (why !== undefined) throw refused(service, [invalidValue(`spec.ports[${index}].nodePort`, port.nodePort, why)]);
        hold.ports.push(port.nodePort);
      }
      note(port);
    }
    for (const port of carried) {
      if (port.nodePort !== 0 || !allocates) continue;
      const sibling = carried.find(
        (each) =>
          each.port === port.port && each.nodePort !== 0 && taken.get(each.nodePort)?.has(port.protocol ?? "TCP") === false,
      );
      const found = sibling?.nodePort ?? this.#ports.takeAny();
      if (found === undefined) throw internalError("failed to allocate a nodePort: range is full");
      if (sibling === undefined) hold.ports.push(found);
      port.nodePort = found;
      note(port);
    }
    const ports = carried.map(({ nodePort, ...port }): ServicePort => (nodePort === 0 ? port : { ...port, nodePort }));
    return { ...spec, ports };
  }

  #withHealthPort(spec: ServiceSpec, old: ServiceSpec | undefined, hold: Hold): ServiceSpec {
    if (!hasHealthPort(spec)) return spec;
    const had = old !== undefined && hasHealthPort(old) ? (old.healthCheckNodePort ?? 0) : 0;
    const asked = spec.healthCheckNodePort ?? 0;
    if (asked !== 0 && asked === had) return spec;
    if (asked === 0 && had !== 0) return { ...spec, healthCheckNodePort: had };
    if (asked === 0) {
      const found = this.#ports.takeAny();
      if (found === undefined) throw internalError("failed to allocate a HealthCheck NodePort : range is full");
      hold.ports.push(found);
      return { ...spec, healthCheckNodePort: found };
    }
    const why = this.#ports.take(asked);
    if (why !== undefined) throw internalError(`failed to allocate requested HealthCheck NodePort ${asked}: ${why}`);
    hold.ports.push(asked);
    return spec;
  }
}

const refused = (service: Service, errors: readonly FieldError[]): ApiError =>
  invalid({ group: "", kind: "Service" }, service.metadata.name ?? "", errors);

const hasNodePorts = (spec: ServiceSpec): boolean => spec.type === "NodePort" || spec.type === "LoadBalancer";
const hasHealthPort = (spec: ServiceSpec): boolean => spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";

/** The cluster IPs of a Service that has its own; none for headless and ExternalName. */
function addressesOf({ spec }: Service): readonly string[] {
  if (spec === undefined || spec.type === "ExternalName" || isHeadless(spec)) return [];
  const all = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  return all.filter((text) => text !== "");
}

/** Clients that leave the addresses out mean those that are there. */
function withOldAddresses(spec: ServiceSpec, old: ServiceSpec | undefined): ServiceSpec {
  const first = spec.clusterIP ?? "";
  const given = (spec.clusterIPs ?? []).length > 0 ? (spec.clusterIPs ?? []) : first === "" ? [] : [first];
  if (given.length > 0 || old === undefined || old.type === "ExternalName") return { ...spec, clusterIPs: given };
  return { ...spec, clusterIP: old.clusterIP, clusterIPs: old.clusterIPs ?? [] };
}

/** A port that is the same port (number and protocol) keeps its node port, unless another one asks for it. */
function carryNodePorts(ports: { port: number; protocol?: string; nodePort: number }[], old: readonly ServicePort[]): void {
  const asked = new Set(ports.map((port) => port.nodePort));
  for (const port of ports) {
    if (port.nodePort !== 0) continue;
    const before = old.find((each) => each.port === port.port && (each.protocol ?? "TCP") === (port.protocol ?? "TCP"));
    if (before?.nodePort !== undefined && !asked.has(before.nodePort)) port.nodePort = before.nodePort;
  }
}
