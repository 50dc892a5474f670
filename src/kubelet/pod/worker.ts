// One pod's worker: looks at the runtime, plans, publishes the status, starts what the plan says; one step at a time.
import type { Pod, PodStatus } from "#api";
import type { Clock, Log, Timer } from "#base";
import { ContainerProber } from "../probe/prober.ts";
import { runProbe } from "../probe/run.ts";
import type { ContainerStatus, SandboxStatus } from "../runtime.ts";
import { CannotMount } from "../volume/volumes.ts";
import { type ActionDeps, createSandbox, preStop, startContainer, stopContainer } from "./actions.ts";
import { containerFieldPath, podReference } from "./events.ts";
import { CannotStart } from "./images.ts";
import { formatPod, runtimeAnnotations } from "./names.ts";
import { planPod, readySandbox } from "./plan.ts";
import { resourcesText } from "./resize.ts";
import { linuxResources } from "./resources.ts";
import { type Backoff, newestFirst, raiseBackoff } from "./restart.ts";
import { podLogDirectory } from "./sandbox-config.ts";
import { findContainer, isHostNetwork } from "./spec.ts";
import {
  type Action,
  actionKey,
  type NodeFacts,
  type PodMemory,
  type PodState,
  type ProbeResults,
  type StartFailure,
  type StopOrder,
  type VolumeState,
} from "./state.ts";

export interface WorkerDeps extends ActionDeps {
  readonly log: Log;
  readonly clock: Clock;
  readonly node: NodeFacts;
  publish(pod: Pod, status: PodStatus): void;
  /** Deletes the API object for good, after its last status is written. Resolves also when it was gone. */
  deleteObject(pod: Pod): Promise<void>;
  /** Nothing of the pod is left: the worker has ended. */
  forgotten(uid: string): void;
}

export interface WorkerStart {
  readonly pod: Pod;
  readonly removed?: boolean;
  readonly rejected?: { readonly reason: string; readonly message: string };
  /** What the runtime had of this pod when the kubelet began. */
  readonly sandboxes?: readonly SandboxStatus[];
  readonly containers?: readonly ContainerStatus[];
}

/** Upstream's for what cannot wait. */
const evictionGraceSeconds = 1;

interface Running {
  readonly abort: AbortController;
}

export class PodWorker {
  readonly uid: string;
  readonly #deps: WorkerDeps;
  #pod: Pod;
  #removed: boolean;
  #sandboxes: readonly SandboxStatus[];
  #containers: readonly ContainerStatus[];
  /** The runtime may have sandboxes of this pod that we do not know. */
  #sandboxesUnsure = false;
  /** How often in a row the runtime could not be asked. */
  #blindLooks = 0;
  #dirty: boolean;

  readonly #startedAtMs: number;
  readonly #rejected: WorkerStart["rejected"];
  #ended: PodMemory["ended"];
  #stoppingSinceMs: number | undefined;
  #volumes: VolumeState = { phase: "none" };
  #volumeFailures = 0;
  #starting: string | undefined;
  #sandboxRetryAtMs: number | undefined;
  #sandboxFailures = 0;
  readonly #startFailures = new Map<string, StartFailure>();
  readonly #crashBackoff = new Map<string, Backoff>();
  readonly #probes = new Map<string, ProbeResults>();
  readonly #probers = new Map<string, ContainerProber>();
  readonly #preStopDone = new Set<string>();
  readonly #stops = new Map<string, StopOrder>();
  readonly #terminationMessages = new Map<string, string>();
  readonly #resized = new Map<string, string>();
  readonly #toldCrashLoops = new Set<string>();
  /** Ended containers that have had their effect on the back-off. */
  readonly #raisedFor = new Set<string>();
  readonly #running = new Map<string, Running>();
  readonly #failures = new Map<string, number>();
  #published: PodStatus | undefined;
  #objectGone = false;

