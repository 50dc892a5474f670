// Keeps the Node object alive: registers it, writes its status when it changes or every five minutes, renews its lease.
import {
  type ContainerImage,
  isAlreadyExists,
  isNotFound,
  type JsonObject,
  type Lease,
  type Node,
  type NodeStatus,
  nodes,
  type ObjectReference,
  type Stored,
} from "#api";
import { type Clock, every, type Log, type Random, sleep, type Timer } from "#base";
import type { Client } from "#client";
import type { Capacity, KubeletOptions, NodeInfo } from "../options.ts";
import type { EventSink } from "../pod/events.ts";
import type { Runtime } from "../runtime.ts";
import { nodeLease, renewLease } from "./lease.ts";
import { newNode, nodeStatus, nodeStatusChanged } from "./node-object.ts";

export const kubeletVersion = "v1.36.2";
const lookMs = 10_000;
const reportMs = 300_000;
const renewMs = 10_000;
/** As upstream, a Node lists its 50 largest images. */
const mostImages = 50;

export interface NodeKeeperDeps {
  readonly client: Client;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly events: EventSink;
  readonly options: KubeletOptions;
  readonly capacity: Capacity;
  readonly nodeInfo: NodeInfo;
}

export class NodeKeeper implements AsyncDisposable {
  readonly #deps: NodeKeeperDeps;
  readonly #stop = new AbortController();
  readonly #timers: Timer[] = [];
  #node: Stored<Node> | undefined;
  #lease: Stored<Lease> | undefined;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #ready: boolean | undefined;
  #work: Promise<void> | undefined;

  constructor(deps: NodeKeeperDeps) {
    this.#deps = deps;
  }

  get node(): Stored<Node> | undefined {
    return this.#node;
  }

  /** Undefined when the Node is registered and Ready. */
  get missing(): string | undefined {
    if (this.#node === undefined) return `node "${this.#deps.options.nodeName}" is not registered`;
    return this.#ready === true
      ? undefined
      : `node "${this.#deps.options.nodeName}" is not ready: ${this.#node.status?.conditions?.find(({ type }) => type === "Ready")?.message}`;
  }

  /** Registers (trying again until it works), then goes on in the background. */
  async start(): Promise<void> {
    for (let failures = 0; !this.#stop.signal.aborted; failures++) {
      try {
        await this.#register();
        break;
      } catch (error) {
        this.#deps.log.warn("cannot register the node", { node: this.#deps.options.nodeName, error: (error as Error).message });
        await sleep(this.#deps.clock, Math.min(200 * 2 ** failures, 7_000), this.#stop.signal).catch(() => {});
      }
    }
    this.#timers.push(every(this.#deps.clock, lookMs, () => this.refresh()));
    this.#timers.push(every(this.#deps.clock, renewMs, () => this.#renewQuietly()));
    await this.#renewQuietly();
    // The network often becomes ready moments after the node is there: look more often until it is.
    void this.#hurry();
  }

  /** Looks at the runtime and writes the status if it has changed, or is due. */
  refresh(): Promise<void> {
    this.#work ??= this.#report()
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted)
          this.#deps.log.warn("cannot update the status of the node", { error: (error as Error).message });
      })
      .finally(() => {
        this.#work = undefined;
      });
    return this.#work;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("the kubelet is being stopped"));
    for (const timer of this.#timers) timer.cancel();
    await this.#work;
  }

