// For tests: a pod, its runtime and its worker's memory as plain data, moved on by plans. No clock, no promises.
import type { Pod, PodStatus } from "#api";
import { planPod } from "../pod/plan.ts";
import { resourcesText } from "../pod/resize.ts";
import { type Backoff, raiseBackoff } from "../pod/restart.ts";
import { findContainer } from "../pod/spec.ts";
import {
  type Action,
  actionKey,
  type Ended,
  type PodPlan,
  type PodState,
  type ProbeResults,
  type StartFailure,
  type StopOrder,
  type VolumeState,
} from "../pod/state.ts";
import type { ContainerStatus, SandboxStatus } from "../runtime.ts";

export const uid = "11111111-1111-4111-8111-111111111111";

export function aPod(spec: Partial<Pod["spec"]> = {}, metadata: Partial<Pod["metadata"]> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", namespace: "default", uid, generation: 1, ...metadata },
    spec: {
      nodeName: "n1",
      restartPolicy: "Always",
      terminationGracePeriodSeconds: 30,
      containers: [{ name: "app", image: "app:1" }],
      ...spec,
    },
  };
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** A pod and everything around it. Actions stay under way until `settle` or `complete` ends them. */
export class PodModel {
  pod: Pod;
  removed = false;
  keepTerminalSandbox = false;
  now = 1_000_000_000_000;
  sandboxes: SandboxStatus[] = [];
  containers: ContainerStatus[] = [];
  volumes: VolumeState = { phase: "none" };
  ended: Ended | undefined;
  stoppingSinceMs: number | undefined;
  published: PodStatus | undefined;
  objectGone = false;
  forgotten = false;
  starting: string | undefined;
  readonly busy = new Map<string, Action>();
  readonly startFailures = new Map<string, StartFailure>();
  readonly crashBackoff = new Map<string, Backoff>();
  readonly probes = new Map<string, ProbeResults>();
  readonly preStopDone = new Set<string>();
  readonly stops = new Map<string, StopOrder>();
  readonly resized = new Map<string, string>();
  readonly history: Action[] = [];
  readonly statuses: PodStatus[] = [];
  readonly startedAtMs = this.now;
  #ids = 0;

  constructor(pod: Pod) {
    this.pod = pod;
  }

  state(): PodState {
    const {
      startedAtMs,
      ended,
      stoppingSinceMs,
      volumes,
      starting,
      startFailures,
      crashBackoff,
      probes,
      preStopDone,
      stops,
      published,
      objectGone,
    } = this;
    return {
      pod: this.pod,
      removed: this.removed,
      sandboxes: this.sandboxes,
      containers: this.containers,
      node: { runtimeName: "containerd", hostIps: ["10.0.0.1"], keepTerminalSandbox: this.keepTerminalSandbox },
      memory: {
        startedAtMs,
        ended,
        stoppingSinceMs,
        volumes,
        starting,
        startFailures,
        crashBackoff,
        probes,
        preStopDone,
        stops,
        published,
        objectGone,
        busy: new Set(this.busy.keys()),
        terminationMessages: new Map(),
        resized: this.resized,
      },
    };
  }

  /** Plans once and takes what it decides as under way. */
  plan(): PodPlan {
    const plan = planPod(this.state(), this.now);
    if (plan.stopping) this.stoppingSinceMs ??= this.now;
    this.ended ??= plan.ended;
    this.published = plan.status;
    this.statuses.push(plan.status);
    for (const key of plan.cancel) this.busy.delete(key);
    for (const action of plan.actions) {
      this.busy.set(actionKey(action), action);
      this.history.push(action);
      if (action.kind === "startContainer") this.starting = action.name;
      if (action.kind === "stopContainer") this.stops.set(action.id, { deadlineMs: this.now + action.graceSeconds * 1000 });
    }
    if (!this.busy.has("start")) this.starting = undefined;
    return plan;
  }

  /** Ends one action that is under way; `ok` false: it failed. */
  complete(action: Action, ok = true): void {
    if (this.busy.get(actionKey(action)) !== action) return;
    this.busy.delete(actionKey(action));
    if (ok) this.#succeed(action);
    else this.#fail(action);
    if (!this.busy.has("start")) this.starting = undefined;
  }

  /** Plans and completes until nothing more happens without time passing. */
  settle(): void {
    for (let rounds = 0; rounds < 200 && !this.forgotten; rounds++) {
      this.plan();
      if (this.busy.size === 0 || this.forgotten) return;
      for (const action of [...this.busy.values()]) this.complete(action);
    }
    if (!this.forgotten) throw new Error("the pod does not come to rest");
  }

