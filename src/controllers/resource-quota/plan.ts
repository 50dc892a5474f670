// What is used of a ResourceQuota: pure counting over objects.
import {
  type Amounts,
  type ApiObject,
  addAmounts,
  builtInResources,
  canonicalQuantity,
  formatQuantity,
  isInQuotaScopes,
  type Pod,
  parseQuantity,
  type Quantity,
  quotaEvaluator,
  type ResourceQuota,
  type ResourceType,
  type Stored,
} from "#api";
import { isFinished } from "../shared/pods.ts";

/** The resources that the quota's names speak of. */
export function typesOf(quota: ResourceQuota): readonly ResourceType[] {
  const names = Object.keys(quota.spec?.hard ?? {});
  return (builtInResources as readonly ResourceType[]).filter(
    (type) => type.namespaced && type.verbs.includes("watch") && names.some((name) => quotaEvaluator(type).counts(name)),
  );
}

/** Limits as they are wanted, and what the objects use of them. */
export function countedStatus(
  quota: Stored<ResourceQuota>,
  objects: ReadonlyMap<ResourceType, readonly Stored<ApiObject>[]>,
  nowMs: number,
): NonNullable<ResourceQuota["status"]> {
  const hard = quota.spec?.hard ?? {};
  let used: Amounts = new Map();
  for (const [type, all] of objects) {
    const evaluator = quotaEvaluator(type);
    for (const object of all)
      if (isInQuotaScopes(quota, evaluator, object)) used = addAmounts(used, usageNow(type, object, nowMs));
  }
  const names = Object.keys(hard).filter((name) => [...objects.keys()].some((type) => quotaEvaluator(type).counts(name)));
  const counted = names.map((name): [string, Quantity] => [
    name,
    canonicalQuantity(formatQuantity(used.get(name) ?? parseQuantity("0"))),
  ]);
  return { hard, used: Object.fromEntries(counted) };
}

/** Finished pods, and those that should long be gone, count as objects and use nothing. */
function usageNow(type: ResourceType, object: ApiObject, nowMs: number): Amounts {
  const usage = quotaEvaluator(type).usage(object);
  if (type.group !== "" || type.plural !== "pods") return usage;
  const pod = object as Pod; // by its type
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
  const overdue =
    deletionTimestamp !== undefined &&
    deletionGracePeriodSeconds !== undefined &&
    Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000 <= nowMs;
  return isFinished(pod) || overdue ? new Map([...usage].filter(([name]) => name === "count/pods")) : usage;
}

export function sameUsage(type: ResourceType, a: ApiObject, b: ApiObject, nowMs: number): boolean {
  const text = (object: ApiObject): string =>
    [...usageNow(type, object, nowMs)].map(([name, amount]) => `${name}=${formatQuantity(amount)}`).join();
  return text(a) === text(b);
}
