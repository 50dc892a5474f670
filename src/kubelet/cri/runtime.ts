// The runtime over CRI v1: one gRPC method per call of ours, every answer checked.
import { type Clock, type GrpcChannel, type Log, openGrpcChannel, silentLog, sleep } from "#base";
import { runtimeLabels } from "../pod/names.ts";
import type { Call, ContainerStatus, Runtime, RuntimeEvent } from "../runtime.ts";
import { isRuntimeNotFound, RuntimeError, runtimeError } from "./errors.ts";
import {
  cgroupDriverFromCri,
  containerFromCri,
  idOf,
  imageFromCri,
  infoFromCri,
  sandboxFromCri,
  writableLayerFromCri,
} from "./from-cri.ts";
import { type CriProtocol, criProtocol } from "./messages.ts";
import { containerToCri, resourcesToCri, sandboxToCri } from "./to-cri.ts";

export interface CriRuntimeOptions {
  /** "unix:/run/containerd/containerd.sock" */
  readonly address: string;
  /** Where events come from: CRI's own stream unless given (containerd 1.6 has none; see containerd/events.ts). */
  readonly events?: (runtime: Runtime, signal: AbortSignal) => AsyncIterable<RuntimeEvent>;
  readonly clock: Clock;
  /** Every call is told of, for debugging. */
  readonly log?: Log;
}

/** A runtime behind a socket, which says how it makes control groups. */
export interface RemoteRuntime extends Runtime {
  /** Upstream's default where the runtime does not say (containerd before 2.0). */
  cgroupDriver(call?: Call): Promise<"cgroupfs" | "systemd">;
}

const defaultTimeoutMs = 2 * 60_000;
const firstAnswerMs = 30_000;
const askAgainMs = 50;

type Message = Record<string, unknown>;

/** Resolves when the runtime is ready for calls: a containerd that starts refuses them until it has read back what it runs. */
export async function openCriRuntime(options: CriRuntimeOptions): Promise<RemoteRuntime> {
  const protocol = criProtocol();
  const channel = await openGrpcChannel({ address: options.address, messages: protocol.messages });
  const runtime = new CriRuntime(channel, protocol, options);
  try {
    for (let waitedMs = 0; !(await isInitialized(runtime, waitedMs < firstAnswerMs)); waitedMs += askAgainMs)
      await sleep(options.clock, askAgainMs);
    return runtime;
  } catch (error) {
    channel.close();
    throw error;
  }
}

/** containerd's words; the code is UNKNOWN. Thrown when there is no more patience. */
async function isInitialized(runtime: Runtime, patient: boolean): Promise<boolean> {
  try {
    await runtime.info();
    return true;
  } catch (error) {
    if (patient && error instanceof RuntimeError && error.message.includes("server is not initialized yet")) return false;
    throw error;
  }
}

class CriRuntime implements RemoteRuntime {
  readonly #channel: GrpcChannel;
  readonly #protocol: CriProtocol;
  readonly #events: CriRuntimeOptions["events"];
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(channel: GrpcChannel, protocol: CriProtocol, { events, clock, log }: CriRuntimeOptions) {
    this.#channel = channel;
    this.#protocol = protocol;
    this.#events = events;
    this.#clock = clock;
    this.#log = log ?? silentLog;
  }

