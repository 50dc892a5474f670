// The Service through which pods find the cluster's DNS, and the one endpoint behind it: the server in this process.
import { type ApiObject, type EndpointSlice, endpointSlices, type ResourceType, type Service, services } from "#api";
import type { Client } from "#client";

const labels = { "k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS" };

/** Idempotent: server-side apply, so that restarts and a changed address are nothing special. */
export async function publishDns(
  client: Client,
  options: { readonly clusterIp: string; readonly address: string; readonly port: number },
): Promise<void> {
  const apply = <T extends ApiObject>(type: ResourceType<T>, object: T) =>
    client.apply(type, object, { fieldManager: "tiphys", force: true });
  const metadata = { name: "kube-dns", namespace: "kube-system" };
  const service: Service = {
    metadata: { ...metadata, labels },
    spec: {
      clusterIP: options.clusterIp,
      ports: [
        { name: "dns", port: 53, protocol: "UDP", targetPort: options.port },
        { name: "dns-tcp", port: 53, protocol: "TCP", targetPort: options.port },
      ],
    },
  };
  await apply(services, { apiVersion: "v1", kind: "Service", ...service });
  const slice: EndpointSlice = {
    metadata: {
      ...metadata,
      labels: { ...labels, "kubernetes.io/service-name": "kube-dns", "endpointslice.kubernetes.io/managed-by": "tiphys" },
    },
    addressType: "IPv4",
    ports: [
      { name: "dns", port: options.port, protocol: "UDP" },
      { name: "dns-tcp", port: options.port, protocol: "TCP" },
    ],
    endpoints: [{ addresses: [options.address], conditions: { ready: true } }],
  } as EndpointSlice;
  await apply(endpointSlices, { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", ...slice });
}
