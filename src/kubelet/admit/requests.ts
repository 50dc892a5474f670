// What a pod asks of its node.
import { milliValue, type Pod, quantityValue, type ResourceRequirements } from "#api";
import { initContainers, isSidecar } from "../pod/spec.ts";

/** cpu in thousandths, everything else in units; "pods" is not part of it. */
export type Requests = ReadonlyMap<string, number>;

/** Containers and sidecars together; an init container only counts where it needs more than they do. */
export function podRequests(pod: Pod): Requests {
  const total = new Map<string, number>();
  for (const container of pod.spec.containers) add(total, requestsOf(container.resources));
  const begun = new Map<string, number>();
  let peak = new Map<string, number>();
  for (const container of initContainers(pod)) {
    const own = requestsOf(container.resources);
    if (isSidecar(container)) {
      add(total, own);
      add(begun, own);
      peak = most(peak, begun);
    } else {
      const during = new Map(begun);
      add(during, own);
      peak = most(peak, during);
    }
  }
  const needed = most(total, peak);
  for (const [name, quantity] of Object.entries(pod.spec.resources?.requests ?? {})) needed.set(name, valueOf(name, quantity));
  for (const [name, quantity] of Object.entries(pod.spec.overhead ?? {})) needed.set(name, (needed.get(name) ?? 0) + valueOf(name, quantity));
  return needed;
}

export const valueOf = (name: string, quantity: string | number): number => (name === "cpu" ? milliValue(quantity) : quantityValue(quantity));

const requestsOf = (resources: ResourceRequirements | undefined): Requests =>
  new Map(Object.entries(resources?.requests ?? {}).map(([name, quantity]) => [name, valueOf(name, quantity)]));

function add(to: Map<string, number>, more: Requests): void {
  for (const [name, value] of more) to.set(name, (to.get(name) ?? 0) + value);
}

function most(a: Requests, b: Requests): Map<string, number> {
  const result = new Map(a);
  for (const [name, value] of b) result.set(name, Math.max(result.get(name) ?? 0, value));
  return result;
}