  async info(call?: Call) {
    const [version, status] = await Promise.all([this.#runtime("Version", {}, call), this.#runtime("Status", {}, call)]);
    return infoFromCri(version, status);
  }

  async cgroupDriver(call?: Call) {
    try {
      return cgroupDriverFromCri(await this.#runtime("RuntimeConfig", {}, call));
    } catch (error) {
      if (error instanceof RuntimeError && error.code === "UNIMPLEMENTED") return "cgroupfs";
      throw error;
    }
  }

  async runSandbox(config: Parameters<Runtime["runSandbox"]>[0], call?: Call) {
    // upstream's words; a runtime that could is asked for none here, as volumes would have to be mapped too
    if (!config.hostUsers) throw new Error("can't set `spec.hostUsers: false`, runtime does not support user namespaces");
    const answer = await this.#runtime(
      "RunPodSandbox",
      { config: sandboxToCri(config), runtimeHandler: config.runtimeHandler },
      { timeoutMs: 4 * 60_000, ...call },
    );
    return idOf(answer.podSandboxId, "sandbox");
  }

  async stopSandbox(id: string, call?: Call) {
    await this.#ignoringAbsent(this.#runtime("StopPodSandbox", { podSandboxId: id }, call));
  }

  async removeSandbox(id: string, call?: Call) {
    await this.#ignoringAbsent(this.#runtime("RemovePodSandbox", { podSandboxId: id }, call));
  }

  async sandboxStatus(id: string, call?: Call) {
    const answer = await this.#ignoringAbsent(this.#runtime("PodSandboxStatus", { podSandboxId: id }, call));
    return answer?.status === undefined ? undefined : sandboxFromCri(answer.status as Message);
  }

  async listSandboxes(call?: Call) {
    const answer = await this.#runtime("ListPodSandbox", {}, call);
    return ((answer.items ?? []) as Message[]).map(sandboxFromCri);
  }

  async createContainer(
    sandboxId: string,
    config: Parameters<Runtime["createContainer"]>[1],
    sandbox: Parameters<Runtime["createContainer"]>[2],
    call?: Call,
  ) {
    const answer = await this.#runtime(
      "CreateContainer",
      { podSandboxId: sandboxId, config: containerToCri(config, sandbox), sandboxConfig: sandboxToCri(sandbox) },
      call,
    );
    return idOf(answer.containerId, "container");
  }

  async startContainer(id: string, call?: Call) {
    await this.#runtime("StartContainer", { containerId: id }, call);
  }

  async stopContainer(id: string, graceSeconds: number, call?: Call) {
    const timeoutMs = graceSeconds * 1000 + defaultTimeoutMs;
    await this.#ignoringAbsent(
      this.#runtime("StopContainer", { containerId: id, timeout: graceSeconds }, { timeoutMs, ...call }),
    );
  }

  async removeContainer(id: string, call?: Call) {
    await this.#ignoringAbsent(this.#runtime("RemoveContainer", { containerId: id }, call));
  }

  async containerStatus(id: string, call?: Call) {
    const answer = await this.#ignoringAbsent(this.#runtime("ContainerStatus", { containerId: id }, call));
    if (answer?.status === undefined) return undefined;
    const listed = await this.#runtime("ListContainers", { filter: { id } }, call);
    const row = ((listed.containers ?? []) as Message[])[0];
    return containerFromCri(answer.status as Message, String(row?.podSandboxId ?? ""));
  }

  async listContainers(podUid?: string, call?: Call) {
    const filter = podUid === undefined ? undefined : { labelSelector: { [runtimeLabels.podUid]: podUid } };
    const answer = await this.#runtime("ListContainers", filter === undefined ? {} : { filter }, call);
    const rows = (answer.containers ?? []) as Message[];
    // the list has neither times nor exit codes
    const full = await Promise.all(
      rows.map(async (row): Promise<ContainerStatus | undefined> => {
        const status = await this.#ignoringAbsent(this.#runtime("ContainerStatus", { containerId: row.id }, call));
        return status?.status === undefined
          ? undefined
          : containerFromCri(status.status as Message, String(row.podSandboxId ?? ""));
      }),
    );
    return full.filter((status) => status !== undefined);
  }

  async writableLayers(podUid: string, call?: Call) {
    const filter = { labelSelector: { [runtimeLabels.podUid]: podUid } };
    const answer = await this.#runtime("ListContainerStats", { filter }, call);
    return new Map(((answer.stats ?? []) as Message[]).map(writableLayerFromCri));
  }

  async updateResources(id: string, resources: Parameters<Runtime["updateResources"]>[1], call?: Call) {
    await this.#runtime("UpdateContainerResources", { containerId: id, linux: resourcesToCri(resources) }, call);
  }

  async reopenLog(id: string, call?: Call) {
    await this.#runtime("ReopenContainerLog", { containerId: id }, call);
  }

