// The downward API: fields of the pod and resources of its containers as text.
import {
  type Container,
  milliValue,
  type Pod,
  parseQuantity,
  type Quantity,
  quantityValue,
  type ResourceFieldSelector,
} from "#api";
import { findContainer } from "./spec.ts";

export interface DownwardFacts {
  readonly pod: Pod;
  readonly podIps: readonly string[];
  readonly hostIps: readonly string[];
  /** What a container without a limit may use at most. */
  readonly allocatable: Readonly<Record<string, Quantity>>;
}

/** Throws for a path that is not supported. */
export function fieldValue(path: string, { pod, podIps, hostIps }: DownwardFacts): string {
  const { metadata, spec } = pod;
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path);
  if (subscript !== null)
    return (subscript[1] === "labels" ? metadata.labels : metadata.annotations)?.[subscript[2] as string] ?? ""; // the group took part in the match
  switch (path) {
    case "metadata.name":
      return metadata.name ?? "";
    case "metadata.namespace":
      return metadata.namespace ?? "";
    case "metadata.uid":
      return metadata.uid ?? "";
    case "metadata.labels":
      return formatMap(metadata.labels);
    case "metadata.annotations":
      return formatMap(metadata.annotations);
    case "spec.nodeName":
      return spec.nodeName ?? "";
    case "spec.serviceAccountName":
      return spec.serviceAccountName ?? "";
    case "status.hostIP":
      return hostIps[0] ?? "";
    case "status.hostIPs":
      return hostIps.join(",");
    case "status.podIP":
      return podIps[0] ?? "";
    case "status.podIPs":
      return podIps.join(",");
    default:
      throw new Error(`unsupported fieldPath: ${path}`);
  }
}

/** key="value", one a line, sorted. */
const formatMap = (map: Readonly<Record<string, string>> | undefined): string =>
  Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join("\n");

export function resourceFieldValue(selector: ResourceFieldSelector, containerName: string, facts: DownwardFacts): string {
  const name = selector.containerName ?? containerName;
  const container = findContainer(facts.pod, name)?.container as Container | undefined;
  if (container === undefined) throw new Error(`container ${name} not found`);
  const [kind, ...rest] = selector.resource.split(".");
  const resource = rest.join(".");
  const quantity =
    kind === "requests"
      ? container.resources?.requests?.[resource]
      : (container.resources?.limits?.[resource] ?? facts.allocatable[resource]);
  const divisor = selector.divisor === undefined || String(selector.divisor) === "0" ? "1" : selector.divisor;
  if (quantity === undefined) return "0";
  parseQuantity(quantity);
  const value =
    resource === "cpu"
      ? Math.ceil(milliValue(quantity) / milliValue(divisor))
      : Math.ceil(quantityValue(quantity) / quantityValue(divisor));
  return String(value);
}
