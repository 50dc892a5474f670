// Which endpoints serve a port of a service: by readiness, termination and the traffic policies (KEP-1669, KEP-2086).
import type { EndpointSlice, ServicePort } from "#api";
import { isIpv4 } from "./address.ts";

export interface Backends {
  /** "10.244.0.5 . 8080", sorted: endpoints of the whole cluster, and those on this node. */
  readonly cluster: readonly string[];
  readonly local: readonly string[];
}

interface Candidate {
  readonly backend: string;
  readonly ready: boolean;
  /** Shutting down, still answering. */
  readonly lastResort: boolean;
  readonly local: boolean;
}

const noProxyLabels = ["service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"];

/** Slices of one service, of any address type. Where nothing is ready, endpoints that terminate but still serve take over. */
export function backendsOf(port: ServicePort, slices: readonly EndpointSlice[], nodeName: string): Backends {
  const candidates = new Map<string, Candidate>();
  for (const slice of slices) {
    for (const candidate of candidatesOf(port, slice, nodeName)) {
      const known = candidates.get(candidate.backend);
      if (known === undefined || (!known.ready && (candidate.ready || candidate.lastResort))) candidates.set(candidate.backend, candidate);
    }
  }
  const all = [...candidates.values()];
  return { cluster: usable(all), local: usable(all.filter((candidate) => candidate.local)) };
}

function usable(candidates: readonly Candidate[]): string[] {
  const ready = candidates.filter((candidate) => candidate.ready);
  const chosen = ready.length > 0 ? ready : candidates.filter((candidate) => candidate.lastResort);
  return chosen.map((candidate) => candidate.backend).sort();
}

function candidatesOf(port: ServicePort, slice: EndpointSlice, nodeName: string): Candidate[] {
  const labels = slice.metadata.labels ?? {};
  if (slice.addressType !== "IPv4" || noProxyLabels.some((label) => Object.hasOwn(labels, label))) return [];
  const found: Candidate[] = [];
  for (const slicePort of slice.ports ?? []) {
    if ((slicePort.name ?? "") !== (port.name ?? "") || (slicePort.protocol ?? "TCP") !== (port.protocol ?? "TCP")) continue;
    if (slicePort.port === undefined || !Number.isInteger(slicePort.port)) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const address = endpoint.addresses[0]; // all addresses of one endpoint are the same thing: only the first is used
      if (!isIpv4(address)) continue;
      const { ready = true, serving = true, terminating = false } = endpoint.conditions ?? {};
      found.push({ backend: `${address} . ${slicePort.port}`, ready, lastResort: serving && terminating, local: endpoint.nodeName === nodeName });
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
