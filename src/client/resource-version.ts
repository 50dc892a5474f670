// Resource versions are decimal numbers without a bound (KEP-5504): compare them without losing digits.

/** Below 0 when `a` is older than `b`, 0 when equal. "" is older than everything. */
export function compareResourceVersions(a: string, b: string): number {
  if (a === b) return 0;
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : 1;
}
