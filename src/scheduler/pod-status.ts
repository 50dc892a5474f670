// Tells the API server why a pod has no node: the condition PodScheduled=False and the nomination.
import { isConflict, isNotFound, type JsonObject, type ObjectReference, type Pod, pods, type Stored } from "#api";
import type { Clock, Log } from "#base";
import { type Client, referenceTo, rfc3339 } from "#client";

export const podReference = (pod: Stored<Pod>): ObjectReference => referenceTo(pods, pod);

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
    // A binding that failed may have failed because another scheduler was faster: what is written must not be older than that.
    const onlyIfUnchanged = reason === "SchedulerError";
    const status = { ...(sameCondition ? {} : { conditions: [condition] }), ...(nominationChanges ? { nominatedNodeName } : {}) };
    this.#patch(pod, status, onlyIfUnchanged);
  }

  clearNomination(pod: Stored<Pod>): void {
    this.#patch(pod, { nominatedNodeName: null }, false);
  }

  async flushed(): Promise<void> {
    await Promise.all(this.#pending.values());
  }

  #patch(pod: Stored<Pod>, status: JsonObject, onlyIfUnchanged: boolean): void {
    const { uid, name, namespace, resourceVersion } = pod.metadata;
    const metadata = onlyIfUnchanged ? { uid, resourceVersion } : { uid };
    const patch = { type: "strategic", body: { metadata, status } } as const;
    const write = async (): Promise<void> => {
      await this.#pending.get(uid);
      try {
        await this.#client.patch(pods, { namespace, name }, patch, { subresource: "status" });
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
}
