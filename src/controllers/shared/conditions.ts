// Lists of conditions, replaced without changing what did not change.
import type { Time } from "#api";

export interface AnyCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: Time;
}

export const findCondition = <C extends AnyCondition>(conditions: readonly C[] | undefined, type: string): C | undefined =>
  conditions?.find((condition) => condition.type === type);

/** Upstream's SetCondition of workloads: same status and reason leave the list as it is; same status keeps lastTransitionTime. The new one comes last. */
export function setCondition<C extends AnyCondition>(conditions: readonly C[] | undefined, condition: C): readonly C[] {
  const old = findCondition(conditions, condition.type);
  if (old !== undefined && old.status === condition.status && old.reason === condition.reason) return conditions ?? [];
  const next = old?.status === condition.status ? { ...condition, lastTransitionTime: old.lastTransitionTime } : condition;
  return [...withoutCondition(conditions, condition.type), next];
}

export const withoutCondition = <C extends AnyCondition>(conditions: readonly C[] | undefined, type: string): readonly C[] =>
  (conditions ?? []).filter((condition) => condition.type !== type);
