// Removes pods that nobody else removes.
import { isNotFound, nodes as nodeType, objectKey, type Pod, pods as podType, type Stored } from "#api";
import { type Controller, type Requeue, rfc3339, watchMapped } from "#client";
import type { ControllerContext } from "../context.ts";
import { withDisruption } from "../shared/disruption-target.ts";
import { isFinished, isTerminating } from "../shared/pods.ts";
import { judge, surplusFinished } from "./plan.ts";

/** A node that is missing may only be late in our cache, or about to be registered again. Upstream: 40 s. */
const quarantineMs = 40_000;
/** Not a pod's key: stands for all finished pods. */
const thresholdKey = "finished pods";

export function podGarbageCollector({ client, clock, informers, log, options }: ControllerContext): Controller {
  const nodes = informers.informer(nodeType);
  const pods = informers.informer(podType);
  pods.addIndex("node", (pod) => (pod.spec.nodeName === undefined ? [] : [pod.spec.nodeName]));
  const missingSinceMs = new Map<string, number>();
  let finished = 0;

  const reconcile = async (key: string, signal: AbortSignal): Promise<Requeue | void> => {
    if (key === thresholdKey) {
      for (const pod of surplusFinished(pods.list(), options.terminatedPodThreshold)) await remove(pod, undefined, signal);
      return;
    }
    const pod = pods.get(key);
    if (pod === undefined) return;
    const name = pod.spec.nodeName ?? "";
    const verdict = judge(pod, nodes.get(name));
    switch (verdict.kind) {
      case "keep":
        missingSinceMs.delete(name);
        return;
      case "unscheduled":
        return remove(pod, undefined, signal);
      case "outOfService":
        return remove(pod, "PodGC: node is out of service", signal);
      case "orphaned": {
        const since = missingSinceMs.get(name) ?? clock.monotonic();
        missingSinceMs.set(name, since);
        const leftMs = since + quarantineMs - clock.monotonic();
        if (leftMs > 0) return { requeueAfterMs: leftMs };
        if (await nodeExists(name, signal)) return void missingSinceMs.delete(name);
        return remove(pod, "PodGC: node no longer exists", signal);
      }
      default:
        return verdict satisfies never;
    }
  };

  const nodeExists = async (name: string, signal: AbortSignal): Promise<boolean> => {
    try {
      await client.get(nodeType, { name }, { signal });
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  };

  const remove = async (pod: Stored<Pod>, why: string | undefined, signal: AbortSignal): Promise<void> => {
    const { uid } = pod.metadata;
    log.info("removing a pod that nobody else removes", { pod: objectKey(pod), reason: why ?? pod.status?.phase });
    try {
      if (!isFinished(pod)) {
        const conditions =
          why === undefined ? [] : (withDisruption(pod, "DeletionByPodGC", why, rfc3339(clock.now())).conditions ?? []);
        // A patch: upstream's role for this controller does not include updates.
        const status = {
          phase: "Failed",
          ...(conditions.length === 0 ? {} : { conditions: conditions.map((condition) => ({ ...condition })) }),
        };
        await client.patch(podType, pod.metadata, { type: "strategic", body: { status } }, { subresource: "status", signal });
      }
      await client.delete(podType, pod.metadata, { gracePeriodSeconds: 0, preconditions: { uid }, signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  };

  return {
    name: "pod-garbage-collector-controller",
    workers: 4,
    sources: [
      watchMapped(pods, (pod, before) => {
        const keys: string[] = [];
        const name = pod.spec.nodeName ?? "";
        if (isTerminating(pod) || (name !== "" && nodes.get(name) === undefined)) keys.push(objectKey(pod));
        // Counted roughly: only when it could matter are the pods looked at.
        if (isFinished(pod) && (before === undefined || !isFinished(before)) && ++finished > options.terminatedPodThreshold)
          keys.push(thresholdKey);
        return keys;
      }),
      watchMapped(nodes, (node, before) => {
        const gone = nodes.get(node.metadata.name) === undefined;
        const relevant = gone || JSON.stringify(node.spec?.taints) !== JSON.stringify(before?.spec?.taints);
        return relevant
          ? pods
              .byIndex("node", node.metadata.name)
              .filter((pod) => gone || isTerminating(pod))
              .map(objectKey)
          : [];
      }),
    ],
    reconcile,
  };
}
