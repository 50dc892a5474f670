// For tests: services and slices in few words.
import type { Endpoint, EndpointSlice, Service } from "#api";
import type { NodeView } from "../model.ts";

export const node: NodeView = { name: "n1", ips: ["192.0.2.1"], clusterCidrs: ["10.244.0.0/16"] };

export const service = (name: string, spec: Service["spec"], status?: Service["status"]): Service => ({
  metadata: { name, namespace: "default", creationTimestamp: "2026-01-01T00:00:00Z" },
  spec: { ports: [{ port: 80, protocol: "TCP" }], ...spec },
  ...(status === undefined ? {} : { status }),
});

export const slice = (serviceName: string, endpoints: readonly Endpoint[], more: Partial<EndpointSlice> = {}): EndpointSlice => ({
  addressType: "IPv4",
  ports: [{ name: "", port: 8080, protocol: "TCP" }],
  endpoints,
  ...more,
  metadata: {
    name: `${serviceName}-1`,
    namespace: "default",
    ...more.metadata,
    labels: { "kubernetes.io/service-name": serviceName, ...more.metadata?.labels },
  },
});

/** Ready, at 10.244.`nodeNumber`.`number` on that node. */
export const endpoint = (number: number, nodeNumber = 1, conditions: Endpoint["conditions"] = { ready: true }): Endpoint => ({
  addresses: [`10.244.${nodeNumber}.${number}`],
  conditions,
  nodeName: `n${nodeNumber}`,
});
