// How the server's own parts reach objects without a request: parsed reads from the watch caches, writes past authorization and admission.
import { type ApiObject, isAlreadyExists, notFound, type ResourceType, type Stored } from "#api";
import type { ObjectReader, ObjectWriter } from "../contract.ts";
import type { Catalogue } from "./catalogue.ts";
import { newMeta, sameState, withGeneration } from "./metadata.ts";
import { timeText, type Writes } from "./request.ts";
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
      const prefix = namespace === undefined || namespace === "" ? resource.cache.prefix : `${resource.cache.prefix}${namespace}/`;
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
    update: async <T extends ApiObject>(type: ResourceType<T>, ref: { namespace?: string; name: string }, change: (current: Stored<T>) => T | undefined) => {
      const resource = catalogue.of(type);
      let existing = writes.objects.current(resource, ref.namespace ?? "", ref.name);
      for (;;) {
        if (existing === undefined) throw notFound(type, ref.name);
        const current = toServed(resource, existing.parse()) as Stored<T>;
        const next = change(current);
        if (next === undefined || sameState(next, current)) return current;
        const entry = await writes.objects.replace(resource, existing, toStored(resource, next));
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

function fresh(writes: Writes, resource: ServedResource, object: ApiObject): ApiObject {
  const { rules } = resource.strategy;
  const defaulted = rules.default?.(object) ?? object;
  const prepared = rules.prepareForCreate?.(defaulted) ?? defaulted;
  return newMeta(rules.generation ? withGeneration(prepared as ApiObject, 1) : (prepared as ApiObject), writes.random, timeText(writes.clock.now()));
}