  exit(name: string, exitCode: number): void {
    const running = this.containers.find((container) => container.name === name && container.state === "running");
    if (running !== undefined)
      this.#change(running.id, {
        state: "exited",
        exitCode,
        finishedAtMs: this.now,
        reason: exitCode === 0 ? "Completed" : "Error",
      });
  }

  delete(graceSeconds: number): void {
    const metadata = {
      ...this.pod.metadata,
      deletionTimestamp: new Date(this.now).toISOString(),
      deletionGracePeriodSeconds: graceSeconds,
    };
    this.pod = { ...this.pod, metadata };
  }

  loseSandbox(): void {
    this.sandboxes = this.sandboxes.map((sandbox) => ({ ...sandbox, ready: false }));
  }

  current(name: string): ContainerStatus | undefined {
    return this.containers.filter((container) => container.name === name).sort((a, b) => b.attempt - a.attempt)[0];
  }

  kinds(): readonly string[] {
    return this.history.map((action) => ("name" in action ? `${action.kind} ${action.name}` : action.kind));
  }

  #succeed(action: Action): void {
    switch (action.kind) {
      case "mountVolumes":
        this.volumes = { phase: "mounted" };
        return;
      case "unmountVolumes":
        this.volumes = { phase: "gone" };
        return;
      case "createSandbox":
        this.sandboxes.push({
          id: `s${this.#ids++}`,
          podName: "web",
          podNamespace: "default",
          podUid: uid,
          attempt: action.attempt,
          ready: true,
          createdAtMs: this.now,
          ips: [`10.244.0.${2 + action.attempt}`],
          labels: {},
          annotations: {},
        });
        return;
      case "stopSandbox":
        this.sandboxes = this.sandboxes.map((sandbox) => (sandbox.id === action.id ? { ...sandbox, ready: false } : sandbox));
        for (const container of this.containers)
          if (container.sandboxId === action.id && container.state === "running")
            this.#change(container.id, { state: "exited", exitCode: 137, finishedAtMs: this.now });
        return;
      case "removeSandbox":
        this.sandboxes = this.sandboxes.filter(({ id }) => id !== action.id);
        return;
      case "startContainer": {
        const before = this.current(action.name);
        if (before?.state === "exited" && before.sandboxId === action.sandboxId)
          this.crashBackoff.set(action.name, raiseBackoff(this.crashBackoff.get(action.name), before.finishedAtMs));
        this.startFailures.delete(action.name);
        this.containers.push({
          id: `c${this.#ids++}`,
          sandboxId: action.sandboxId,
          name: action.name,
          attempt: action.attempt,
          state: "running",
          createdAtMs: this.now,
          startedAtMs: this.now,
          finishedAtMs: 0,
          exitCode: 0,
          reason: "",
          message: "",
          image: findContainer(this.pod, action.name)?.container.image ?? "",
          imageRef: "sha256:1",
          labels: {},
          annotations: { "tiphys.dev/resources": resourcesText(findContainer(this.pod, action.name)?.container ?? { name: "" }) },
          logPath: "",
        });
        return;
      }
      case "resizeContainer": {
        const container = findContainer(this.pod, action.name)?.container;
        if (container !== undefined) this.resized.set(action.id, resourcesText(container));
        return;
      }
      case "preStop":
        this.preStopDone.add(action.id);
        return;
      case "stopContainer":
        this.#change(action.id, { state: "exited", exitCode: 143, reason: "Error", finishedAtMs: this.now });
        return;
      case "removeContainer":
        this.containers = this.containers.filter(({ id }) => id !== action.id);
        return;
      case "deleteObject":
        this.objectGone = true;
        return;
      case "forget":
        this.forgotten = true;
        return;
      default:
        action satisfies never;
    }
  }

  #fail(action: Action): void {
    if (action.kind === "startContainer")
      this.startFailures.set(action.name, { reason: "ErrImagePull", message: "no such image", retryAtMs: this.now + 10_000 });
    if (action.kind === "mountVolumes") this.volumes = { phase: "none", retryAtMs: this.now + 1000 };
    if (action.kind === "stopContainer") this.stops.delete(action.id);
    if (action.kind === "preStop") this.preStopDone.add(action.id);
  }

  #change(id: string, change: Partial<Writable<ContainerStatus>>): void {
    this.containers = this.containers.map((container) =>
      container.id === id && container.state !== "exited" ? { ...container, ...change } : container,
    );
  }
}
