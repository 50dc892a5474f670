// Spreads a service's endpoints over slices of at most 100, changing as few slices as possible: pure.
import {
  type DiscoveryV1EndpointPort,
  deepEqual,
  type Endpoint,
  type EndpointSlice,
  type Node,
  type Pod,
  type Service,
  type Stored,
  semanticEqual,
} from "#api";
import {
  type AddressType,
  addressOf,
  canServe,
  familiesOf,
  hostnameOf,
  isHeadless,
  portsOf,
  readinessOf,
  selects,
  targetRefOf,
  triggerTime,
  zoneOf,
} from "../shared/endpoints.ts";
import type { SlicePlan } from "../shared/write-slices.ts";

const maxEndpoints = 100;
export const managedBy = "endpointslice-controller.k8s.io";
const serviceNameLabel = "kubernetes.io/service-name";
const managedByLabel = "endpointslice.kubernetes.io/managed-by";
const headlessLabel = "service.kubernetes.io/headless";
const triggerAnnotation = "endpoints.kubernetes.io/last-change-trigger-time";

export interface SliceFacts {
  readonly service: Stored<Service>;
  /** Of the service's namespace; those that do not match are ignored. */
  readonly pods: readonly Stored<Pod>[];
  /** The service's slices that this controller manages. */
  readonly slices: readonly Stored<EndpointSlice>[];
  readonly node: (name: string) => Node | undefined;
}

export const isManaged = (slice: EndpointSlice): boolean => slice.metadata.labels?.[managedByLabel] === managedBy;
export const serviceOf = (slice: EndpointSlice): string | undefined => slice.metadata.labels?.[serviceNameLabel];

interface Group {
  readonly addressType: AddressType;
  readonly ports: readonly DiscoveryV1EndpointPort[];
  readonly endpoints: Map<string, Endpoint>;
}

export function planSlices(facts: SliceFacts): SlicePlan {
  const { service } = facts;
  const selected = facts.pods.filter((pod) => canServe(pod) && selects(service, pod));
  const groups = groupEndpoints(facts, selected);
  const labels = labelsFor(service);
  const trigger = triggerTime(service, selected);
  const remove: Stored<EndpointSlice>[] = [];
  const update: Stored<EndpointSlice>[] = [];
  const create: EndpointSlice[] = [];

  const change = (
    slice: Stored<EndpointSlice>,
    group: Pick<Group, "ports">,
    endpoints: readonly Endpoint[],
  ): Stored<EndpointSlice> => ({
    ...slice,
    metadata: { ...slice.metadata, labels, annotations: { ...slice.metadata.annotations, [triggerAnnotation]: trigger } },
    endpoints: [...endpoints],
    ports: [...group.ports],
  });

  const known = new Set<Stored<EndpointSlice>>();
  const left: { group: Group; endpoints: Endpoint[] }[] = [];
  for (const group of groups) {
    const mine = facts.slices.filter(
      (slice) => slice.addressType === group.addressType && semanticEqual(slice.ports ?? [], group.ports),
    );
    for (const slice of mine) known.add(slice);
    left.push({
      group,
      endpoints: [
        ...fill(
          group,
          mine,
          labels,
          (slice, endpoints) => update.push(change(slice, group, endpoints)),
          (slice) => remove.push(slice),
        ),
      ],
    });
  }
  for (const slice of facts.slices) if (!known.has(slice)) remove.push(slice);

  for (const { group, endpoints } of left) {
    for (let at = 0; at < endpoints.length; at += maxEndpoints) {
      const chunk = endpoints.slice(at, at + maxEndpoints);
      // A slice that would be deleted is used again: one event for its watchers instead of two.
      const spare = remove.findIndex((slice) => slice.addressType === group.addressType);
      const [slice] = spare === -1 ? [] : remove.splice(spare, 1);
      if (slice === undefined) create.push(newSlice(service, group, labels, trigger, chunk));
      else update.push(change(slice, group, chunk));
    }
  }
  // One empty slice per family says that the service is known and has nothing.
  for (const addressType of familiesOf(service)) {
    const present =
      facts.slices.some((slice) => slice.addressType === addressType && !remove.includes(slice)) ||
      create.some((slice) => slice.addressType === addressType);
    if (present) continue;
    const spare = remove.findIndex((slice) => slice.addressType === addressType);
    const [slice] = spare === -1 ? [] : remove.splice(spare, 1);
    if (slice === undefined) create.push(newSlice(service, { addressType, ports: [] }, labels, trigger, []));
    else if ((slice.endpoints ?? []).length > 0 || (slice.ports ?? []).length > 0 || !deepEqual(slice.metadata.labels, labels))
      update.push(change(slice, { ports: [] }, []));
  }
  return { create, update, remove };
}

