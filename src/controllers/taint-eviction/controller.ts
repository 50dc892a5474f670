// Evicts pods from nodes with NoExecute taints that they do not tolerate, or no longer.
import { isNotFound, nodes as nodeType, objectKey, pods as podType } from "#api";
import { type Controller, type Requeue, referenceTo, rfc3339, watchMapped } from "#client";
import type { ControllerContext } from "../context.ts";
import { withDisruption } from "../shared/disruption-target.ts";
import { isFinished, isTerminating } from "../shared/pods.ts";
import { noExecuteTaints } from "../shared/taints.ts";
import { evictionTime } from "./plan.ts";

export function taintEvictionController({ client, clock, events, informers }: ControllerContext): Controller {
  const nodes = informers.informer(nodeType);
  const pods = informers.informer(podType);
  pods.addIndex("node", (pod) => (pod.spec.nodeName === undefined ? [] : [pod.spec.nodeName]));

  const reconcile = async (key: string, signal: AbortSignal): Promise<Requeue | void> => {
    const pod = pods.get(key);
    if (pod?.spec.nodeName === undefined || isTerminating(pod)) return;
    const at = evictionTime(pod, noExecuteTaints(nodes.get(pod.spec.nodeName)), clock.now());
    if (at === undefined) return;
    const leftMs = at - clock.now();
    if (leftMs > 0) return { requeueAfterMs: leftMs };
    events.event(referenceTo(podType, pod), {
      type: "Normal",
      reason: "TaintManagerEviction",
      message: `Marking for deletion Pod ${key}`,
    });
    try {
      if (!isFinished(pod)) {
        const status = withDisruption(
          pod,
          "DeletionByTaintManager",
          "Taint manager: deleting due to NoExecute taint",
          rfc3339(clock.now()),
        );
        await client.update(podType, { ...pod, status }, { subresource: "status", signal });
      }
      await client.delete(podType, pod.metadata, { preconditions: { uid: pod.metadata.uid }, signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  };

  return {
    name: "taint-eviction-controller",
    workers: 8,
    sources: [
      watchMapped(pods, (pod) =>
        pod.spec.nodeName !== undefined && noExecuteTaints(nodes.get(pod.spec.nodeName)).length > 0 ? [objectKey(pod)] : [],
      ),
      watchMapped(nodes, (node, before) => {
        const taints = JSON.stringify(noExecuteTaints(node));
        if (taints === "[]" || (before !== undefined && JSON.stringify(noExecuteTaints(before)) === taints)) return [];
        return pods.byIndex("node", node.metadata.name).map(objectKey);
      }),
    ],
    reconcile,
  };
}
