// Arithmetic on a node's quantities.
import { formatQuantity, parseQuantity, type Quantity, signOf, subtractQuantities } from "#api";

/** a - b, not below zero, written in a's notation. */
export function quantityLess(a: Quantity, b: Quantity): string {
  const left = subtractQuantities(parseQuantity(a), parseQuantity(b));
  return signOf(left) < 0 ? "0" : formatQuantity({ ...left, format: parseQuantity(a).format });
}
