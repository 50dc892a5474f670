// How many replicas each ReplicaSet gets while a rollout or a scaling is under way: pure arithmetic.
import type { Deployment, ReplicaSet } from "#api";
import {
  availableOf,
  type Bounds,
  desiredAnnotation,
  maxAnnotation,
  oldestFirst,
  order,
  replicasOf,
  sum,
} from "./replica-sets.ts";

/** New replica counts by ReplicaSet name; sets that stay as they are do not occur. */
export type Sizes = ReadonlyMap<string, number>;

const nameOf = (set: ReplicaSet): string => set.metadata.name ?? "";

/** How many replicas the new ReplicaSet may have now: as many as wanted, within maxSurge over all. */
export function newReplicas(bounds: Bounds, all: readonly ReplicaSet[], current: number): number {
  if (!bounds.rolling) return bounds.replicas;
  const room = bounds.replicas + bounds.surge - sum(all, replicasOf);
  return room <= 0 ? current : current + Math.min(room, bounds.replicas - current);
}

/**
 * Available pods that will stay: a set that was just told to shrink still reports the old number until its controller has acted,
 * and counting those pods twice would go below maxUnavailable (upstream does).
 */
const servingOf = (set: ReplicaSet): number => Math.min(replicasOf(set), availableOf(set));

/** Takes from the old ReplicaSets what maxUnavailable allows: first pods that are not available anyway, then available ones, oldest set first. */
export function shrinkOld(bounds: Bounds, newSet: ReplicaSet, old: readonly ReplicaSet[]): Sizes {
  const sizes = new Map<string, number>();
  const size = (set: ReplicaSet): number => sizes.get(nameOf(set)) ?? replicasOf(set);
  const all = [...old, newSet];
  const minAvailable = bounds.replicas - bounds.unavailable;
  const notAvailable = replicasOf(newSet) - servingOf(newSet);
  let budget = sum(all, replicasOf) - minAvailable - notAvailable;
  if (budget <= 0) return sizes;
  for (const set of oldestFirst(old)) {
    const unhealthy = Math.min(budget, replicasOf(set) - servingOf(set));
    if (replicasOf(set) === 0 || unhealthy <= 0) continue;
    sizes.set(nameOf(set), replicasOf(set) - unhealthy);
    budget -= unhealthy;
  }
  budget = sum(all, servingOf) - minAvailable;
  for (const set of oldestFirst(old)) {
    if (budget <= 0) break;
    const taken = Math.min(budget, size(set));
    if (taken === 0) continue;
    sizes.set(nameOf(set), size(set) - taken);
    budget -= taken;
  }
  return sizes;
}

/** True when `replicas` was changed since the active ReplicaSets were last scaled. */
export const isScaling = (deployment: Deployment, sets: readonly ReplicaSet[]): boolean =>
  sets.some((set) => {
    const desired = set.metadata.annotations?.[desiredAnnotation];
    return replicasOf(set) > 0 && desired !== undefined && Number(desired) !== (deployment.spec.replicas ?? 1);
  });

/** Spreads a change of `replicas` over the ReplicaSets of a rollout in proportion to their sizes; a single active one takes it all. */
export function scaleAll(
  deployment: Deployment,
  bounds: Bounds,
  newSet: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): Sizes {
  const all = newSet === undefined ? old : [...old, newSet];
  const active = all.filter((set) => replicasOf(set) > 0);
  const only = active.length === 1 ? active[0] : active.length === 0 ? (newSet ?? oldestFirst(old).at(-1)) : undefined;
  if (only !== undefined) return replicasOf(only) === bounds.replicas ? new Map() : new Map([[nameOf(only), bounds.replicas]]);
  if (active.length === 0) return new Map();
  if (newSet !== undefined && isSaturated(bounds, newSet))
    return new Map(old.filter((set) => replicasOf(set) > 0).map((set) => [nameOf(set), 0]));
  if (!bounds.rolling) return new Map();
  return proportional(deployment, bounds, active);
}

/** The new ReplicaSet has everything it is to have. */
const isSaturated = (bounds: Bounds, set: ReplicaSet): boolean =>
  replicasOf(set) === bounds.replicas &&
  Number(set.metadata.annotations?.[desiredAnnotation]) === bounds.replicas &&
  availableOf(set) === bounds.replicas;

function proportional(deployment: Deployment, bounds: Bounds, active: readonly ReplicaSet[]): Sizes {
  const allowed = bounds.replicas > 0 ? bounds.replicas + bounds.surge : 0;
  const toAdd = allowed - sum(active, replicasOf);
  // Biggest first; of equal ones the newer grows first and the older shrinks first.
  const direction = toAdd > 0 ? -1 : 1;
  const sorted = [...active].sort(
    (a, b) =>
      replicasOf(b) - replicasOf(a) ||
      direction * order(a.metadata.creationTimestamp ?? "", b.metadata.creationTimestamp ?? "") ||
      direction * order(nameOf(a), nameOf(b)),
  );
  const sizes = new Map<string, number>();
  let added = 0;
  for (const set of sorted) {
    const share = toAdd === 0 || toAdd === added ? 0 : clamp(fraction(deployment, bounds, set), toAdd - added);
    sizes.set(nameOf(set), replicasOf(set) + share);
    added += share;
  }
  const [largest] = sorted;
  if (toAdd !== added && largest !== undefined)
    sizes.set(nameOf(largest), Math.max(0, (sizes.get(nameOf(largest)) ?? 0) + toAdd - added));
  return sizes;
}

const clamp = (share: number, left: number): number => (left > 0 ? Math.min(share, left) : Math.max(share, left));

function fraction(deployment: Deployment, bounds: Bounds, set: ReplicaSet): number {
  if (bounds.replicas === 0) return -replicasOf(set);
  const text = set.metadata.annotations?.[maxAnnotation] ?? "";
  const before = /^\d+$/.test(text) && Number(text) > 0 ? Number(text) : (deployment.status?.replicas ?? 0);
  if (before === 0) return 0;
  return Math.round((replicasOf(set) * (bounds.replicas + bounds.surge)) / before) - replicasOf(set);
}
