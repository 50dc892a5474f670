// Which endpoints serve a port of a service: by readiness, termination, topology hints and the traffic policies.
import type { Endpoint, EndpointSlice, ServicePort } from "#api";
import { isIpv4 } from "./address.ts";
import type { NodeView } from "./model.ts";

export interface Backends {
  /** "10.244.0.5 . 8080", sorted: endpoints for policy Cluster, and those for policy Local. */
  readonly cluster: readonly string[];
  readonly local: readonly string[];
  /** Every usable address on this node, hints or not. */
  readonly localAddresses: readonly string[];
}

interface Candidate {
  readonly backend: string;
  readonly endpoint: Endpoint;
}

const notProxiedLabels = ["service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"];

/** Slices of one service, of any address type. */
export function backendsOf(port: ServicePort, slices: readonly EndpointSlice[], node: NodeView): Backends {
  const candidates = new Map<string, Candidate>();
  for (const slice of slices) {
    for (const candidate of candidatesOf(port, slice)) {
      // An endpoint may stand in two slices for a moment: the ready one counts.
      if (!candidates.has(candidate.backend) || isReady(candidate)) candidates.set(candidate.backend, candidate);
    }
  }
  const all = [...candidates.values()].sort((a, b) => (a.backend < b.backend ? -1 : 1));
  const local = all.filter(({ endpoint }) => endpoint.nodeName === node.name);
  const backends = (some: readonly Candidate[]): string[] => some.map(({ backend }) => backend);
  const localAddresses = [...new Set(local.map(({ endpoint }) => endpoint.addresses[0] as string))]; // candidates have one
  return { cluster: backends(usable(nearest(all, node))), local: backends(usable(local)), localAddresses };
}

const isReady = ({ endpoint }: Candidate): boolean => endpoint.conditions?.ready !== false;

/** The ready ones; where there is none, those that terminate but still serve (KEP-1669). */
function usable(candidates: readonly Candidate[]): readonly Candidate[] {
  const ready = candidates.filter(isReady);
  if (ready.length > 0) return ready;
  return candidates.filter(({ endpoint }) => endpoint.conditions?.serving !== false && endpoint.conditions?.terminating === true);
}

/** Hints count when every ready endpoint has them and one is near (KEP-2433, KEP-3015): first those for the node, then those for its zone. */
function nearest(candidates: readonly Candidate[], node: NodeView): readonly Candidate[] {
  const ready = candidates.filter(isReady);
  for (const [hints, own] of [
    ["forNodes", node.name],
    ["forZones", node.zone],
  ] as const) {
    if (own === undefined || !ready.every(({ endpoint }) => (endpoint.hints?.[hints] ?? []).length > 0)) continue;
    const near = ready.filter(({ endpoint }) => endpoint.hints?.[hints]?.some(({ name }) => name === own));
    if (near.length > 0) return near;
  }
  return candidates;
}

function candidatesOf(port: ServicePort, slice: EndpointSlice): Candidate[] {
  const labels = slice.metadata.labels ?? {};
  if (slice.addressType !== "IPv4" || notProxiedLabels.some((label) => Object.hasOwn(labels, label))) return [];
  const found: Candidate[] = [];
  for (const slicePort of slice.ports ?? []) {
    if ((slicePort.name ?? "") !== (port.name ?? "") || (slicePort.protocol ?? "TCP") !== (port.protocol ?? "TCP")) continue;
    if (slicePort.port === undefined || !Number.isInteger(slicePort.port)) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const address = endpoint.addresses[0]; // all addresses of one endpoint are the same thing: only the first is used
      if (isIpv4(address)) found.push({ backend: `${address} . ${slicePort.port}`, endpoint });
    }
  }
  return found;
}

/**
 * Puts `wanted` into numbered slots without gaps, keeping what `before` holds where it is: a newcomer goes to a hole or the end, a hole that
 * nobody fills takes the last. So one endpoint more or less changes at most two slots.
 */
export function placeInSlots(before: readonly string[], wanted: readonly string[]): readonly string[] {
  const missing = new Set(wanted);
  const slots: (string | undefined)[] = before.map((backend) => (missing.delete(backend) ? backend : undefined));
  const newcomers = [...missing];
  for (let index = 0; index < slots.length; index++) if (slots[index] === undefined) slots[index] = newcomers.shift();
  slots.push(...newcomers);
  for (let index = 0; index < slots.length; index++) {
    while (slots.length > 0 && slots.at(-1) === undefined) slots.pop();
    if (index < slots.length && slots[index] === undefined) slots[index] = slots.pop();
  }
  return slots as string[]; // every hole was filled or cut off
}
