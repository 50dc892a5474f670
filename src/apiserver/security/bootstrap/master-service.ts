// The Service "kubernetes" and its endpoints: how pods find this API server.

import {
  type ApiObject,
  endpointSlices,
  endpoints,
  ipAddresses,
  type ResourceType,
  semanticEqual,
  serviceCIDRs,
  services,
} from "#api";
import { addressAt, addressText, parseAddress, parseRange } from "#base";
import type { ObjectReader, ObjectWriter } from "../../contract.ts";
import { ipAddressFor } from "../allocation/cluster-ips.ts";
import type { Wanted } from "./policy.ts";

export interface MasterServiceOptions {
  readonly reader: ObjectReader;
  readonly writer: ObjectWriter;
  /** CIDRs of service addresses; the Service has the first address of the first one. */
  readonly ranges: readonly string[];
}

export interface Advertised {
  /** IP address at which nodes and pods reach this API server. */
  readonly address: string;
  readonly port: number;
}

/** The first address of a range: "10.96.0.1". */
export function firstServiceAddress(range: string): string {
  const parsed = parseRange(range);
  if (parsed === undefined) throw new Error(`Cannot use service range "${range}": it is not a CIDR such as 10.96.0.0/16`);
  return addressText(addressAt(parsed, 1n));
}

/** The range as an object, as `kubectl get servicecidrs` shows it. */
export function serviceRange(ranges: readonly string[]): Wanted {
  const object = {
    apiVersion: "networking.k8s.io/v1",
    kind: "ServiceCIDR",
    metadata: { name: "kubernetes" },
    spec: { cidrs: ranges.map((range) => parseRange(range)?.text ?? range) },
    status: {},
  };
  return { type: serviceCIDRs, object };
}

/** Creates or corrects the Service, its Endpoints and its EndpointSlice. One API server per store for now: the last one to call is the one listed. */
export async function publishMasterService(
  { reader, writer, ranges }: MasterServiceOptions,
  { address, port }: Advertised,
): Promise<void> {
  const clusterIP = firstServiceAddress(ranges[0] ?? "");
  const family = clusterIP.includes(":") ? "IPv6" : "IPv4";
  const owner = { namespace: "default", name: "kubernetes" };
  const service: ApiObject = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { ...owner, labels: { component: "apiserver", provider: "kubernetes" } },
    spec: {
      type: "ClusterIP",
      clusterIP,
      clusterIPs: [clusterIP],
      ipFamilies: [family],
      ipFamilyPolicy: "SingleStack",
      internalTrafficPolicy: "Cluster",
      sessionAffinity: "None",
      ports: [{ name: "https", port: 443, protocol: "TCP", targetPort: port }],
    },
    status: { loadBalancer: {} },
  } as ApiObject; // with spec
  const endpointsObject: ApiObject = {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: { ...owner, labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } },
    subsets: [{ addresses: [{ ip: address }], ports: [{ name: "https", port, protocol: "TCP" }] }],
  } as ApiObject; // with subsets
  const slice: ApiObject = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { ...owner, labels: { "kubernetes.io/service-name": "kubernetes" } },
    addressType: parseAddress(address)?.family === 6 ? "IPv6" : "IPv4",
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [{ name: "https", port, protocol: "TCP" }],
  } as ApiObject; // with endpoints
  const wanted: readonly Wanted[] = [
    { type: ipAddresses, object: ipAddressFor(clusterIP, owner) },
    { type: services, object: service },
    { type: endpoints, object: endpointsObject },
    { type: endpointSlices, object: slice },
  ];
  const missing = wanted.filter(({ type, object }) => current(reader, type, object) === undefined);
  if (missing.length > 0) await writer.createMissing(missing);
  await correct(reader, writer, endpoints, endpointsObject, ["subsets"]);
  await correct(reader, writer, endpointSlices, slice, ["endpoints", "ports"]);
}

const current = (
  reader: ObjectReader,
  type: ResourceType,
  { metadata: { namespace, name = "" } }: ApiObject,
): ApiObject | undefined => reader.get(type, namespace === undefined ? { name } : { namespace, name });

async function correct(
  reader: ObjectReader,
  writer: ObjectWriter,
  type: ResourceType,
  wanted: ApiObject,
  fields: readonly string[],
): Promise<void> {
  const pick = (object: ApiObject): object =>
    Object.fromEntries(fields.map((field) => [field, (object as unknown as Record<string, unknown>)[field]])); // by name
  const found = current(reader, type, wanted);
  if (found === undefined || semanticEqual(pick(found), pick(wanted))) return;
  const { namespace, name = "" } = wanted.metadata;
  await writer.update(type, { namespace, name }, (now) => ({ ...now, ...pick(wanted) }));
}
