// The core/v1 Endpoints of a service, deprecated since 1.33 and still read by old clients: pure.
import type { EndpointAddress, EndpointSubset, Endpoints, Pod, Service, Stored } from "#api";
import {
  addressOf,
  canServe,
  familiesOf,
  hostnameOf,
  isHeadless,
  portsOf,
  selects,
  targetRefOf,
  triggerTime,
} from "../shared/endpoints.ts";
import { isReady, isTerminating } from "../shared/pods.ts";
import { sortKeys } from "../shared/sort-keys.ts";

/** More addresses are cut, with an annotation that says so. */
const maxAddresses = 1000;
const overCapacity = "endpoints.kubernetes.io/over-capacity";
const triggerAnnotation = "endpoints.kubernetes.io/last-change-trigger-time";
const managedByLabel = "endpoints.kubernetes.io/managed-by";
const headlessLabel = "service.kubernetes.io/headless";

/** The object as it should be, or undefined when `current` already is. */
export function planEndpoints(
  service: Stored<Service>,
  pods: readonly Stored<Pod>[],
  current: Stored<Endpoints> | undefined,
): Endpoints | undefined {
  const includeAll = service.spec?.publishNotReadyAddresses === true;
  const selected = pods.filter((pod) => canServe(pod) && selects(service, pod) && (includeAll || !isTerminating(pod)));
  const { subsets, truncated } = truncate(subsetsOf(service, selected, includeAll));
  const { [headlessLabel]: _headless, ...own } = service.metadata.labels ?? {};
  const labels = { ...own, [managedByLabel]: "endpoint-controller", ...(isHeadless(service) ? { [headlessLabel]: "" } : {}) };
  const { [overCapacity]: _over, ...kept } = current?.metadata.annotations ?? {};
  const annotations = truncated ? { ...kept, [overCapacity]: "truncated" } : kept;
  if (
    current !== undefined &&
    same(current.subsets ?? [], subsets) &&
    same(current.metadata.labels ?? {}, labels) &&
    (_over !== undefined) === truncated
  )
    return undefined;
  return {
    ...current,
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: {
      ...current?.metadata,
      namespace: service.metadata.namespace,
      name: service.metadata.name,
      labels,
      annotations: { ...annotations, [triggerAnnotation]: triggerTime(service, selected) },
    },
    subsets,
  };
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a, sortKeys) === JSON.stringify(b, sortKeys);

/** Pods with the same ports share a subset; addresses and subsets come in a fixed order, so that equal endpoints are equal objects. */
function subsetsOf(service: Service, pods: readonly Stored<Pod>[], includeAll: boolean): readonly EndpointSubset[] {
  const [family = "IPv4"] = familiesOf(service);
  const groups = new Map<
    string,
    { ports: EndpointSubset["ports"]; addresses: EndpointAddress[]; notReadyAddresses: EndpointAddress[] }
  >();
  for (const pod of pods) {
    const ip = addressOf(pod, family);
    if (ip === undefined) continue;
    const ports = portsOf(service, pod).map(({ name, ...port }) => (name === "" ? port : { name, ...port }));
    if (ports.length === 0 && !(isHeadless(service) && (service.spec?.ports ?? []).length === 0)) continue;
    const key = JSON.stringify(ports);
    let group = groups.get(key);
    if (group === undefined) {
      group = { ports, addresses: [], notReadyAddresses: [] };
      groups.set(key, group);
    }
    const hostname = hostnameOf(service, pod);
    const { nodeName } = pod.spec;
    const address = {
      ip,
      ...(hostname === undefined ? {} : { hostname }),
      ...(nodeName === undefined ? {} : { nodeName }),
      targetRef: targetRefOf(pod),
    };
    (includeAll || isReady(pod) ? group.addresses : group.notReadyAddresses).push(address);
  }
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { ports, addresses, notReadyAddresses }]) => ({
      ...(addresses.length === 0 ? {} : { addresses: byIp(addresses) }),
      ...(notReadyAddresses.length === 0 ? {} : { notReadyAddresses: byIp(notReadyAddresses) }),
      ...(ports?.length === 0 ? {} : { ports }),
    }));
}

const byIp = (addresses: readonly EndpointAddress[]): readonly EndpointAddress[] =>
  [...addresses].sort((a, b) => (a.ip < b.ip ? -1 : a.ip > b.ip ? 1 : 0));

/** Ready addresses are kept first. */
function truncate(subsets: readonly EndpointSubset[]): { subsets: readonly EndpointSubset[]; truncated: boolean } {
  const total = subsets.reduce(
    (sum, { addresses, notReadyAddresses }) => sum + (addresses?.length ?? 0) + (notReadyAddresses?.length ?? 0),
    0,
  );
  if (total <= maxAddresses) return { subsets, truncated: false };
  let room = maxAddresses;
  const cut = (addresses: readonly EndpointAddress[] | undefined): readonly EndpointAddress[] | undefined => {
    const kept = addresses?.slice(0, room);
    room -= kept?.length ?? 0;
    return kept?.length === 0 ? undefined : kept;
  };
  const ready = subsets.map((subset) => ({ ...subset, addresses: cut(subset.addresses) }));
  return { subsets: ready.map((subset) => ({ ...subset, notReadyAddresses: cut(subset.notReadyAddresses) })), truncated: true };
}
