// Carries out what was planned for the EndpointSlices of one service: all writes at once, each remembered until the cache shows it.
import { type EndpointSlice, endpointSlices, isNotFound, type Stored } from "#api";
import type { Client } from "#client";
import { isNamespaceTerminating, type OwnWrites } from "./own-writes.ts";

export interface SlicePlan {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly Stored<EndpointSlice>[];
  readonly remove: readonly Stored<EndpointSlice>[];
}

/** Throws the first failure that is worth another try, when all have ended: what is gone already or goes with its namespace is not. */
export async function writeSlices(
  key: string,
  plan: SlicePlan,
  {
    client,
    writes,
    signal,
  }: { readonly client: Client; readonly writes: OwnWrites<EndpointSlice>; readonly signal: AbortSignal },
): Promise<void> {
  const done = await Promise.allSettled([
    ...plan.create.map(async (slice) => writes.wrote(key, await client.create(endpointSlices, slice, { signal }))),
    ...plan.update.map(async (slice) => writes.wrote(key, await client.update(endpointSlices, slice, { signal }))),
    ...plan.remove.map(async ({ metadata }) => {
      writes.deleted(key, metadata.uid);
      await client.delete(endpointSlices, metadata, { preconditions: { uid: metadata.uid }, signal });
    }),
  ]);
  for (const result of done) {
    if (result.status === "fulfilled" || isNotFound(result.reason) || isNamespaceTerminating(result.reason)) continue;
    writes.unsure(key);
    throw result.reason;
  }
}
