// A container runtime that only pretends: containers start, run, end and answer as their specs and annotations say.
import type { Clock, Random, Timer } from "#base";
import type {
  ContainerConfig,
  ContainerStatus,
  Image,
  Runtime,
  RuntimeEvent,
  RuntimeInfo,
  SandboxConfig,
  SandboxStatus,
} from "#kubelet";
import { AddressPool } from "./addresses.ts";
import { annotation, failsNow, type OutputLine, type Program, parseDuration, programOf, runCommand } from "./program.ts";

export interface SimulatedRuntimeOptions {
  /** Where pod addresses come from. Asked when the first is needed. */
  readonly podCidr: () => string;
}

export interface SimulatedRuntimeDeps {
  readonly clock: Clock;
  readonly random: Random;
}

export interface SimulatedRuntime extends Runtime {
  /** What the container has printed until now; undefined: there is no such container. */
  log(containerId: string): SimulatedLog | undefined;
  /** Called at every start and end of a container of this node. */
  onEvent(listener: (event: RuntimeEvent) => void): Disposable;
  /** For faults: the container ends now with this code, as if by itself. */
  kill(containerId: string, exitCode: number, reason?: string): void;
  /** What this container's annotations say it uses; zero when it does not run. */
  usage(containerId: string): { readonly cpu: string; readonly memory: string };
}

export interface SimulatedLog {
  readonly lines: readonly { readonly timeMs: number; readonly text: string }[];
  /** When the next line comes, if nothing stops the container before; undefined: none. */
  readonly nextAtMs: number | undefined;
  readonly isRunning: boolean;
}

/** Part of an image name: such an image is never present and cannot be pulled. */
export const pullErrorMarker = "sim.tiphys.dev/pull-error";

interface Sandbox {
  readonly config: SandboxConfig;
  status: SandboxStatus;
}

interface Container {
  readonly sandbox: Sandbox;
  readonly config: ContainerConfig;
  readonly program: Program;
  status: ContainerStatus;
  timer: Timer | undefined;
  stopped: (() => void)[];
}

export function simulatedRuntime(options: SimulatedRuntimeOptions, deps: SimulatedRuntimeDeps): SimulatedRuntime {
  return new Simulation(options, deps);
}

class Simulation implements SimulatedRuntime {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #podCidr: () => string;
  readonly #sandboxes = new Map<string, Sandbox>();
  readonly #containers = new Map<string, Container>();
  readonly #byPod = new Map<string, Set<Container>>();
  readonly #images = new Map<string, Image>();
  readonly #listeners = new Set<(event: RuntimeEvent) => void>();
  #pool: AddressPool | undefined;

