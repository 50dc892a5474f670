// A plugin handle over a cluster made by hand, for tests of plugins and of the scheduling cycle alone.
import { seededRandom, silentLog, VirtualClock } from "#base";
import { createClient, createFakeApi, createInformerFactory } from "#client";
import type { ClusterCache } from "../cluster/cache.ts";
import type { PluginHandle } from "../framework/plugin.ts";
import { NominatedPods } from "../queue/nominated.ts";

/** Its informers are never started: they stay empty. */
export function aHandle(cluster: ClusterCache): PluginHandle {
  const clock = new VirtualClock();
  const client = createClient(createFakeApi({ clock }));
  const random = seededRandom(1);
  const informers = createInformerFactory({ client, clock, random, log: silentLog });
  const unused = (): never => {
    throw new Error("this handle has no scheduler behind it");
  };
  return {
    profileName: "default-scheduler",
    client,
    informers,
    clock,
    random,
    log: silentLog,
    cluster,
    nominated: new NominatedPods(),
    watch: (type) => informers.informer(type),
    waitingPods: () => [],
    runFilters: unused,
    podAdded: unused,
    podRemoved: unused,
    activate: unused,
    ungated: unused,
    retry: unused,
    nominate: unused,
    event: unused,
    stopping: new AbortController().signal,
  };
}
