// What a whole pod asks for: containers, sidecars, init containers and overhead (KEP-753), or its pod-level resources (KEP-2837).
import { addQuantities, type Container, compareQuantities, type ParsedQuantity, type PodSpec, parseQuantity, type Quantity } from "#api";

export type Amounts = ReadonlyMap<string, ParsedQuantity>;
type List = Readonly<Record<string, Quantity>> | undefined;

export const amounts = (list: List): Amounts => new Map(Object.entries(list ?? {}).map(([name, quantity]) => [name, parseQuantity(quantity)]));

export function sum(a: Amounts, b: Amounts): Amounts {
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

export function podAmounts(spec: PodSpec, which: "requests" | "limits"): Amounts {
  let running: Amounts = new Map();
  for (const container of spec.containers) running = sum(running, amounts(container.resources?.[which]));
  let sidecars: Amounts = new Map();
  let starting: Amounts = new Map();
  for (const container of spec.initContainers ?? []) {
    const own = amounts(container.resources?.[which]);
    if (isSidecar(container)) {
      sidecars = sum(sidecars, own);
      running = sum(running, own);
      starting = max(starting, sidecars);
    } else starting = max(starting, sum(sidecars, own));
  }
  let total = max(running, starting);
  const ofPod = amounts(spec.resources?.[which]);
  total = new Map([...total, ...ofPod]);
  if (spec.overhead === undefined) return total;
  // Overhead counts as a limit only where there is one.
  const overhead = amounts(spec.overhead);
  return sum(total, which === "requests" ? overhead : new Map([...overhead].filter(([name]) => total.has(name))));
}