  constructor(options: SimulatedRuntimeOptions, deps: SimulatedRuntimeDeps) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#podCidr = options.podCidr;
  }

  async info(): Promise<RuntimeInfo> {
    return { name: "simulated", version: "1.0.0", runtimeReady: true, networkReady: true, message: "" };
  }

  async runSandbox(config: SandboxConfig): Promise<string> {
    const delay = parseDuration(config.pod.metadata.annotations?.["sim.tiphys.dev/start-delay"] ?? "0") ?? 0;
    if (delay > 0) await new Promise<void>((resolve) => this.#clock.after(delay, resolve));
    const id = this.#id();
    this.#pool ??= config.hostNetwork ? undefined : new AddressPool(this.#podCidr());
    const ips = config.hostNetwork || this.#pool === undefined ? [] : [this.#pool.take()];
    const { podName, podNamespace, podUid, attempt, labels, annotations } = config;
    this.#sandboxes.set(id, {
      config,
      status: {
        id,
        podName,
        podNamespace,
        podUid,
        attempt,
        ready: true,
        createdAtMs: this.#clock.now(),
        ips,
        labels,
        annotations,
      },
    });
    return id;
  }

  async stopSandbox(id: string): Promise<void> {
    const sandbox = this.#sandboxes.get(id);
    if (sandbox === undefined) return;
    for (const container of this.#byPod.get(sandbox.config.podUid) ?? []) {
      if (container.sandbox === sandbox) this.#end(container, 137, "Error");
    }
    if (sandbox.status.ready) for (const ip of sandbox.status.ips) this.#pool?.giveBack(ip);
    sandbox.status = { ...sandbox.status, ready: false };
  }

  async removeSandbox(id: string): Promise<void> {
    await this.stopSandbox(id);
    this.#sandboxes.delete(id);
  }

  async sandboxStatus(id: string): Promise<SandboxStatus | undefined> {
    return this.#sandboxes.get(id)?.status;
  }

  async listSandboxes(): Promise<readonly SandboxStatus[]> {
    return [...this.#sandboxes.values()].map(({ status }) => status);
  }

  async createContainer(sandboxId: string, config: ContainerConfig, _sandbox: SandboxConfig): Promise<string> {
    const sandbox = this.#sandboxes.get(sandboxId);
    if (sandbox === undefined) throw new Error(`Cannot create container "${config.name}": sandbox "${sandboxId}" is not there`);
    const id = this.#id();
    const { name, attempt, image, labels, annotations, logPath } = config;
    const container: Container = {
      sandbox,
      config,
      program: programOf(sandbox.config.pod, name, config.command, config.args),
      status: {
        id,
        sandboxId,
        name,
        attempt,
        state: "created",
        createdAtMs: this.#clock.now(),
        startedAtMs: 0,
        finishedAtMs: 0,
        exitCode: 0,
        reason: "",
        message: "",
        image,
        imageRef: config.imageId,
        labels,
        annotations,
        logPath,
      },
      timer: undefined,
      stopped: [],
    };
    this.#containers.set(id, container);
    const { podUid } = sandbox.config;
    const siblings = this.#byPod.get(podUid);
    if (siblings === undefined) this.#byPod.set(podUid, new Set([container]));
    else siblings.add(container);
    return id;
  }

  async startContainer(id: string): Promise<void> {
    const container = this.#known(id);
    const failure = annotation(container.sandbox.config.pod, container.config.name, "start-error");
    if (failure !== undefined) {
      container.status = { ...container.status, startedAtMs: this.#clock.now() };
      this.#end(container, 128, "StartError", failure);
      throw new Error(failure);
    }
    container.status = { ...container.status, state: "running", startedAtMs: this.#clock.now() };
    this.#tell(container, "started");
    const { durationMs, exitCode, reason } = container.program;
    if (durationMs !== undefined) container.timer = this.#clock.after(durationMs, () => this.#end(container, exitCode, reason));
  }

  async stopContainer(id: string, graceSeconds: number): Promise<void> {
    const container = this.#containers.get(id);
    if (container === undefined || container.status.state !== "running") return;
    const { stopMs, stopExitCode } = container.program;
    const graceMs = graceSeconds * 1000;
    if (stopMs === 0 && graceMs > 0) {
      this.#end(container, stopExitCode, "");
      return;
    }
    await new Promise<void>((resolve) => {
      container.stopped.push(resolve);
      container.timer?.cancel();
      container.timer = this.#clock.after(Math.min(stopMs, graceMs), () =>
        this.#end(container, stopMs > graceMs || graceMs === 0 ? 137 : stopExitCode, ""),
      );
    });
  }

  async removeContainer(id: string): Promise<void> {
    const container = this.#containers.get(id);
    if (container === undefined) return;
    this.#end(container, 137, "Error");
    this.#containers.delete(id);
    const { podUid } = container.sandbox.config;
    const siblings = this.#byPod.get(podUid);
    siblings?.delete(container);
    if (siblings?.size === 0) this.#byPod.delete(podUid);
  }

  async containerStatus(id: string): Promise<ContainerStatus | undefined> {
    return this.#containers.get(id)?.status;
  }

  async listContainers(podUid?: string): Promise<readonly ContainerStatus[]> {
    const containers = podUid === undefined ? this.#containers.values() : (this.#byPod.get(podUid) ?? []);
    return [...containers].map(({ status }) => status);
  }

  async updateResources(): Promise<void> {}
  async reopenLog(): Promise<void> {}

  async execSync(id: string, command: readonly string[]): Promise<{ exitCode: number; stdout: Buffer; stderr: Buffer }> {
    const container = this.#known(id);
    const failed = this.#failsProbe(container, command);
    const silent = (exitCode: number): { exitCode: number; output: readonly OutputLine[] } => ({ exitCode, output: [] });
    const outcome = failed ? silent(1) : (runCommand(command) ?? silent(0));
    const text = outcome.output.map((line) => `${line.text}\n`).join("");
    return { exitCode: outcome.exitCode, stdout: Buffer.from(text), stderr: Buffer.alloc(0) };
  }

  async exec(): Promise<string> {
    throw new Error("Cannot exec: the containers of this node are simulated");
  }

  async attach(): Promise<string> {
    throw new Error("Cannot attach: the containers of this node are simulated");
  }

  async portForward(): Promise<string> {
    throw new Error("Cannot forward a port: the containers of this node are simulated");
  }

  async imageStatus(image: string): Promise<Image | undefined> {
    if (image.includes(pullErrorMarker)) return undefined;
    let found = this.#images.get(image);
    if (found === undefined) {
      found = { id: `sim://${image}`, tags: [image], digests: [], sizeBytes: 1_000_000, user: "1000" };
      this.#images.set(image, found);
    }
    return found;
  }

  async listImages(): Promise<readonly Image[]> {
    return [...this.#images.values()];
  }

  async pullImage(image: string): Promise<string> {
    if (image.includes(pullErrorMarker)) {
      throw new Error(
        `rpc error: code = NotFound desc = failed to pull and unpack image "${image}": failed to resolve reference "${image}": ${image}: not found`,
      );
    }
    return (await this.imageStatus(image))?.id ?? "";
  }

  async removeImage(image: string): Promise<void> {
    this.#images.delete(image);
  }

  async *events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    const queue: RuntimeEvent[] = [];
    let wake = Promise.withResolvers<void>();
    const listener = (event: RuntimeEvent): void => {
      queue.push(event);
      wake.resolve();
    };
    const onAbort = (): void => wake.resolve();
    signal.addEventListener("abort", onAbort);
    this.#listeners.add(listener);
    try {
      while (!signal.aborted) {
        yield* queue.splice(0);
        if (queue.length > 0 || signal.aborted) continue;
        await wake.promise;
        wake = Promise.withResolvers<void>();
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#listeners.delete(listener);
    }
  }

  async writableLayers(): Promise<ReadonlyMap<string, number>> {
    return new Map();
  }

  async updatePodCidr(): Promise<void> {}

  log(containerId: string): SimulatedLog | undefined {
    const container = this.#containers.get(containerId);
    if (container === undefined) return undefined;
    const { startedAtMs, finishedAtMs, state } = container.status;
    const isRunning = state === "running";
    if (startedAtMs === 0) return { lines: [], nextAtMs: undefined, isRunning };
    const all = container.program.output.map(({ atMs, text }) => ({ timeMs: startedAtMs + atMs, text }));
    const until = isRunning ? this.#clock.now() : finishedAtMs;
    const lines = all.filter(({ timeMs }) => timeMs <= until);
    return { lines, nextAtMs: isRunning ? all[lines.length]?.timeMs : undefined, isRunning };
  }

  onEvent(listener: (event: RuntimeEvent) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  kill(containerId: string, exitCode: number, reason = ""): void {
    this.#end(this.#known(containerId), exitCode, reason);
  }

  usage(containerId: string): { readonly cpu: string; readonly memory: string } {
    const container = this.#containers.get(containerId);
    if (container?.status.state !== "running") return { cpu: "0", memory: "0" };
    const { pod } = container.sandbox.config;
    return {
      cpu: annotation(pod, container.config.name, "cpu") ?? "1m",
      memory: annotation(pod, container.config.name, "memory") ?? "1Mi",
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const container of this.#containers.values()) container.timer?.cancel();
    this.#listeners.clear();
  }

  #failsProbe(container: Container, command: readonly string[]): boolean {
    const { pod } = container.sandbox.config;
    const spec = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find(({ name }) => name === container.config.name);
    const age = this.#clock.now() - container.status.startedAtMs;
    const same = (other: readonly string[] | undefined): boolean =>
      other !== undefined && other.length === command.length && other.every((word, index) => word === command[index]);
    return (["startup", "liveness", "readiness"] as const).some(
      (kind) =>
        same(spec?.[`${kind}Probe`]?.exec?.command) && failsNow(annotation(pod, container.config.name, `fail-${kind}`), age),
    );
  }

  #end(container: Container, exitCode: number, reason: string, message = ""): void {
    if (container.status.state === "exited") return;
    container.timer?.cancel();
    const wasRunning = container.status.startedAtMs > 0;
    container.status = {
      ...container.status,
      state: "exited",
      exitCode,
      reason: reason === "" ? (exitCode === 0 ? "Completed" : "Error") : reason,
      message,
      finishedAtMs: wasRunning ? this.#clock.now() : 0,
    };
    for (const resolve of container.stopped.splice(0)) resolve();
    this.#tell(container, "stopped");
  }

  #tell(container: Container, kind: RuntimeEvent["kind"]): void {
    const event = { podUid: container.sandbox.config.podUid, containerId: container.status.id, kind };
    for (const listener of this.#listeners) listener(event);
  }

  #known(id: string): Container {
    const container = this.#containers.get(id);
    if (container === undefined) throw new Error(`container "${id}" is not there`);
    return container;
  }

  #id(): string {
    return Buffer.from(this.#random.bytes(32)).toString("hex");
  }
}
