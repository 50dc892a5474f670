// All pods of one node: a worker for each, fed by the pods' source and the runtime's events.
import { isConflict, isNotFound, type Node, type Pod, type PodStatus, pods as podResource } from "#api";
import { type Clock, every, type Log, sleep, type Timer } from "#base";
import type { Client } from "#client";
import { admit, type HostFacts } from "../admit/admit.ts";
import type { ContainerStatus, SandboxStatus } from "../runtime.ts";
import type { ActionDeps } from "./actions.ts";
import { podReference } from "./events.ts";
import { runtimeAnnotations, runtimeLabels } from "./names.ts";
import { isMirror, isStatic, isTerminalPhase } from "./spec.ts";
import type { NodeFacts } from "./state.ts";
import { StatusWriter } from "./status-writer.ts";
import { PodWorker, type WorkerDeps } from "./worker.ts";

export interface FleetDeps extends ActionDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly node: NodeFacts;
  /** The Node as it is now, for admission; undefined while it is not known. */
  readonly nodeObject: () => Node | undefined;
  readonly host: HostFacts;
  /** The runtime's events have ended: it may be gone. */
  readonly runtimeLost?: () => void;
  /** 0: never. */
  readonly relistMs: number;
}

const relistsAfterLossMs = [0, 2_000, 5_000, 15_000];

export class PodFleet implements AsyncDisposable {
  readonly #deps: FleetDeps;
  readonly #workers = new Map<string, PodWorker>();
  readonly #statuses: StatusWriter;
  /** Mirror pods in the API, by "namespace/name". */
  readonly #mirrors = new Map<string, Pod>();
  readonly #stop = new AbortController();
  #adopted = new Map<string, { sandboxes: SandboxStatus[]; containers: ContainerStatus[] }>();
  #events: Promise<void> | undefined;
  #relist: Timer | undefined;

