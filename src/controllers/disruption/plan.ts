// How many pods a PodDisruptionBudget lets go now: pure.
import {
  type IntOrString,
  type Pod,
  type PodDisruptionBudget,
  type PodDisruptionBudgetStatus,
  percentOf,
  type Stored,
  scaledValue,
  semanticEqual,
} from "#api";
import { rfc3339 } from "#client";
import { setCondition } from "../shared/conditions.ts";
import { isReady, isTerminating } from "../shared/pods.ts";

/** An eviction that was granted and has not led to a deletion after two minutes is taken back. */
const disruptionTimeoutMs = 120_000;

export interface BudgetFacts {
  readonly budget: Stored<PodDisruptionBudget>;
  readonly pods: readonly Stored<Pod>[];
  /** Replicas that the pods' controllers want, over all distinct controllers. An error text when that cannot be found out. */
  readonly expectedScale: () => number | { readonly error: string };
  readonly nowMs: number;
}

export interface BudgetPlan {
  readonly status: PodDisruptionBudgetStatus | undefined;
  readonly requeueAfterMs: number | undefined;
}

export function planBudget({ budget, pods, expectedScale, nowMs }: BudgetFacts): BudgetPlan {
  const { minAvailable, maxUnavailable } = budget.spec ?? {};
  const byScale = maxUnavailable !== undefined || (minAvailable !== undefined && percentOf(minAvailable) !== undefined);
  const expected = byScale ? expectedScale() : pods.length;
  if (typeof expected !== "number") return failsafe(budget, expected.error, nowMs);
  const desiredHealthy = Math.max(0, desired(minAvailable, maxUnavailable, expected));

  const disruptedPods: Record<string, string> = {};
  let requeueAfterMs: number | undefined;
  for (const pod of pods) {
    const since = budget.status?.disruptedPods?.[pod.metadata.name];
    if (since === undefined || isTerminating(pod)) continue;
    const leftMs = Date.parse(since) + disruptionTimeoutMs - nowMs;
    if (leftMs <= 0) continue;
    disruptedPods[pod.metadata.name] = since;
    requeueAfterMs = Math.min(requeueAfterMs ?? leftMs, leftMs);
  }
  const currentHealthy = pods.filter(
    (pod) => !isTerminating(pod) && disruptedPods[pod.metadata.name] === undefined && isReady(pod),
  ).length;
  const disruptionsAllowed = expected <= 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy);
  const status: PodDisruptionBudgetStatus = {
    currentHealthy,
    desiredHealthy,
    expectedPods: expected,
    disruptionsAllowed,
    ...(Object.keys(disruptedPods).length === 0 ? {} : { disruptedPods }),
    observedGeneration: budget.metadata.generation ?? 0,
    conditions: allowed(budget, disruptionsAllowed > 0 ? "SufficientPods" : "InsufficientPods", "", nowMs),
  };
  return { status: semanticEqual(status, budget.status ?? {}) ? undefined : status, requeueAfterMs };
}

function desired(minAvailable: IntOrString | undefined, maxUnavailable: IntOrString | undefined, expected: number): number {
  if (maxUnavailable !== undefined) return expected - scaledValue(maxUnavailable, expected, true);
  return minAvailable === undefined ? 0 : scaledValue(minAvailable, expected, true);
}

/** What cannot be counted is not let go. */
function failsafe(budget: Stored<PodDisruptionBudget>, error: string, nowMs: number): BudgetPlan {
  const status = {
    currentHealthy: 0,
    desiredHealthy: 0,
    expectedPods: 0,
    ...budget.status,
    disruptionsAllowed: 0,
    observedGeneration: budget.metadata.generation ?? 0,
    conditions: allowed(budget, "SyncFailed", error, nowMs),
  };
  return { status: semanticEqual(status, budget.status ?? {}) ? undefined : status, requeueAfterMs: undefined };
}

function allowed(budget: PodDisruptionBudget, reason: string, message: string, nowMs: number) {
  const status = reason === "SufficientPods" ? "True" : "False";
  return setCondition(budget.status?.conditions, {
    type: "DisruptionAllowed",
    status,
    reason,
    message,
    lastTransitionTime: rfc3339(nowMs),
    observedGeneration: budget.metadata.generation ?? 0,
  });
}
