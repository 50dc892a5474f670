// Endpoints that users write for services without a selector, as EndpointSlices for those who read only these: pure.
import {
  type Endpoint,
  type EndpointAddress,
  type EndpointSlice,
  type EndpointSubset,
  type Endpoints,
  type Service,
  type Stored,
  semanticEqual,
} from "#api";
import type { SlicePlan } from "../shared/write-slices.ts";

const maxEndpoints = 100;
/** Of one subset; upstream mirrors no more. */
const maxMirrored = 1000;
export const mirroredBy = "endpointslicemirroring-controller.k8s.io";
const managedByLabel = "endpointslice.kubernetes.io/managed-by";
const serviceNameLabel = "kubernetes.io/service-name";

/** Mirrored are Endpoints of a service without a selector, unless they say otherwise or serve as a lock. */
export function shouldMirror(endpoints: Endpoints | undefined, service: Service | undefined): boolean {
  if (
    endpoints === undefined ||
    service === undefined ||
    service.spec?.selector !== undefined ||
    service.spec?.type === "ExternalName"
  )
    return false;
  if (endpoints.metadata.deletionTimestamp !== undefined) return false;
  const { labels, annotations } = endpoints.metadata;
  return (
    labels?.["endpointslice.kubernetes.io/skip-mirror"] !== "true" &&
    annotations?.["control-plane.alpha.kubernetes.io/leader"] === undefined
  );
}

/** `endpoints` undefined: nothing is to be mirrored and the slices go. */
export function planMirror(endpoints: Stored<Endpoints> | undefined, slices: readonly Stored<EndpointSlice>[]): SlicePlan {
  const create: EndpointSlice[] = [];
  const update: Stored<EndpointSlice>[] = [];
  const spare = [...slices];
  for (const wanted of endpoints === undefined ? [] : wantedSlices(endpoints)) {
    const same = spare.findIndex((slice) => slice.addressType === wanted.addressType && semanticEqual(slice.ports, wanted.ports));
    const index = same === -1 ? spare.findIndex((slice) => slice.addressType === wanted.addressType) : same;
    const [slice] = index === -1 ? [] : spare.splice(index, 1);
    if (slice === undefined) create.push(wanted);
    else if (
      !semanticEqual(slice.endpoints, wanted.endpoints) ||
      !semanticEqual(slice.ports, wanted.ports) ||
      !semanticEqual(slice.metadata.labels, wanted.metadata.labels)
    )
      update.push({
        ...slice,
        metadata: { ...slice.metadata, labels: wanted.metadata.labels },
        endpoints: wanted.endpoints,
        ports: wanted.ports,
      });
  }
  return { create, update, remove: spare };
}

function wantedSlices(endpoints: Stored<Endpoints>): readonly EndpointSlice[] {
  return (endpoints.subsets ?? []).flatMap((subset) =>
    (["IPv4", "IPv6"] as const).flatMap((addressType) => {
      const all = endpointsOf(subset).filter(({ addresses }) => addresses[0]?.includes(":") === (addressType === "IPv6"));
      const chunks = Array.from({ length: Math.ceil(all.length / maxEndpoints) }, (_, i) =>
        all.slice(i * maxEndpoints, (i + 1) * maxEndpoints),
      );
      return chunks.map((chunk) => newSlice(endpoints, subset, addressType, chunk));
    }),
  );
}

function endpointsOf(subset: EndpointSubset): readonly Endpoint[] {
  const endpoint = (address: EndpointAddress, ready: boolean): Endpoint => ({
    addresses: [address.ip],
    conditions: { ready },
    ...(address.hostname === undefined || address.hostname === "" ? {} : { hostname: address.hostname }),
    ...(address.nodeName === undefined ? {} : { nodeName: address.nodeName }),
    ...(address.targetRef === undefined ? {} : { targetRef: address.targetRef }),
  });
  const ready = (subset.addresses ?? []).map((address) => endpoint(address, true));
  return [...ready, ...(subset.notReadyAddresses ?? []).map((address) => endpoint(address, false))].slice(0, maxMirrored);
}

const newSlice = (
  endpoints: Stored<Endpoints>,
  subset: EndpointSubset,
  addressType: "IPv4" | "IPv6",
  chunk: readonly Endpoint[],
): EndpointSlice => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: {
    namespace: endpoints.metadata.namespace,
    generateName: `${endpoints.metadata.name}-`,
    labels: { ...endpoints.metadata.labels, [serviceNameLabel]: endpoints.metadata.name, [managedByLabel]: mirroredBy },
    ownerReferences: [
      {
        apiVersion: "v1",
        kind: "Endpoints",
        name: endpoints.metadata.name,
        uid: endpoints.metadata.uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  },
  addressType,
  endpoints: [...chunk],
  ports: (subset.ports ?? []).map((port) => ({ name: "", protocol: "TCP", ...port })),
});
