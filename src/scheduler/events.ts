// What the informers report, turned into cache updates and queue moves.
import { type ApiObject, type Node, nodes, type Pod, pods, type ResourceType, type Stored } from "#api";
import type { Informer, InformerFactory } from "#client";
import type { ClusterCache } from "./cluster/cache.ts";
import { isFinished, parsePod } from "./cluster/pod-info.ts";
import type { ClusterEvent } from "./framework/plugin.ts";
import type { NominatedPods } from "./queue/nominated.ts";
import type { SchedulingQueue } from "./queue/queue.ts";

export interface EventDeps {
  readonly informers: InformerFactory;
  readonly cluster: ClusterCache;
  readonly queue: SchedulingQueue;
  readonly nominated: NominatedPods;
  /** Whether one of our profiles schedules this pod. */
  readonly isOurs: (pod: Pod) => boolean;
  /** A pod that permit plugins hold back has gone. */
  readonly gone: (uid: string) => void;
}

export function watchCluster(deps: EventDeps): Disposable {
  const stack = new DisposableStack();
  stack.use(deps.informers.informer(pods).addHandler(podHandler(deps)));
  stack.use(deps.informers.informer(nodes).addHandler(nodeHandler(deps)));
  return stack;
}

/** Events of another resource, for plugins that wait for them. */
export function watchOther<T extends ApiObject>(
  informers: InformerFactory,
  type: ResourceType<T>,
  move: (event: ClusterEvent) => void,
): { readonly informer: Informer<T>; readonly stop: Disposable } {
  const informer = informers.informer(type);
  const resource = type.plural;
  const stop = informer.addHandler({
    added: (after) => move({ resource, action: "Add", after }),
    updated: (after, before) => move({ resource, action: "Update", before, after }),
    deleted: (before) => move({ resource, action: "Delete", before }),
  });
  return { informer, stop };
}

const assigned = (pod: Pod): boolean => (pod.spec?.nodeName ?? "") !== "";

function podHandler({ cluster, queue, nominated, isOurs, gone }: EventDeps) {
  const remove = (pod: Stored<Pod>): void => {
    const { uid } = pod.metadata;
    queue.delete(uid);
    nominated.remove(uid);
    gone(uid);
    const held = cluster.removePod(uid);
    if (held !== undefined || assigned(pod))
      queue.move({ resource: "pods", action: "Delete", before: pod, pod: held ?? parsePod(pod) });
  };
  const set = (pod: Stored<Pod>, before: Stored<Pod> | undefined): void => {
    const { uid } = pod.metadata;
    if (isFinished(pod)) {
      if (before === undefined || !isFinished(before)) remove(pod);
      return;
    }
    if (assigned(pod)) {
      const known = cluster.placeOf(uid);
      if (known !== undefined && known.nodeName === pod.spec?.nodeName && before !== undefined && countsTheSame(before, pod)) {
        cluster.confirm(pod);
        if (known.assumed) {
          queue.delete(uid);
          nominated.remove(uid);
          // Others may have been waiting for this very pod's company.
          queue.move({ resource: "pods", action: "Add", after: pod, pod: cluster.podOf(uid) });
        }
        return;
      }
      queue.delete(uid);
      nominated.remove(uid);
      const info = parsePod(pod);
      cluster.setPod(info);
      if (known === undefined || known.assumed) queue.move({ resource: "pods", action: "Add", after: pod, pod: info });
      else queue.move({ resource: "pods", action: "Update", before, after: pod, pod: info });
      return;
    }
    if (!isOurs(pod)) return;
    if (cluster.placeOf(uid) !== undefined) return; // assumed: this news is older than our decision
    const info = parsePod(pod);
    if (before === undefined && (pod.status?.nominatedNodeName ?? "") !== "")
      nominated.set(info, pod.status?.nominatedNodeName ?? "");
    if (pod.metadata.deletionTimestamp !== undefined && queue.get(uid) === undefined) return;
    queue.set(info);
  };
  return {
    added: (pod: Stored<Pod>) => set(pod, undefined),
    updated: (pod: Stored<Pod>, before: Stored<Pod>) => {
      if (pod.metadata.uid !== before.metadata.uid) {
        remove(before);
        set(pod, undefined);
      } else set(pod, before);
    },
    deleted: remove,
  };
}

function nodeHandler({ cluster, queue }: EventDeps) {
  return {
    added: (node: Stored<Node>): void => {
      cluster.setNode(node);
      queue.move({ resource: "nodes", action: "Add", after: node });
    },
    updated: (node: Stored<Node>, before: Stored<Node>): void => {
      // Most updates are a kubelet saying that it lives.
      if (sameForPods(before, node)) return;
      cluster.setNode(node);
      queue.move({ resource: "nodes", action: "Update", before, after: node });
    },
    deleted: (node: Stored<Node>): void => {
      cluster.removeNode(node.metadata.name);
      queue.move({ resource: "nodes", action: "Delete", before: node });
    },
  };
}

const same = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);

const sameForPods = (a: Node, b: Node): boolean =>
  same(a.spec, b.spec) &&
  same(a.metadata.labels, b.metadata.labels) &&
  same(a.status?.allocatable, b.status?.allocatable) &&
  same(a.status?.images, b.status?.images);

/** Whether a change of a placed pod leaves everything that the cache sums up as it was (most are status updates of its kubelet). */
const countsTheSame = (a: Pod, b: Pod): boolean =>
  a.metadata.deletionTimestamp === b.metadata.deletionTimestamp &&
  same(a.metadata.labels, b.metadata.labels) &&
  (a.metadata.generation !== undefined && a.metadata.generation === b.metadata.generation
    ? true
    : same(withoutNode(a), withoutNode(b))) &&
  same(resizeOf(a), resizeOf(b));

const withoutNode = (pod: Pod) => ({ ...pod.spec, nodeName: undefined });

const resizeOf = (pod: Pod) =>
  pod.status?.containerStatuses
    ?.map((status) => [status.allocatedResources, status.resources?.requests])
    .filter((entry) => entry.some((value) => value !== undefined)) ?? [];
