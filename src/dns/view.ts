// The cluster as DNS sees it: services and their endpoints, by name and by address.
import type { EndpointSlice, Service } from "#api";
import type { Lister } from "#client";

export interface EndpointAddress {
  readonly address: string;
  /** Label of the endpoint below its service: the pod's hostname if it has one, otherwise the address with dashes. */
  readonly host: string;
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[];
}

export interface ClusterView {
  service(namespace: string, name: string): Service | undefined;
  namespaceExists(namespace: string): boolean;
  /** Ready endpoints of a service (or all, where it publishes those that are not ready). */
  endpoints(namespace: string, name: string): readonly EndpointAddress[];
  /** The full name below the zone of what has this address: "web.default.svc". */
  nameOf(address: string): string | undefined;
}

const serviceLabel = "kubernetes.io/service-name";

export interface ClusterListers {
  readonly services: Lister<Service> & { addIndex(name: string, values: (object: Service) => readonly string[]): void };
  readonly endpointSlices: Lister<EndpointSlice> & {
    addIndex(name: string, values: (object: EndpointSlice) => readonly string[]): void;
  };
  readonly namespaces: Lister<import("#api").Namespace>;
}

/** A view over informers; call it before they start, as it adds indexes. */
export function clusterView({ services, endpointSlices, namespaces }: ClusterListers): ClusterView {
  services.addIndex("clusterIP", (service) => service.spec.clusterIPs ?? []);
  endpointSlices.addIndex("service", (slice) => {
    const name = slice.metadata.labels?.[serviceLabel];
    return name === undefined ? [] : [`${slice.metadata.namespace}/${name}`];
  });
  endpointSlices.addIndex("address", (slice) => (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses));
  return {
    service: (namespace, name) => services.get(`${namespace}/${name}`),
    namespaceExists: (namespace) => namespaces.get(namespace) !== undefined,
    endpoints: (namespace, name) => endpointSlices.byIndex("service", `${namespace}/${name}`).flatMap(addressesOf),
    nameOf: (address) => {
      const service = services.byIndex("clusterIP", address)[0];
      if (service !== undefined) return `${service.metadata.name}.${service.metadata.namespace}.svc`;
      for (const slice of endpointSlices.byIndex("address", address)) {
        const endpoint = addressesOf(slice).find((candidate) => candidate.address === address);
        if (endpoint !== undefined)
          return `${endpoint.host}.${slice.metadata.labels?.[serviceLabel]}.${slice.metadata.namespace}.svc`;
      }
      return undefined;
    },
  };
}

function addressesOf(slice: EndpointSlice): EndpointAddress[] {
  const ports = (slice.ports ?? []).map((port) => ({
    name: port.name ?? "",
    protocol: (port.protocol ?? "TCP").toLowerCase(),
    port: port.port ?? 0,
  }));
  return (slice.endpoints ?? [])
    .filter((endpoint) => endpoint.conditions?.ready !== false)
    .flatMap((endpoint) =>
      endpoint.addresses.map((address) => ({ address, host: endpoint.hostname ?? address.replaceAll(/[.:]/g, "-"), ports })),
    );
}
