// Tells the API server why a pod has no node: the condition PodScheduled=False and the nomination.
import { isConflict, isNotFound, type JsonObject, type ObjectReference, type Pod, pods, type Stored } from "#api";
import type { Clock, Log } from "#base";
import { type Client, referenceTo, rfc3339 } from "#client";

export const podReference = (pod: Stored<Pod>): ObjectReference => referenceTo(pods, pod);

/** How often a write is tried on a pod that others write to as well. */
const attempts = 5;

/** Writes in the background, one pod's writes in order; failing to write is logged, since the next attempt says it again. */
export class PodStatusWriter {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #pending = new Map<string, Promise<void>>();

  constructor(client: Client, clock: Clock, log: Log) {
    this.#client = client;
    this.#clock = clock;
    this.#log = log;
  }

  notScheduled(
    pod: Stored<Pod>,
    reason: "Unschedulable" | "SchedulerError",
    message: string,
    nominatedNodeName: string | undefined,
  ): void {
    const before = pod.status?.conditions?.find((condition) => condition.type === "PodScheduled");
    const nominationChanges = nominatedNodeName !== undefined && nominatedNodeName !== (pod.status?.nominatedNodeName ?? "");
    const sameCondition =
      before?.status === "False" &&
      before.reason === reason &&
      before.message === message &&
      before.observedGeneration === pod.metadata.generation;
    if (sameCondition && !nominationChanges) return;
    const condition: JsonObject = {
      type: "PodScheduled",
      status: "False",
      reason,
      message,
      observedGeneration: pod.metadata.generation,
      lastProbeTime: null,
      lastTransitionTime: before?.status === "False" ? (before.lastTransitionTime ?? null) : rfc3339(this.#clock.now()),
    };
    this.#patch(pod, {
      ...(sameCondition ? {} : { conditions: [condition] }),
      ...(nominationChanges ? { nominatedNodeName } : {}),
    });
  }

  clearNomination(pod: Stored<Pod>): void {
    this.#patch(pod, { nominatedNodeName: null });
  }

  async flushed(): Promise<void> {
    await Promise.all(this.#pending.values());
  }

  #patch(pod: Stored<Pod>, status: JsonObject): void {
    const { uid, name, namespace } = pod.metadata;
    const write = async (): Promise<void> => {
      await this.#pending.get(uid);
      try {
        await this.#patchWaiting(pod, status);
      } catch (error) {
        if (!isNotFound(error) && !isConflict(error))
          this.#log.warn("cannot write the pod's scheduling status", { pod: `${namespace}/${name}`, error: String(error) });
      }
    };
    const written = write().finally(() => {
      if (this.#pending.get(uid) === written) this.#pending.delete(uid);
    });
    this.#pending.set(uid, written);
  }

  /** Another scheduler may have been faster: who has a node by now is not told that there is none. */
  async #patchWaiting(seen: Stored<Pod>, status: JsonObject): Promise<void> {
    const { uid, name, namespace } = seen.metadata;
    for (let pod = seen, attempt = 1; pod.metadata.uid === uid && !pod.spec?.nodeName; attempt++) {
      const metadata = { uid, resourceVersion: pod.metadata.resourceVersion };
      try {
        const patch = { type: "strategic", body: { metadata, status } } as const;
        await this.#client.patch(pods, { namespace, name }, patch, { subresource: "status" });
        return;
      } catch (error) {
        if (!isConflict(error) || attempt === attempts) throw error;
        pod = await this.#client.get(pods, { namespace, name });
      }
    }
  }
}