  async #hurry(): Promise<void> {
    while (this.#ready !== true && !this.#stop.signal.aborted) {
      await sleep(this.#deps.clock, 200, this.#stop.signal).catch(() => {});
      if (!this.#stop.signal.aborted) await this.refresh();
    }
  }

  async #register(): Promise<void> {
    const { client, options, events } = this.#deps;
    const wanted = newNode(await this.#facts(undefined));
    events.record(this.#reference(), "Normal", "Starting", "Starting kubelet.");
    try {
      this.#node = await client.create(nodes, wanted, { signal: this.#stop.signal });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const found = await client.get(nodes, { name: options.nodeName });
      this.#node = found;
      const missing = Object.entries(wanted.metadata.labels ?? {}).filter(
        ([key, value]) => found.metadata.labels?.[key] !== value,
      );
      const provider =
        found.spec?.providerID === undefined && options.providerId !== undefined
          ? { spec: { providerID: options.providerId } }
          : undefined;
      if (missing.length > 0 || provider !== undefined) {
        this.#node = await client.patch(
          nodes,
          { name: options.nodeName },
          { type: "strategic", body: { metadata: { labels: Object.fromEntries(missing) }, ...provider } },
        );
      }
    }
    await this.#report();
    for (const reason of ["NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID"]) this.#tell(reason);
  }

  async #report(): Promise<void> {
    const { client, clock, options } = this.#deps;
    const before = this.#node;
    if (before === undefined) return;
    const status = nodeStatus(await this.#facts(before.status));
    if (this.#stop.signal.aborted) return;
    const due = clock.monotonic() - this.#reportedAt >= reportMs;
    if (due || nodeStatusChanged(before.status ?? {}, status)) {
      try {
        this.#node = await client.patch(
          nodes,
          { name: options.nodeName },
          { type: "strategic", body: { status: status as unknown as JsonObject } },
          { subresource: "status", signal: this.#stop.signal },
        );
      } catch (error) {
        // Deleted while we run: it comes back with the next registration only, as upstream.
        if (isNotFound(error)) this.#deps.log.warn("the node object is gone", { node: options.nodeName });
        throw error;
      }
      this.#reportedAt = clock.monotonic();
    }
    const ready = status.conditions?.find(({ type }) => type === "Ready")?.status === "True";
    if (ready !== this.#ready) {
      this.#ready = ready;
      this.#tell(ready ? "NodeReady" : "NodeNotReady");
    }
  }

  async #facts(previous: NodeStatus | undefined): Promise<Parameters<typeof nodeStatus>[0]> {
    const { runtime, clock, options, capacity, nodeInfo } = this.#deps;
    let runtimeVersion = previous?.nodeInfo?.containerRuntimeVersion ?? "Unknown";
    let notReady: string | undefined;
    let images: readonly ContainerImage[] = previous?.images ?? [];
    try {
      const info = await runtime.info({ timeoutMs: 10_000, signal: this.#stop.signal });
      runtimeVersion = `${info.name}://${info.version}`;
      if (!info.runtimeReady) notReady = `container runtime is down: ${info.message}`;
      else if (!info.networkReady) notReady = `container runtime network not ready: ${info.message}`;
      images = (await runtime.listImages())
        .map((image) => ({ names: [...image.digests, ...image.tags].slice(0, 5), sizeBytes: image.sizeBytes }))
        .sort((a, b) => b.sizeBytes - a.sizeBytes)
        .slice(0, mostImages);
    } catch (error) {
      notReady = `container runtime is down: ${(error as Error).message}`;
    }
    return { options, capacity, nodeInfo, kubeletVersion, runtimeVersion, notReady, images, previous, now: clock.now() };
  }

  async #renewQuietly(): Promise<void> {
    try {
      await this.#renew();
    } catch (error) {
      if (!this.#stop.signal.aborted)
        this.#deps.log.warn("cannot renew the lease of the node", { error: (error as Error).message });
    }
  }

  async #renew(): Promise<void> {
    const { client, clock, options } = this.#deps;
    if (this.#node === undefined) return;
    const wanted = nodeLease(options.nodeName, this.#node, clock.now());
    this.#lease = await renewLease(client, wanted, this.#lease, this.#stop.signal);
  }

  #reference(): ObjectReference {
    const { nodeName } = this.#deps.options;
    return { kind: "Node", name: nodeName, uid: nodeName };
  }

  #tell(reason: string): void {
    this.#deps.events.record(this.#reference(), "Normal", reason, `Node ${this.#deps.options.nodeName} status is now: ${reason}`);
  }
}
