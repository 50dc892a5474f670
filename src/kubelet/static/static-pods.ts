// Static pods: pods of files and URLs run without the API, which shows them as mirror pods.
import { isAlreadyExists, isConflict, isNotFound, type Node, type Pod, pods } from "#api";
import { type Clock, every, type Log } from "#base";
import type { Client } from "#client";
import type { PodFleet } from "../pod/fleet.ts";
import { isStatic } from "../pod/spec.ts";

export interface StaticPodDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly fleet: PodFleet;
  readonly node: () => Node | undefined;
  /** The mirror pods of this node are known. */
  readonly isSynced: () => boolean;
}

/** Where static pods come from. */
export interface StaticSource {
  /** How often it is looked at. */
  readonly everyMs: number;
  /** Does not throw; resolves to whether the source could be read. */
  look(): Promise<boolean>;
  /** As of the last look that succeeded. */
  pods(): readonly Pod[];
}

export interface StaticPods extends AsyncDisposable {
  /** Resolves when every source was read once: before, what runs for no known pod may still be a static one. */
  readonly seen: Promise<void>;
}

/** A mirror that was deleted comes back within this time. */
const mirrorMs = 1000;

export function startStaticPods(sources: readonly StaticSource[], deps: StaticPodDeps): StaticPods {
  let busy: Promise<void> = Promise.resolve();
  let stopped = false;
  const unseen = new Set(sources);
  const syncOnce = async (): Promise<void> => {
    try {
      const wanted = sources.flatMap((source) => source.pods());
      follow(wanted, deps);
      if (deps.isSynced()) await syncMirrors(wanted, unseen.size === 0, deps);
    } catch (error) {
      deps.log.warn("cannot look after static pods", { error: (error as Error).message });
    }
  };
  // one after the other: what a look has found is followed by the sync after it
  const sync = (): Promise<void> => (busy = busy.then(syncOnce));
  const firsts = sources.map(() => Promise.withResolvers<void>());
  const looks = sources.map((source, index) => async (): Promise<void> => {
    const isRead = await source.look();
    if (stopped) return;
    if (isRead) unseen.delete(source);
    await sync();
    if (isRead) firsts[index]?.resolve();
  });
  const looking = looks.map((look) => look());
  const timers = [
    // a source that is looked at as often brings the mirrors back too
    ...(sources.some(({ everyMs }) => everyMs <= mirrorMs) ? [] : [every(deps.clock, mirrorMs, sync)]),
    ...sources.map((source, index) =>
      every(deps.clock, source.everyMs, () => (looking[index] = (looking[index] ?? Promise.resolve()).then(looks[index]))),
    ),
  ];
  return {
    seen: Promise.all(firsts.map(({ promise }) => promise)).then(() => {}),
    [Symbol.asyncDispose]: async () => {
      stopped = true;
      for (const timer of timers) timer.cancel();
      await Promise.all(looking);
      await busy;
    },
  };
}

/** Hands new and changed pods to the fleet; a changed one waits until the one before it is gone. */
function follow(pods: readonly Pod[], { fleet }: StaticPodDeps): void {
  const wanted = new Map(pods.map((pod) => [pod.metadata.uid ?? "", pod]));
  for (const worker of fleet.workers.values()) {
    if (isStatic(worker.pod) && !worker.isRemoved && !wanted.has(worker.uid)) fleet.remove(worker.pod);
  }
  for (const [uid, pod] of wanted) {
    if (!fleet.workers.has(uid) && fleet.find(pod.metadata.namespace ?? "", pod.metadata.name ?? "") === undefined)
      fleet.set(pod);
  }
}

/** A mirror for every static pod and, when all of those are known, none for what is not there any more. */
async function syncMirrors(statics: readonly Pod[], areAllKnown: boolean, deps: StaticPodDeps): Promise<void> {
  const { client, fleet } = deps;
  const node = deps.node();
  const wanted = new Map(statics.map((pod) => [`${pod.metadata.namespace}/${pod.metadata.name}`, pod]));
  for (const [key, mirror] of fleet.mirrors) {
    const pod = wanted.get(key);
    const isCurrent =
      pod !== undefined &&
      mirror.metadata.annotations?.[mirrorAnnotation] === pod.metadata.uid &&
      mirror.metadata.deletionTimestamp === undefined;
    if (isCurrent) wanted.delete(key);
    else if (
      pod !== undefined ||
      (areAllKnown && fleet.find(mirror.metadata.namespace ?? "", mirror.metadata.name ?? "") === undefined)
    )
      await deleteMirror(mirror, client);
    else wanted.delete(key); // its pod is still being stopped, or may come yet
  }
  for (const pod of wanted.values()) {
    try {
      await client.create(pods, mirrorOf(pod, node));
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }
}

const mirrorAnnotation = "kubernetes.io/config.mirror";

function mirrorOf(pod: Pod, node: Node | undefined): Pod {
  const { uid: _uid, ...metadata } = pod.metadata;
  const owner = node?.metadata.uid;
  return {
    ...pod,
    metadata: {
      ...metadata,
      annotations: { ...metadata.annotations, [mirrorAnnotation]: pod.metadata.uid ?? "" },
      ...(owner === undefined
        ? {}
        : {
            ownerReferences: [{ apiVersion: "v1", kind: "Node", name: node?.metadata.name ?? "", uid: owner, controller: true }],
          }),
    },
  };
}

async function deleteMirror(mirror: Pod, client: Client): Promise<void> {
  try {
    const { namespace, name = "", uid } = mirror.metadata;
    await client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0, preconditions: { uid } });
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
