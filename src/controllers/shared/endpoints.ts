// What EndpointSlices and Endpoints have in common: which pods a service reaches, at which address and ports.
import {
  type EndpointPort,
  type Node,
  type Pod,
  type Service,
  type ServicePort,
  type Stored,
  selectorMatches,
  setSelector,
} from "#api";
import { isFinished, isReady, isTerminating } from "./pods.ts";

export type AddressType = "IPv4" | "IPv6";

/** Services whose endpoints controllers write: with a selector, and not a mere alias. */
export const hasEndpoints = (service: Service): boolean =>
  service.spec?.selector !== undefined && service.spec.type !== "ExternalName";

export const selects = (service: Service, pod: Pod): boolean =>
  Object.keys(service.spec?.selector ?? {}).length > 0 &&
  selectorMatches(setSelector(service.spec?.selector ?? {}), pod.metadata.labels);

export const isHeadless = (service: Service): boolean => service.spec?.clusterIP === "None";

/** Address families that the service asks for; a headless one without a choice follows what the pods have. */
export function familiesOf(service: Service): readonly AddressType[] {
  const families = service.spec?.ipFamilies ?? [];
  if (families.length > 0) return families.map((family) => (family === "IPv6" ? "IPv6" : "IPv4"));
  return service.spec?.clusterIP?.includes(":") === true ? ["IPv6"] : ["IPv4"];
}

export function addressOf(pod: Pod, family: AddressType): string | undefined {
  const addresses = (pod.status?.podIPs ?? []).map(({ ip }) => ip);
  if (addresses.length === 0 && pod.status?.podIP !== undefined) addresses.push(pod.status.podIP);
  return addresses.find((ip) => ip !== "" && ip.includes(":") === (family === "IPv6"));
}

export const canServe = (pod: Pod): boolean => !isFinished(pod) && pod.status?.podIP !== undefined && pod.status.podIP !== "";

export interface Readiness {
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
}

export function readinessOf(service: Service, pod: Pod): Readiness {
  const serving = isReady(pod);
  const terminating = isTerminating(pod);
  return { ready: service.spec?.publishNotReadyAddresses === true || (serving && !terminating), serving, terminating };
}

/** The service's ports as this pod has them; a named target port that the pod does not have is left out. */
export function portsOf(service: Service, pod: Pod): readonly EndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((port) => {
    const number = targetPort(port, pod);
    if (number === undefined) return [];
    const { name, appProtocol, protocol } = port;
    return [
      { name: name ?? "", port: number, protocol: protocol ?? "TCP", ...(appProtocol === undefined ? {} : { appProtocol }) },
    ];
  });
}

function targetPort(port: ServicePort, pod: Pod): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === "number") return target === 0 ? port.port : target;
  const sidecars = (pod.spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  for (const container of [...pod.spec.containers, ...sidecars])
    for (const candidate of container.ports ?? [])
      if (candidate.name === target && (candidate.protocol ?? "TCP") === (port.protocol ?? "TCP")) return candidate.containerPort;
  return undefined;
}

/** Set for pods that DNS is to know by name: hostname, and a subdomain that is the service. */
export const hostnameOf = (service: Service, pod: Pod): string | undefined =>
  (pod.spec.hostname ?? "") !== "" &&
  pod.spec.subdomain === service.metadata.name &&
  pod.metadata.namespace === service.metadata.namespace
    ? pod.spec.hostname
    : undefined;

export const targetRefOf = (pod: Stored<Pod>) => ({
  kind: "Pod",
  namespace: pod.metadata.namespace,
  name: pod.metadata.name,
  uid: pod.metadata.uid,
});

export const zoneOf = (node: Node | undefined): string | undefined => node?.metadata.labels?.["topology.kubernetes.io/zone"];

/** The latest moment at which something changed that the endpoints depend on, for end-to-end latency metrics. */
export function triggerTime(service: Stored<Service>, pods: readonly Pod[]): string {
  let latest = service.metadata.creationTimestamp;
  for (const pod of pods)
    for (const condition of pod.status?.conditions ?? [])
      if (condition.type === "Ready" && condition.lastTransitionTime !== undefined && condition.lastTransitionTime > latest)
        latest = condition.lastTransitionTime;
  return latest;
}