  async execSync(id: string, command: readonly string[], call?: Call) {
    const timeoutMs = call?.timeoutMs ?? defaultTimeoutMs;
    // the runtime kills the command at its own time-out; ours only guards against a runtime that does not answer
    const answer = await this.#runtime(
      "ExecSync",
      { containerId: id, cmd: command, timeout: Math.ceil(timeoutMs / 1000) },
      { ...call, timeoutMs: timeoutMs + 10_000 },
    );
    return {
      exitCode: Number(answer.exitCode ?? 0),
      stdout: Buffer.from(answer.stdout as Uint8Array),
      stderr: Buffer.from(answer.stderr as Uint8Array),
    };
  }

  async exec(id: string, command: readonly string[], streams: Parameters<Runtime["exec"]>[2], call?: Call) {
    const answer = await this.#runtime("Exec", { containerId: id, cmd: command, ...streams }, call);
    return idOf(answer.url, "exec stream");
  }

  async attach(id: string, streams: Parameters<Runtime["attach"]>[1], call?: Call) {
    const answer = await this.#runtime("Attach", { containerId: id, ...streams }, call);
    return idOf(answer.url, "attach stream");
  }

  async portForward(sandboxId: string, ports: readonly number[], call?: Call) {
    const answer = await this.#runtime("PortForward", { podSandboxId: sandboxId, port: ports }, call);
    return idOf(answer.url, "port-forward stream");
  }

  async imageStatus(image: string, call?: Call) {
    const answer = await this.#image("ImageStatus", { image: { image } }, call);
    return answer.image === undefined ? undefined : imageFromCri(answer.image as Message);
  }

  async listImages(call?: Call) {
    const answer = await this.#image("ListImages", {}, call);
    return ((answer.images ?? []) as Message[]).map(imageFromCri);
  }

  async pullImage(image: string, credentials?: { username: string; password: string }, call?: Call) {
    const answer = await this.#image("PullImage", { image: { image }, auth: credentials }, { timeoutMs: 30 * 60_000, ...call });
    return idOf(answer.imageRef, "image");
  }

  async removeImage(image: string, call?: Call) {
    await this.#image("RemoveImage", { image: { image } }, call);
  }

  async *events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    if (this.#events !== undefined) return yield* this.#events(this, signal);
    const kinds: Readonly<Record<string, RuntimeEvent["kind"]>> = {
      CONTAINER_CREATED_EVENT: "created",
      CONTAINER_STARTED_EVENT: "started",
      CONTAINER_STOPPED_EVENT: "stopped",
      CONTAINER_DELETED_EVENT: "deleted",
    };
    for await (const event of this.#channel.serverStream(
      this.#protocol.method("RuntimeService", "GetContainerEvents"),
      {},
      { signal },
    )) {
      const sandbox = (event.podSandboxStatus ?? {}) as Message;
      const uid = ((sandbox.metadata ?? {}) as Message).uid;
      yield {
        podUid: String(uid ?? ""),
        containerId: String(event.containerId),
        kind: kinds[String(event.containerEventType)] ?? "created",
      };
    }
  }

  async updatePodCidr(cidr: string, call?: Call) {
    await this.#runtime("UpdateRuntimeConfig", { runtimeConfig: { networkConfig: { podCidr: cidr } } }, call);
  }

  async [Symbol.asyncDispose]() {
    this.#channel.close();
  }

  #runtime(name: string, request: object, call: Call | undefined): Promise<Message> {
    return this.#send("RuntimeService", name, request, call);
  }

  #image(name: string, request: object, call: Call | undefined): Promise<Message> {
    return this.#send("ImageService", name, request, call);
  }

  async #send(
    service: "RuntimeService" | "ImageService",
    name: string,
    request: object,
    call: Call | undefined,
  ): Promise<Message> {
    const startedMs = this.#clock.monotonic();
    const told = { method: `${service}/${name}` };
    try {
      const answer = await this.#channel.unary(this.#protocol.method(service, name), request, {
        timeoutMs: call?.timeoutMs ?? defaultTimeoutMs,
        signal: call?.signal,
      });
      this.#log.debug("called the runtime", { ...told, ms: Math.round(this.#clock.monotonic() - startedMs) });
      return answer;
    } catch (error) {
      const failure = runtimeError(error);
      this.#log.debug("a call of the runtime failed", { ...told, error: failure.message });
      throw failure;
    }
  }

  async #ignoringAbsent(sent: Promise<Message>): Promise<Message | undefined> {
    try {
      return await sent;
    } catch (error) {
      if (isRuntimeNotFound(error)) return undefined;
      throw error;
    }
  }
}
