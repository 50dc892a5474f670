// What a pod asks of its node, as plain numbers.
import { milliValue, type Pod, podAmounts, type Quantity, quantityValue, scaledQuantity } from "#api";

/** cpu in thousandths, everything else in units. */
export const podRequests = (pod: Pod): ReadonlyMap<string, number> =>
  new Map(
    [...podAmounts(pod.spec, "requests")].map(([name, amount]) => [
      name,
      Number(scaledQuantity(amount, name === "cpu" ? -3 : 0)),
    ]),
  );

/** In the same units. */
export const amountOf = (name: string, quantity: Quantity): number =>
  name === "cpu" ? milliValue(quantity) : quantityValue(quantity);
