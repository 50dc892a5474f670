// How the server's own parts reach objects without a request: parsed reads from the watch caches, writes past authorization and admission.
import {
  type ApiObject,
  apiVersionOf,
  isAlreadyExists,
  notFound,
  type ResourceType,
  type Stored,
  updateManagedFields,
} from "#api";
import { rfc3339 } from "#client";
import type { ObjectReader, ObjectWriter } from "../contract.ts";
import type { Catalogue } from "./catalogue.ts";
import { newMeta, sameState, withGeneration } from "./metadata.ts";
import type { Writes } from "./request.ts";
import { type ServedResource, toServed, toStored } from "./resource.ts";

export function objectReader(catalogue: Catalogue, writes: Pick<Writes, "objects">): ObjectReader {
  const of = (type: ResourceType): ServedResource => catalogue.of(type);
  return {
    get: <T extends ApiObject>(type: ResourceType<T>, ref: { namespace?: string; name: string }) => {
      const resource = of(type);
      const entry = writes.objects.current(resource, ref.namespace ?? "", ref.name);
      return entry === undefined ? undefined : (toServed(resource, entry.parse()) as Stored<T>);
    },
    list: <T extends ApiObject>(type: ResourceType<T>, namespace?: string) => {
      const resource = of(type);
      const prefix =
        namespace === undefined || namespace === "" ? resource.cache.prefix : `${resource.cache.prefix}${namespace}/`;
      return resource.cache.select(prefix).map((entry) => toServed(resource, entry.parse()) as Stored<T>);
    },
    onChange: (type, changed) => {
      const resource = of(type);
      return resource.cache.onChange((object, event) => changed(toServed(resource, object), event));
    },
  };
}

export function objectWriter(catalogue: Catalogue, writes: Writes): ObjectWriter {
  const create = async <T extends ApiObject>(type: ResourceType<T>, object: T): Promise<Stored<T>> => {
    const resource = catalogue.of(type);
    const entry = await writes.objects.create(resource, toStored(resource, fresh(writes, resource, object)));
    return toServed(resource, entry.parse()) as Stored<T>;
  };
  return {
    create,
    createMissing: async (items) => {
      await Promise.all(
        items.map(async ({ type, object }) => {
          const resource = catalogue.of(type);
          if (writes.objects.current(resource, object.metadata.namespace ?? "", object.metadata.name ?? "") !== undefined) return;
          try {
            await create(type, object);
          } catch (error) {
            if (!isAlreadyExists(error)) throw error;
          }
        }),
      );
    },
    update: async <T extends ApiObject>(
      type: ResourceType<T>,
      ref: { namespace?: string; name: string },
      change: (current: Stored<T>) => T | undefined,
    ) => {
      const resource = catalogue.of(type);
      let existing = writes.objects.current(resource, ref.namespace ?? "", ref.name);
      for (;;) {
        if (existing === undefined) throw notFound(type, ref.name);
        const current = toServed(resource, existing.parse()) as Stored<T>;
        const next = change(current);
        if (next === undefined || sameState(next, current)) return current;
        const owned = ownedByServer(resource, next, current, rfc3339(writes.clock.now()));
        const entry = await writes.objects.replace(resource, existing, toStored(resource, owned));
        if (entry !== undefined) return toServed(resource, entry.parse()) as Stored<T>;
        existing = await writes.objects.latest(resource, ref.namespace ?? "", ref.name);
      }
    },
    remove: async (type, ref) => {
      const resource = catalogue.of(type);
      for (;;) {
        const existing = await writes.objects.latest(resource, ref.namespace ?? "", ref.name);
        if (existing === undefined || (await writes.objects.remove(existing)) !== undefined) return;
      }
    },
  };
}

/** What the server itself writes is owned by "kube-apiserver". */
function ownedByServer(resource: ServedResource, next: ApiObject, live: Stored<ApiObject> | undefined, time: string): ApiObject {
  return updateManagedFields({
    live,
    next,
    manager: "kube-apiserver",
    subresource: "",
    apiVersion: apiVersionOf(resource.type),
    time,
    schema: resource.strategy.schema,
  });
}

function fresh(writes: Writes, resource: ServedResource, object: ApiObject): ApiObject {
  const { rules } = resource.strategy;
  const time = rfc3339(writes.clock.now());
  const defaulted = newMeta((rules.default?.(object) ?? object) as ApiObject, writes.random, time);
  const prepared = withOwnStatus((rules.prepareForCreate?.(defaulted) ?? defaulted) as ApiObject, object);
  return ownedByServer(resource, rules.generation ? withGeneration(prepared, 1) : prepared, undefined, time);
}

/** What the server itself makes comes with its status, which it does not take from clients. */
function withOwnStatus(prepared: ApiObject, given: ApiObject): ApiObject {
  const { status } = given as { readonly status?: unknown };
  return status === undefined ? prepared : ({ ...prepared, status } as ApiObject);
}
