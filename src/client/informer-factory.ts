// One informer per resource and selection of a process, however many components ask for it.
import { type ApiObject, apiVersionOf, type ResourceType } from "#api";
import type { Clock, Log, Random } from "#base";
import type { Client, ListOptions } from "./client.ts";
import type { Informer, InformerFactory } from "./informer.ts";
import { InformerCache } from "./informer-cache.ts";
import { reflect } from "./reflector.ts";
import { compareResourceVersions } from "./resource-version.ts";

export interface InformerDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

type Selection = Pick<ListOptions, "namespace" | "labelSelector" | "fieldSelector">;

interface Entry {
  readonly informer: Informer<ApiObject>;
  begin(): void;
  ended: Promise<void>;
}

/** Disposing ends every list and watch. */
export function createInformerFactory(deps: InformerDeps): InformerFactory {
  const entries = new Map<string, Entry>();
  const stop = new AbortController();
  let started = false;
  return {
    informer: <T extends ApiObject>(type: ResourceType<T>, selection: Selection = {}): Informer<T> => {
      const key = JSON.stringify([
        apiVersionOf(type),
        type.plural,
        selection.namespace,
        selection.labelSelector,
        selection.fieldSelector,
      ]);
      let entry = entries.get(key);
      if (entry === undefined) {
        entry = newEntry(deps, type as ResourceType, selection, stop.signal);
        entries.set(key, entry);
        if (started) entry.begin();
      }
      return entry.informer as unknown as Informer<T>; // the key names the type
    },
    start: () => {
      started = true;
      for (const entry of entries.values()) entry.begin();
    },
    synced: async (signal) => {
      const all = Promise.all([...entries.values()].map((entry) => entry.informer.synced)).then(() => {});
      await (signal === undefined ? all : Promise.race([all, aborted(signal)]));
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort(new Error("the informers are being stopped"));
      await Promise.all([...entries.values()].map((entry) => entry.ended));
    },
  };
}

function newEntry(deps: InformerDeps, type: ResourceType, selection: Selection, signal: AbortSignal): Entry {
  const cache = new InformerCache<ApiObject>();
  let hasSynced = false;
  const synced = Promise.withResolvers<void>();
  const onSynced = (): void => {
    hasSynced = true;
    synced.resolve();
  };
  let begun = false;
  const entry: Entry = {
    informer: {
      type,
      synced: synced.promise,
      get hasSynced() {
        return hasSynced;
      },
      get resourceVersion() {
        return cache.resourceVersion;
      },
      get: (key) => cache.get(key),
      list: (namespace) => cache.list(namespace),
      byIndex: (index, value) => cache.byIndex(index, value),
      addHandler: (handler) => cache.addHandler(handler),
      addIndex: (name, values) => cache.addIndex(name, values),
      reached: async (resourceVersion, abort) => {
        if (compareResourceVersions(resourceVersion, cache.resourceVersion) <= 0) return;
        await cache.reached(resourceVersion, abort === undefined ? signal : AbortSignal.any([abort, signal]));
      },
    },
    begin: () => {
      if (begun) return;
      begun = true;
      entry.ended = reflect({ ...deps, type, selection, cache, onSynced, signal });
    },
    ended: Promise.resolve(),
  };
  return entry;
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