  constructor(deps: FleetDeps) {
    this.#deps = deps;
    this.#statuses = new StatusWriter({
      client: deps.client,
      clock: deps.clock,
      log: deps.log,
      onGone: (uid) => this.#gone(uid),
    });
  }

  /** Reads what already runs, so that its pods are adopted as they are. Call before the first pod. */
  async adopt(): Promise<void> {
    const [sandboxes, containers] = await Promise.all([this.#deps.runtime.listSandboxes(), this.#deps.runtime.listContainers()]);
    const of = (uid: string) => {
      const entry = this.#adopted.get(uid) ?? { sandboxes: [], containers: [] };
      this.#adopted.set(uid, entry);
      return entry;
    };
    for (const sandbox of sandboxes) of(sandbox.podUid).sandboxes.push(sandbox);
    for (const container of containers) {
      const uid = container.labels[runtimeLabels.podUid];
      if (uid !== undefined) of(uid).containers.push(container);
    }
  }

  /** Begins to follow the runtime. */
  start(): void {
    this.#events = this.#follow();
    if (this.#deps.relistMs > 0) {
      this.#relist = every(this.#deps.clock, this.#deps.relistMs, () => this.#lookAtAll());
    }
  }

  /** Call once when every pod is known: what runs for no pod is stopped and removed. */
  removeOrphans(): void {
    for (const [uid, { sandboxes, containers }] of this.#adopted) {
      const labels = sandboxes[0]?.labels ?? containers[0]?.labels ?? {};
      const grace = Number(containers[0]?.annotations[runtimeAnnotations.terminationGracePeriod] ?? 30);
      const pod: Pod = {
        metadata: { name: labels[runtimeLabels.podName] ?? "", namespace: labels[runtimeLabels.podNamespace] ?? "", uid },
        spec: { containers: [], terminationGracePeriodSeconds: grace },
      };
      this.#deps.log.info("stopping what runs for a pod that is gone", {
        pod: `${pod.metadata.namespace}/${pod.metadata.name}`,
        uid,
      });
      this.#workers.set(uid, new PodWorker({ pod, removed: true, sandboxes, containers }, this.#workerDeps()));
    }
    this.#adopted = new Map();
  }

  /** A pod of this node was added or changed. */
  set(pod: Pod): void {
    if (isMirror(pod)) {
      this.#setMirror(pod);
      return;
    }
    const uid = pod.metadata.uid ?? "";
    const worker = this.#workers.get(uid);
    if (worker !== undefined) {
      worker.podChanged(pod);
      return;
    }
    const adopted = this.#adopted.get(uid);
    this.#adopted.delete(uid);
    const isFresh = adopted === undefined && pod.status?.startTime === undefined && pod.metadata.deletionTimestamp === undefined;
    const node = isFresh ? this.#deps.nodeObject() : undefined;
    const refusal = node === undefined ? undefined : admit(pod, this.#active(), node, this.#deps.host);
    if (refusal !== undefined) this.#deps.events.record(podReference(pod), "Warning", refusal.reason, refusal.message);
    const rejected =
      refusal === undefined ? undefined : { reason: refusal.reason, message: `Pod was rejected: ${refusal.message}` };
    this.#workers.set(uid, new PodWorker({ pod, rejected, ...adopted }, this.#workerDeps()));
  }

  /** The pod's source does not have it any more. */
  remove(pod: Pod): void {
    if (isMirror(pod)) {
      const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
      if (this.#mirrors.get(key)?.metadata.uid === pod.metadata.uid) this.#mirrors.delete(key);
      return;
    }
    this.#workers.get(pod.metadata.uid ?? "")?.podRemoved();
  }

  get workers(): ReadonlyMap<string, PodWorker> {
    return this.#workers;
  }

  /** Mirror pods in the API, by "namespace/name". */
  get mirrors(): ReadonlyMap<string, Pod> {
    return this.#mirrors;
  }

  find(namespace: string, name: string, uid?: string): PodWorker | undefined {
    let found: PodWorker | undefined;
    for (const worker of this.#workers.values()) {
      const { metadata } = worker.pod;
      if (metadata.namespace !== namespace || metadata.name !== name || (uid !== undefined && metadata.uid !== uid)) continue;
      if (found === undefined || found.isRemoved) found = worker;
    }
    return found;
  }

  /** Tells every worker to look again: something outside the pod has changed. */
  wakeAll(): void {
    for (const worker of this.#workers.values()) worker.wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("the kubelet is being stopped"));
    this.#relist?.cancel();
    await Promise.all([...this.#workers.values()].map((worker) => worker.close()));
    await this.#statuses[Symbol.asyncDispose]();
    await this.#events;
  }

  #active(): readonly Pod[] {
    const active: Pod[] = [];
    for (const worker of this.#workers.values()) {
      if (!worker.isRejected && !isTerminalPhase(worker.status?.phase)) active.push(worker.pod);
    }
    return active;
  }

  #setMirror(pod: Pod): void {
    this.#mirrors.set(`${pod.metadata.namespace}/${pod.metadata.name}`, pod);
    this.find(pod.metadata.namespace ?? "", pod.metadata.name ?? "")?.wake();
  }

  #workerDeps(): WorkerDeps {
    return {
      ...this.#deps,
      publish: (pod, status) => this.#publish(pod, status),
      deleteObject: (pod) => this.#deleteObject(pod),
      forgotten: (uid) => {
        this.#workers.delete(uid);
        this.#statuses.forget(uid);
      },
    };
  }

  /** A static pod's status goes to its mirror. */
  #publish(pod: Pod, status: PodStatus): void {
    if (!isStatic(pod)) {
      this.#statuses.set(pod, status);
      return;
    }
    const mirror = this.#mirrors.get(`${pod.metadata.namespace}/${pod.metadata.name}`);
    if (mirror !== undefined) this.#statuses.set(mirror, status);
  }

  async #deleteObject(pod: Pod): Promise<void> {
    const uid = pod.metadata.uid ?? "";
    await this.#statuses.flush(uid);
    try {
      await this.#deps.client.delete(
        podResource,
        { namespace: pod.metadata.namespace, name: pod.metadata.name ?? "" },
        { gracePeriodSeconds: 0, preconditions: { uid } },
      );
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }

  #gone(uid: string): void {
    this.#workers.get(uid)?.podRemoved();
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    const { runtime, clock, log } = this.#deps;
    while (!signal.aborted) {
      try {
        for await (const event of runtime.events(signal)) this.#workers.get(event.podUid)?.runtimeChanged();
      } catch (error) {
        if (!signal.aborted) log.warn("lost the runtime's events", { error: (error as Error).message });
      }
      if (signal.aborted) return;
      this.#deps.runtimeLost?.();
      await sleep(clock, 1000, signal).catch(() => {});
      // What happened in between is not told, and a runtime that restarts finds out late what has ended: look more than once.
      for (const delayMs of relistsAfterLossMs) clock.after(delayMs, () => !signal.aborted && this.#lookAtAll());
    }
  }

  #lookAtAll(): void {
    for (const worker of this.#workers.values()) worker.runtimeChanged();
  }
}
