// Rules for granting leases: limits, ids.
import { leaseExists, leaseTtlTooLarge } from "./messages.ts";
import type { State } from "./state.ts";

/** etcd with default election timing never grants less. */
const minimumTtlSeconds = 2;
const maximumTtlSeconds = 9_000_000_000;

/** Adds the lease to the state; returns what was granted. Without an id (or 0n) the store chooses one. */
export function grant(
  state: State,
  ttlSeconds: number,
  id: bigint | undefined,
  chooseId: () => bigint,
): { readonly id: bigint; readonly ttlSeconds: number } {
  if (ttlSeconds > maximumTtlSeconds) throw leaseTtlTooLarge();
  let chosen = id ?? 0n;
  if (chosen === 0n)
    do chosen = chooseId();
    while (state.grants.has(chosen));
  else if (state.grants.has(chosen)) throw leaseExists();
  const granted = { id: chosen, ttlSeconds: Math.max(ttlSeconds, minimumTtlSeconds) };
  state.grants.set(chosen, granted);
  return granted;
}

/** A positive 63-bit id from eight random bytes. */
export const leaseIdFrom = (bytes: Uint8Array): bigint => {
  let id = 0n;
  for (const byte of bytes) id = (id << 8n) | BigInt(byte);
  return BigInt.asUintN(63, id) || 1n;
};
