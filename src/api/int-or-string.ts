// Numbers that may be written as a percentage of something: maxSurge, maxUnavailable, minAvailable.
import type { IntOrString } from "./scalars.ts";

/** The percentage of "25%", or undefined where the text is not a percentage. */
export function percentOf(value: IntOrString): number | undefined {
  if (typeof value !== "string" || !/^[0-9]+%$/.test(value)) return undefined;
  return Number(value.slice(0, -1));
}

/** The number that `value` means out of `total`. Throws for a text that is no percentage. */
export function scaledValue(value: IntOrString, total: number, roundUp: boolean): number {
  if (typeof value === "number") return value;
  const percent = percentOf(value);
  if (percent === undefined)
    throw new Error(`invalid value for IntOrString: invalid type: string is not a percentage: ${JSON.stringify(value)}`);
  const exact = (percent * total) / 100;
  return roundUp ? Math.ceil(exact) : Math.floor(exact);
}

/** How many pods above and below the wanted number a rolling update may go; both zero becomes one unavailable, or nothing would ever move. */
export function resolveFenceposts(
  maxSurge: IntOrString | undefined,
  maxUnavailable: IntOrString | undefined,
  desired: number,
): { surge: number; unavailable: number } {
  const surge = scaledValue(maxSurge ?? 0, desired, true);
  const unavailable = scaledValue(maxUnavailable ?? 0, desired, false);
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}
