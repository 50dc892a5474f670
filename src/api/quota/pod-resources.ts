// What a whole pod asks for: containers, sidecars, init containers and overhead (KEP-753), or its pod-level resources (KEP-2837).
import { addQuantities, compareQuantities, type ParsedQuantity, parseQuantity } from "../quantity.ts";
import type { Quantity } from "../scalars.ts";
import type { Container, PodSpec } from "../types/mod.ts";

/** Quantities by resource name. */
export type Amounts = ReadonlyMap<string, ParsedQuantity>;
type List = Readonly<Record<string, Quantity>> | undefined;

/** A resource list, parsed. */
export const parseAmounts = (list: List): Amounts =>
  new Map(Object.entries(list ?? {}).map(([name, quantity]) => [name, parseQuantity(quantity)]));

export function addAmounts(a: Amounts, b: Amounts): Amounts {
  const total = new Map(a);
  for (const [name, amount] of b) {
    const had = total.get(name);
    total.set(name, had === undefined ? amount : addQuantities(had, amount));
  }
  return total;
}

function max(a: Amounts, b: Amounts): Amounts {
  const most = new Map(a);
  for (const [name, amount] of b) {
    const had = most.get(name);
    if (had === undefined || compareQuantities(amount, had) > 0) most.set(name, amount);
  }
  return most;
}

const isSidecar = (container: Container): boolean => container.restartPolicy === "Always";

/** Requests or limits of the whole pod, as scheduler, quotas and limit ranges count them. */
export function podAmounts(spec: PodSpec, which: "requests" | "limits"): Amounts {
  let running: Amounts = new Map();
  for (const container of spec.containers) running = addAmounts(running, parseAmounts(container.resources?.[which]));
  let sidecars: Amounts = new Map();
  let starting: Amounts = new Map();
  for (const container of spec.initContainers ?? []) {
    const own = parseAmounts(container.resources?.[which]);
    if (isSidecar(container)) {
      sidecars = addAmounts(sidecars, own);
      running = addAmounts(running, own);
      starting = max(starting, sidecars);
    } else starting = max(starting, addAmounts(sidecars, own));
  }
  let total = max(running, starting);
  const ofPod = parseAmounts(spec.resources?.[which]);
  total = new Map([...total, ...ofPod]);
  if (spec.overhead === undefined) return total;
  // Overhead counts as a limit only where there is one.
  const overhead = parseAmounts(spec.overhead);
  return addAmounts(total, which === "requests" ? overhead : new Map([...overhead].filter(([name]) => total.has(name))));
}
