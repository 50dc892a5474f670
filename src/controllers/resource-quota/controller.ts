// ResourceQuotas: their limits and what is used of them. Admission adds; this controller counts anew when something goes or a limit changes.
import {
  type Amounts,
  type ApiObject,
  addAmounts,
  builtInResources,
  canonicalQuantity,
  formatQuantity,
  isInQuotaScopes,
  objectKey,
  type Pod,
  parseQuantity,
  type Quantity,
  quotaEvaluator,
  type ResourceQuota,
  type ResourceType,
  resourceQuotas,
  type Stored,
  semanticEqual,
} from "#api";
import { type Controller, type Informer, watchMapped } from "#client";
import type { ControllerContext } from "../context.ts";
import { OwnWrites } from "../shared/own-writes.ts";
import { isFinished } from "../shared/pods.ts";

/** Custom resources and events are counted only where a quota names them, so their informers begin then. */
export function resourceQuotaController({ client, clock, informers }: ControllerContext): Controller {
  const quotas = informers.informer(resourceQuotas);
  const writes = new OwnWrites({ informer: quotas, client, type: resourceQuotas });
  const followed = new Map<ResourceType, Informer<ApiObject>>();
  let enqueue: (key: string) => void = () => {};

  const follow = (type: ResourceType): Informer<ApiObject> => {
    let informer = followed.get(type);
    if (informer === undefined) {
      informer = informers.informer(type);
      followed.set(type, informer);
      const recount = ({ metadata }: ApiObject): void => {
        for (const quota of quotas.list(metadata.namespace)) enqueue(objectKey(quota));
      };
      informer.addHandler({
        // What is created is counted by admission, before it exists; counting it here as well would race with that.
        updated: (object, before) => {
          if (!sameUsage(type, object, before, clock.now())) recount(object);
        },
        deleted: recount,
      });
    }
    return informer;
  };

  return {
    name: "resourcequota-controller",
    sources: [
      watchMapped(quotas, (quota, before) => (before === undefined || needsCount(quota) ? [objectKey(quota)] : [])),
      {
        name: "counted objects",
        synced: quotas.synced,
        get hasSynced() {
          return quotas.hasSynced;
        },
        start: (add) => {
          enqueue = add;
          return {
            [Symbol.dispose]: () => {
              enqueue = () => {};
            },
          };
        },
      },
    ],
    reconcile: async (key, signal) => {
      await writes.settled(key, signal);
      const quota = quotas.get(key);
      if (quota === undefined) return writes.forget(key);
      const objects = new Map<ResourceType, readonly Stored<ApiObject>[]>();
      for (const type of typesOf(quota)) {
        const informer = follow(type);
        await informer.synced;
        objects.set(type, informer.list(quota.metadata.namespace));
      }
      const status = countedStatus(quota, objects, clock.now());
      if (semanticEqual(status, quota.status)) return;
      writes.wrote(key, await client.update(resourceQuotas, { ...quota, status }, { subresource: "status", signal }));
    },
  };
}

const needsCount = (quota: ResourceQuota): boolean =>
  !semanticEqual(quota.spec?.hard ?? {}, quota.status?.hard ?? {}) || quota.status?.used === undefined;

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

function sameUsage(type: ResourceType, a: ApiObject, b: ApiObject, nowMs: number): boolean {
  const text = (object: ApiObject): string =>
    [...usageNow(type, object, nowMs)].map(([name, amount]) => `${name}=${formatQuantity(amount)}`).join();
  return text(a) === text(b);
}
