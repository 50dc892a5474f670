// ResourceQuotas: their limits and what is used of them. Admission adds; this controller counts anew when something goes or a limit changes.
import {
  type ApiObject,
  objectKey,
  type ResourceQuota,
  type ResourceType,
  resourceQuotas,
  type Stored,
  semanticEqual,
} from "#api";
import { type Controller, type Informer, watchMapped } from "#client";
import type { ControllerContext } from "../context.ts";
import { OwnWrites } from "../shared/own-writes.ts";
import { countedStatus, sameUsage, typesOf } from "./plan.ts";

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