/** Keeps every endpoint in the slice where it is, fills gaps of slices that change anyway, and returns what found no place. */
function fill(
  group: Group,
  slices: readonly Stored<EndpointSlice>[],
  labels: Readonly<Record<string, string>>,
  onChange: (slice: Stored<EndpointSlice>, endpoints: readonly Endpoint[]) => void,
  onEmpty: (slice: Stored<EndpointSlice>) => void,
): readonly Endpoint[] {
  const pending = new Map(group.endpoints);
  const states = slices.map((slice) => {
    const kept: Endpoint[] = [];
    let changed = !deepEqual(slice.metadata.labels ?? {}, labels);
    for (const endpoint of slice.endpoints ?? []) {
      const wanted = pending.get(keyOf(endpoint));
      if (wanted !== undefined && kept.length < maxEndpoints) {
        pending.delete(keyOf(endpoint));
        kept.push(wanted);
        if (!semanticEqual(wanted, endpoint)) changed = true;
      } else changed = true;
    }
    return { slice, kept, changed };
  });
  const rest = [...pending.values()];
  for (const state of states
    .filter(({ changed, kept }) => changed && kept.length > 0)
    .sort((a, b) => b.kept.length - a.kept.length))
    state.kept.push(...rest.splice(0, maxEndpoints - state.kept.length));
  if (rest.length > 0) {
    // The fullest slice that takes all the rest; if none does, new slices are better than touching many.
    const fits = states
      .filter(({ changed, kept }) => !changed && kept.length + rest.length <= maxEndpoints && kept.length > 0)
      .sort((a, b) => b.kept.length - a.kept.length)[0];
    if (fits !== undefined) {
      fits.kept.push(...rest.splice(0));
      fits.changed = true;
    }
  }
  for (const { slice, kept, changed } of states) {
    if (kept.length === 0) onEmpty(slice);
    else if (changed) onChange(slice, kept);
  }
  return rest;
}

const keyOf = (endpoint: Endpoint): string => `${endpoint.targetRef?.uid ?? ""}|${endpoint.addresses.join()}`;

function groupEndpoints({ service, node }: SliceFacts, pods: readonly Stored<Pod>[]): readonly Group[] {
  const groups = new Map<string, Group>();
  for (const addressType of familiesOf(service)) {
    for (const pod of pods) {
      const address = addressOf(pod, addressType);
      if (address === undefined) continue;
      const ports = portsOf(service, pod);
      if (ports.length === 0 && !(isHeadless(service) && (service.spec?.ports ?? []).length === 0)) continue;
      const key = `${addressType} ${JSON.stringify(ports)}`;
      let group = groups.get(key);
      if (group === undefined) {
        group = { addressType, ports, endpoints: new Map() };
        groups.set(key, group);
      }
      const endpoint = endpointOf(
        service,
        pod,
        address,
        zoneOf(pod.spec.nodeName === undefined ? undefined : node(pod.spec.nodeName)),
      );
      group.endpoints.set(keyOf(endpoint), endpoint);
    }
  }
  return [...groups.values()].map((group) => withHints(service, group));
}

function endpointOf(service: Service, pod: Stored<Pod>, address: string, zone: string | undefined): Endpoint {
  const hostname = hostnameOf(service, pod);
  return {
    addresses: [address],
    conditions: { ...readinessOf(service, pod) },
    ...(hostname === undefined ? {} : { hostname }),
    targetRef: targetRefOf(pod),
    ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    ...(zone === undefined ? {} : { zone }),
  };
}

/** trafficDistribution: hints that keep traffic in the zone or on the node (KEP-2433, KEP-4444, KEP-3015). All endpoints or none have them. */
function withHints(service: Service, group: Group): Group {
  const distribution = service.spec?.trafficDistribution;
  if (distribution !== "PreferClose" && distribution !== "PreferSameZone" && distribution !== "PreferSameNode") return group;
  const endpoints = [...group.endpoints];
  if (distribution !== "PreferSameNode" && endpoints.some(([, { zone }]) => zone === undefined)) return group;
  const hinted = endpoints.map(([key, endpoint]): [string, Endpoint] => {
    const forZones = endpoint.zone === undefined ? {} : { forZones: [{ name: endpoint.zone }] };
    const forNodes =
      distribution === "PreferSameNode" && endpoint.nodeName !== undefined ? { forNodes: [{ name: endpoint.nodeName }] } : {};
    return [key, { ...endpoint, hints: { ...forZones, ...forNodes } }];
  });
  return { ...group, endpoints: new Map(hinted) };
}

function labelsFor(service: Stored<Service>): Record<string, string> {
  const { [headlessLabel]: _headless, [serviceNameLabel]: _name, [managedByLabel]: _by, ...own } = service.metadata.labels ?? {};
  return {
    ...own,
    ...(isHeadless(service) ? { [headlessLabel]: "" } : {}),
    [serviceNameLabel]: service.metadata.name,
    [managedByLabel]: managedBy,
  };
}

const newSlice = (
  service: Stored<Service>,
  group: Pick<Group, "addressType" | "ports">,
  labels: Record<string, string>,
  trigger: string,
  endpoints: readonly Endpoint[],
): EndpointSlice => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: {
    namespace: service.metadata.namespace,
    generateName: `${service.metadata.name}-`,
    labels,
    annotations: { [triggerAnnotation]: trigger },
    ownerReferences: [
      {
        apiVersion: "v1",
        kind: "Service",
        name: service.metadata.name,
        uid: service.metadata.uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  },
  addressType: group.addressType,
  endpoints: [...endpoints],
  ports: [...group.ports],
});
