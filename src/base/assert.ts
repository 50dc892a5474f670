// Guards our own invariants; stays on in production.

export function assert(condition: unknown, mustBeTrue: string): asserts condition {
  if (!condition) throw new Error(`Broken invariant: ${mustBeTrue}`);
}