  #wanted = false;
  #loop: Promise<void> | undefined;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(start: WorkerStart, deps: WorkerDeps) {
    this.#deps = deps;
    this.#pod = start.pod;
    this.uid = start.pod.metadata.uid ?? "";
    this.#removed = start.removed ?? false;
    this.#rejected = start.rejected;
    this.#sandboxes = start.sandboxes ?? [];
    this.#containers = start.containers ?? [];
    this.#dirty = start.containers !== undefined || start.sandboxes !== undefined;
    const began = start.pod.status?.startTime;
    this.#startedAtMs = began === undefined ? deps.clock.now() : Date.parse(began);
    this.wake();
  }

  get pod(): Pod {
    return this.#pod;
  }

  get isRemoved(): boolean {
    return this.#removed;
  }

  get isRejected(): boolean {
    return this.#rejected !== undefined;
  }

  /** The status as last planned. */
  get status(): PodStatus | undefined {
    return this.#published ?? this.#pod.status;
  }

  /** The newest container of this name, and the sandbox, as last seen. */
  container(name: string): ContainerStatus | undefined {
    return newestFirst(this.#containers, name)[0];
  }

  get containers(): readonly ContainerStatus[] {
    return this.#containers;
  }

  get sandbox(): SandboxStatus | undefined {
    return readySandbox(this.#state());
  }

  podChanged(pod: Pod): void {
    this.#pod = pod;
    this.wake();
  }

  /** The node takes the pod back: it stops, almost at once, and has failed. */
  evict(message: string): void {
    if (this.#ended !== undefined || this.#removed) return;
    this.#ended = { reason: "Evicted", message, graceSeconds: evictionGraceSeconds };
    this.#deps.events.record(podReference(this.#pod), "Warning", "Evicted", message);
    this.wake();
  }

  /** The pod's source does not have it any more. */
  podRemoved(): void {
    this.#removed = true;
    this.#objectGone = true;
    this.wake();
  }

  runtimeChanged(): void {
    this.#dirty = true;
    this.wake();
  }

  wake(): void {
    if (this.#closed) return;
    this.#wanted = true;
    this.#loop ??= this.#run();
  }

  /** Stops looking after the pod; what runs goes on running. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    for (const prober of this.#probers.values()) prober[Symbol.dispose]();
    for (const { abort } of this.#running.values()) abort.abort(new Error("the kubelet is being stopped"));
    await this.#loop;
  }

  async #run(): Promise<void> {
    await undefined; // whatever happens in the same turn is one look
    while (this.#wanted && !this.#closed) {
      this.#wanted = false;
      try {
        await this.#step();
      } catch (error) {
        this.#deps.log.error("cannot look after a pod", {
          pod: formatPod(this.#pod),
          error: (error as Error).stack ?? String(error),
        });
        this.#wakeAt(this.#deps.clock.now() + 1000);
      }
    }
    this.#loop = undefined;
  }

  async #step(): Promise<void> {
    if (this.#dirty) {
      this.#dirty = false;
      try {
        await this.#observe();
      } catch (error) {
        this.#dirty = true;
        this.#blindLooks++;
        this.#deps.log.warn("cannot ask the runtime about a pod", { pod: formatPod(this.#pod), error: (error as Error).message });
        this.#wakeAt(this.#deps.clock.now() + Math.min(500 * 2 ** this.#blindLooks, 10_000));
        return;
      }
    }
    if (this.#closed) return;
    const now = this.#deps.clock.now();
    const plan = planPod(this.#state(), now);
    if (plan.stopping) this.#stoppingSinceMs ??= now;
    this.#ended ??= plan.ended;
    this.#published = plan.status;
    if (!this.#objectGone) this.#deps.publish(this.#pod, plan.status);
    this.#tellCrashLoops(plan.crashLoops);
    for (const key of plan.cancel) this.#running.get(key)?.abort.abort(new Error("the pod is being stopped"));
    for (const action of plan.actions) this.#begin(action, plan.cancel);
    this.#syncProbers();
    if (plan.wakeAtMs !== undefined) this.#wakeAt(plan.wakeAtMs);
  }

  #state(): PodState {
    return {
      pod: this.#pod,
      removed: this.#removed,
      sandboxes: this.#sandboxes,
      containers: this.#containers,
      node: this.#deps.node,
      memory: {
        startedAtMs: this.#startedAtMs,
        rejected: this.#rejected,
        ended: this.#ended,
        stoppingSinceMs: this.#stoppingSinceMs,
        volumes: this.#volumes,
        busy: new Set(this.#running.keys()),
        starting: this.#starting,
        sandboxRetryAtMs: this.#sandboxRetryAtMs,
        startFailures: this.#startFailures,
        crashBackoff: this.#crashBackoff,
        probes: this.#probes,
        preStopDone: this.#preStopDone,
        stops: this.#stops,
        terminationMessages: this.#terminationMessages,
        resized: this.#resized,
        published: this.#published,
        objectGone: this.#objectGone,
      },
    };
  }

  async #observe(): Promise<void> {
    const { runtime } = this.#deps;
    const unsure = this.#sandboxesUnsure;
    const sandboxes = unsure
      ? (await runtime.listSandboxes()).filter((sandbox) => sandbox.podUid === this.uid)
      : (await Promise.all(this.#sandboxes.map((sandbox) => runtime.sandboxStatus(sandbox.id)))).filter(
          (sandbox) => sandbox !== undefined,
        );
    this.#sandboxes = sandboxes;
    if (unsure) this.#sandboxesUnsure = false;
    this.#containers = await runtime.listContainers(this.uid);
    this.#blindLooks = 0;
    this.#forgetContainers();
    for (const container of this.#containers) if (container.state === "exited") await this.#readTerminationMessage(container);
  }

  /** What is remembered of containers that the runtime no longer has. */
  #forgetContainers(): void {
    const known = new Set(this.#containers.map(({ id }) => id));
    for (const memory of [
      this.#probes,
      this.#preStopDone,
      this.#resized,
      this.#stops,
      this.#terminationMessages,
      this.#toldCrashLoops,
      this.#raisedFor,
    ]) {
      for (const id of memory.keys()) if (!known.has(id)) memory.delete(id);
    }
  }

  async #readTerminationMessage(container: ContainerStatus): Promise<void> {
    if (this.#terminationMessages.has(container.id)) return;
    // A kubelet before this one has read it, and may have removed the file with the pod's volumes since.
    const told = reportedMessage(this.#pod, `${this.#deps.node.runtimeName}://${container.id}`);
    if (told !== undefined) {
      this.#terminationMessages.set(container.id, told);
      return;
    }
    const file = container.annotations[runtimeAnnotations.terminationMessageFile];
    const { volumes, options } = this.#deps;
    let text = file === undefined ? "" : await volumes.terminationMessage(file).catch(() => "");
    if (
      text === "" &&
      container.exitCode !== 0 &&
      container.annotations[runtimeAnnotations.terminationMessagePolicy] === "FallbackToLogsOnError"
    ) {
      const log = container.logPath.startsWith("/")
        ? container.logPath
        : `${podLogDirectory(this.#pod, options)}/${container.logPath}`;
      text = await volumes.logTail(log).catch(() => "");
    }
    this.#terminationMessages.set(container.id, text === "" ? container.message : text);
  }

  #wakeAt(atMs: number): void {
    if (this.#closed || (this.#timerAtMs <= atMs && this.#timerAtMs > this.#deps.clock.now())) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    this.#timer = this.#deps.clock.after(Math.max(1, atMs - this.#deps.clock.now()), () => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.wake();
    });
  }

  #begin(action: Action, replaced: readonly string[]): void {
    const key = actionKey(action);
    if (this.#running.has(key) && !replaced.includes(key)) return;
    const running: Running = { abort: new AbortController() };
    this.#running.set(key, running);
    void this.#perform(action, running.abort.signal)
      .then(
        () => {
          this.#failures.delete(key);
          return 0;
        },
        (error) => this.#failed(action, error as Error, running.abort.signal),
      )
      .then((holdMs) => {
        const release = (): void => {
          if (this.#running.get(key) === running) this.#running.delete(key);
          this.runtimeChanged();
        };
        if (holdMs === 0 || this.#closed) release();
        else this.#deps.clock.after(holdMs, release);
      });
  }

  async #perform(action: Action, signal: AbortSignal): Promise<void> {
    const { runtime, volumes, cgroups } = this.#deps;
    switch (action.kind) {
      case "mountVolumes":
        await volumes.mount(this.#pod, signal);
        this.#volumes = { phase: "mounted" };
        return;
      case "unmountVolumes":
        await volumes.unmount(this.#pod);
        // nothing runs in it, but for a sandbox that is to stay until the pod is deleted
        if (!this.#sandboxes.some((sandbox) => sandbox.ready)) await cgroups?.remove(this.uid);
        this.#volumes = { phase: "gone" };
        return;
      case "createSandbox": {
        this.#sandboxesUnsure = true;
        const id = await createSandbox(this.#pod, action.attempt, action.replaces, this.#deps, signal);
        const created = await runtime.sandboxStatus(id);
        if (created !== undefined) {
          this.#sandboxes = [...this.#sandboxes.filter((sandbox) => sandbox.id !== id), created];
          this.#sandboxesUnsure = false;
        }
        this.#sandboxFailures = 0;
        return;
      }
      case "startContainer":
        await this.#start(action, signal);
        return;
      case "preStop":
        await preStop(this.#pod, action.name, action.id, this.#podIps()[0] ?? "", action.timeoutMs, this.#deps, signal);
        this.#preStopDone.add(action.id);
        return;
      case "stopContainer":
        this.#stops.set(action.id, { deadlineMs: this.#deps.clock.now() + action.graceSeconds * 1000 });
        await stopContainer(this.#pod, action, this.#deps, signal);
        return;
      case "resizeContainer": {
        const container = findContainer(this.#pod, action.name)?.container;
        if (container === undefined) return;
        const wanted = resourcesText(container);
        await cgroups?.widen(this.#pod);
        await runtime.updateResources(action.id, linuxResources(this.#pod, container, this.#deps.memoryCapacityBytes), {
          signal,
        });
        await cgroups?.make(this.#pod);
        this.#resized.set(action.id, wanted);
        return;
      }
      case "stopSandbox":
        return await runtime.stopSandbox(action.id);
      case "removeSandbox":
        return await runtime.removeSandbox(action.id);
      case "removeContainer":
        return await runtime.removeContainer(action.id);
      case "deleteObject":
        await this.#deps.deleteObject(this.#pod);
        this.#objectGone = true;
        return;
      case "forget":
        await cgroups?.remove(this.uid);
        await volumes.removeLogs(this.#pod);
        await this.#end();
        return;
      default:
        action satisfies never;
    }
  }

  async #start(action: Extract<Action, { kind: "startContainer" }>, signal: AbortSignal): Promise<void> {
    const sandbox = this.#sandboxes.find(({ id }) => id === action.sandboxId);
    const before = newestFirst(this.#containers, action.name)[0];
    if (before?.state === "exited" && before.sandboxId === action.sandboxId && !this.#raisedFor.has(before.id)) {
      this.#raisedFor.add(before.id);
      this.#crashBackoff.set(action.name, raiseBackoff(this.#crashBackoff.get(action.name), before.finishedAtMs));
    }
    this.#starting = action.name;
    try {
      const order = {
        pod: this.#pod,
        name: action.name,
        attempt: action.attempt,
        sandboxId: action.sandboxId,
        sandboxAttempt: sandbox?.attempt ?? 0,
        podIps: this.#podIps(),
      };
      const hasHook = findContainer(this.#pod, action.name)?.container.lifecycle?.postStart !== undefined;
      // A long hook: show that the container runs meanwhile.
      await startContainer(order, this.#deps, signal, () => hasHook && this.runtimeChanged());
      this.#startFailures.delete(action.name);
    } finally {
      this.#starting = undefined;
    }
  }

  /** How long the action's key stays busy: the pause before it is tried again. */
  #failed(action: Action, error: Error, signal: AbortSignal): number {
    const now = this.#deps.clock.now();
    if (action.kind === "createSandbox") {
      this.#sandboxesUnsure = true;
      if (!signal.aborted) this.#sandboxRetryAtMs = now + Math.min(1000 * 2 ** this.#sandboxFailures++, 10_000);
      return 0;
    }
    if (action.kind === "mountVolumes") {
      if (signal.aborted) return 0;
      const text = error instanceof CannotMount ? error.message : `Unable to attach or mount volumes: ${error.message}`;
      this.#deps.events.record(podReference(this.#pod), "Warning", "FailedMount", text);
      this.#volumes = { phase: "none", retryAtMs: now + Math.min(500 * 2 ** this.#volumeFailures++, 122_000) };
      return 0;
    }
    if (action.kind === "startContainer") {
      if (signal.aborted) return 0;
      const known = error instanceof CannotStart;
      if (!known)
        this.#deps.log.warn("cannot start a container", {
          pod: formatPod(this.#pod),
          container: action.name,
          error: error.stack,
        });
      this.#startFailures.set(action.name, {
        reason: known ? error.reason : "RunContainerError",
        message: error.message,
        retryAtMs: now + (known ? error.retryAfterMs : 10_000),
      });
      return 0;
    }
    if (action.kind === "stopContainer") {
      if (signal.aborted) return 0;
      this.#stops.delete(action.id);
    }
    if (action.kind === "preStop") {
      this.#preStopDone.add(action.id);
      return 0;
    }
    const failures = (this.#failures.get(actionKey(action)) ?? 0) + 1;
    this.#failures.set(actionKey(action), failures);
    this.#deps.log.warn("cannot carry out an action, will try again", {
      pod: formatPod(this.#pod),
      action: action.kind,
      error: error.message,
    });
    return Math.min(500 * 2 ** failures, 10_000);
  }

  #podIps(): readonly string[] {
    if (isHostNetwork(this.#pod)) return this.#deps.node.hostIps;
    return readySandbox(this.#state())?.ips ?? [];
  }

  #tellCrashLoops(loops: readonly { name: string; containerId: string }[]): void {
    for (const { name, containerId } of loops) {
      if (this.#toldCrashLoops.has(containerId)) continue;
      this.#toldCrashLoops.add(containerId);
      const about = podReference(this.#pod, containerFieldPath(this.#pod, name));
      this.#deps.events.record(
        about,
        "Warning",
        "BackOff",
        `Back-off restarting failed container ${name} in pod ${formatPod(this.#pod)}`,
      );
    }
  }

  /** Probers follow the running containers. */
  #syncProbers(): void {
    const live = new Set<string>();
    for (const current of this.#containers) {
      if (current.state !== "running" || this.#stops.has(current.id)) continue;
      const container = findContainer(this.#pod, current.name)?.container;
      const probes = {
        startup: container?.startupProbe,
        liveness: container?.livenessProbe,
        readiness: container?.readinessProbe,
      };
      if (container === undefined || (probes.startup ?? probes.liveness ?? probes.readiness) === undefined) continue;
      live.add(current.id);
      if (this.#probers.has(current.id)) continue;
      const { clock, events } = this.#deps;
      const prober = new ContainerProber({
        clock,
        probes,
        startedAtMs: current.startedAtMs,
        run: (kind, probe, signal) =>
          runProbe(
            probe,
            { kind, pod: this.#pod, container, containerId: current.id, podIp: this.#podIps()[0] ?? "" },
            this.#deps,
            signal,
          ),
        changed: (results) => {
          this.#probes.set(current.id, results);
          this.wake();
        },
        unhealthy: (kind, outcome) => {
          const name = kind[0]!.toUpperCase() + kind.slice(1); // three non-empty words
          const verb = outcome.result === "unknown" ? "errored and resulted in unknown state" : "failed";
          events.record(
            podReference(this.#pod, containerFieldPath(this.#pod, container.name)),
            "Warning",
            "Unhealthy",
            `${name} probe ${verb}: ${outcome.output}`,
          );
        },
      });
      this.#probers.set(current.id, prober);
    }
    for (const [id, prober] of this.#probers) {
      if (live.has(id)) continue;
      prober[Symbol.dispose]();
      this.#probers.delete(id);
    }
  }

  async #end(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    for (const prober of this.#probers.values()) prober[Symbol.dispose]();
    this.#deps.images.forget(this.uid);
    this.#deps.forgotten(this.uid);
  }
}

/** The termination message that the API already shows for this container. */
function reportedMessage(pod: Pod, containerId: string): string | undefined {
  const { initContainerStatuses = [], containerStatuses = [], ephemeralContainerStatuses = [] } = pod.status ?? {};
  for (const { state, lastState } of [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses]) {
    for (const ended of [state?.terminated, lastState?.terminated])
      if (ended?.containerID === containerId && ended.message !== undefined) return ended.message;
  }
  return undefined;
}
