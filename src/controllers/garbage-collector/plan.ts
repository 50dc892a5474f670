// What happens to an object because of its owners: pure. Every owner that counts as absent was checked with the server just before (I15).
import type { ApiObject, OwnerReference, Stored } from "#api";
import { foregroundFinalizer, orphanFinalizer } from "./graph.ts";

/** What the server said about one owner. */
export type OwnerState = "solid" | "absent" | "waitsForDependents";

export type Action =
  | { readonly kind: "keep" }
  /** Some owners are gone, others are not: drop the references to those that are. */
  | { readonly kind: "unlink"; readonly references: readonly OwnerReference[] }
  | { readonly kind: "delete"; readonly policy: "Background" | "Foreground" | "Orphan" };

/** `object` is fresh from the server. `hasDependents` counts live objects that refer to it. */
export function planForOwners(
  object: Stored<ApiObject>,
  states: ReadonlyMap<string, OwnerState>,
  hasDependents: boolean,
): Action {
  const references = object.metadata.ownerReferences ?? [];
  if (references.length === 0) return { kind: "keep" };
  const inState = (state: OwnerState): readonly OwnerReference[] =>
    references.filter(({ uid }) => (states.get(uid) ?? "solid") === state);
  const solid = inState("solid");
  const waiting = inState("waitsForDependents");
  if (solid.length > 0) {
    if (solid.length === references.length) return { kind: "keep" };
    return { kind: "unlink", references: solid };
  }
  if (object.metadata.deletionTimestamp !== undefined) return { kind: "keep" };
  // Its owner waits for it to be gone, so it in turn must wait for what depends on it.
  if (waiting.length > 0 && hasDependents) return { kind: "delete", policy: "Foreground" };
  const finalizers = object.metadata.finalizers ?? [];
  if (finalizers.includes(orphanFinalizer)) return { kind: "delete", policy: "Orphan" };
  return { kind: "delete", policy: finalizers.includes(foregroundFinalizer) ? "Foreground" : "Background" };
}

/** Dependents that keep an owner from vanishing in a foreground deletion. */
export const blocks = (dependent: { readonly owners: readonly OwnerReference[] }, owner: string): boolean =>
  dependent.owners.some(({ uid, blockOwnerDeletion }) => uid === owner && blockOwnerDeletion === true);
