// Watches over nodes: marks silent ones Unknown, taints unready ones, and tells the pods on them that they are not ready.
import {
  isNotFound,
  leases as leaseType,
  type Node,
  nodes as nodeType,
  objectKey,
  type Pod,
  pods as podType,
  type Stored,
} from "#api";
import { type Controller, type Requeue, referenceTo, rfc3339, watchFor, watchMapped } from "#client";
import type { ControllerContext } from "../context.ts";
import { OwnWrites } from "../shared/own-writes.ts";
import { conditionOf } from "../shared/pods.ts";
import { evictionRate, noExecuteOf, planHealth, planTaints, readyStatus } from "./plan.ts";

const heartbeatNamespace = "kube-node-lease";

export function nodeLifecycleController(context: ControllerContext): Controller {
  const { client, clock, events, informers, options } = context;
  const nodes = informers.informer(nodeType);
  const pods = informers.informer(podType);
  const heartbeats = informers.informer(leaseType, { namespace: heartbeatNamespace });
  const writes = new OwnWrites({ informer: nodes, client, type: nodeType });
  pods.addIndex("node", (pod) => (pod.spec.nodeName === undefined ? [] : [pod.spec.nodeName]));

  /** When each node was last heard of, by our own monotonic clock: clocks of nodes are not trusted. */
  const heardMs = new Map<string, number>();
  const zones = new Zones(() => clock.monotonic());
  const hear = (name: string): void => void heardMs.set(name, clock.monotonic());
  heartbeats.addHandler({
    added: ({ metadata }) => hear(metadata.name),
    updated: (lease, before) => {
      if (lease.spec?.renewTime !== before.spec?.renewTime) hear(lease.metadata.name);
    },
  });
  nodes.addHandler({
    added: (node) => {
      hear(node.metadata.name);
      zones.see(node);
    },
    updated: (node, before) => {
      // Our own write of Unknown is no sign of life.
      if (heartbeat(node) !== heartbeat(before) || (readyStatus(node) !== readyStatus(before) && readyStatus(node) !== "Unknown"))
        hear(node.metadata.name);
      zones.see(node);
    },
    deleted: (node) => {
      heardMs.delete(node.metadata.name);
      zones.forget(node.metadata.name);
    },
  });

  const reconcile = async (name: string, signal: AbortSignal): Promise<Requeue | void> => {
    await writes.settled(name, signal);
    let node = nodes.get(name);
    if (node === undefined || node.metadata.deletionTimestamp !== undefined) return writes.forget(name);
    const silentMs = clock.monotonic() - (heardMs.get(name) ?? clock.monotonic());
    const neverPosted = conditionTime(node) === undefined;
    const graceMs = neverPosted ? options.nodeStartupGracePeriodMs : options.nodeMonitorGracePeriodMs;
    const health = planHealth({ node, silentMs, graceMs, nowMs: clock.now() });
    const wasReady = readyStatus(node) === "True";
    if (health.conditions !== undefined) {
      node = await client.update(
        nodeType,
        { ...node, status: { ...node.status, conditions: health.conditions } },
        { subresource: "status", signal },
      );
      writes.wrote(name, node);
      zones.see(node);
    }
    if (readyStatus(node) !== "True") {
      if (wasReady)
        events.event(referenceTo(nodeType, node), {
          type: "Normal",
          reason: "NodeNotReady",
          message: `Node ${name} status is now: NodeNotReady`,
        });
      await Promise.all(pods.byIndex("node", name).map((pod) => markNotReady(pod, signal)));
    }

    const pauseMs = zones.pauseBeforeEviction(node);
    const taints = planTaints(node, pauseMs === 0, clock.now());
    if (taints !== undefined) {
      writes.wrote(name, await client.update(nodeType, { ...node, spec: { ...node.spec, taints } }, { signal }));
    }
    const waits = [health.overdueInMs, pauseMs === 0 ? undefined : pauseMs].filter((wait) => wait !== undefined);
    // The last heartbeat is noted, not queued: a timer asks again when the grace period would be over.
    if (waits.length > 0) return { requeueAfterMs: Math.max(1, Math.min(...waits)) };
  };

  const markNotReady = async (pod: Stored<Pod>, signal: AbortSignal): Promise<void> => {
    const ready = conditionOf(pod, "Ready");
    if (ready?.status !== "True") return;
    const conditions = (pod.status?.conditions ?? []).map((condition) =>
      condition === ready ? { ...condition, status: "False", lastTransitionTime: rfc3339(clock.now()) } : condition,
    );
    await client
      .update(podType, { ...pod, status: { ...pod.status, conditions } }, { subresource: "status", signal })
      .catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
  };

  return {
    name: "node-lifecycle-controller",
    workers: 8,
    sources: [
      watchFor(nodes),
      // Not the heartbeats themselves, but a node that is heard of again after it was given up.
      watchMapped(heartbeats, ({ metadata }) => {
        const node = nodes.get(metadata.name);
        return node !== undefined && noExecuteOf(node) !== undefined ? [metadata.name] : [];
      }),
      // When the last node of the cluster falls silent, or the first comes back, all others are looked at again.
      {
        name: "zones",
        synced: nodes.synced,
        get hasSynced() {
          return nodes.hasSynced;
        },
        start: (enqueue) => zones.onDisruptionChange(() => nodes.list().map(objectKey).forEach(enqueue)),
      },
      // A pod that is bound to a node that is already unready must not stay Ready.
      watchMapped(pods, (pod, before) => {
        const name = pod.spec.nodeName;
        if (name === undefined || before?.spec.nodeName === name) return [];
        const node = nodes.get(name);
        return node !== undefined && noExecuteOf(node) !== undefined ? [name] : [];
      }),
    ],
    reconcile,
  };
}

const conditionTime = (node: Node): string | undefined =>
  node.status?.conditions?.find(({ type }) => type === "Ready")?.lastHeartbeatTime;
const heartbeat = conditionTime;

const zoneOf = (node: Node): string =>
  `${node.metadata.labels?.["topology.kubernetes.io/region"] ?? ""}:${node.metadata.labels?.["topology.kubernetes.io/zone"] ?? ""}`;

/** Counts ready nodes by zone and spaces evictions out. */
class Zones {
  readonly #monotonic: () => number;
  readonly #nodes = new Map<string, { readonly zone: string; readonly ready: boolean }>();
  readonly #counts = new Map<string, { ready: number; notReady: number }>();
  readonly #nextMs = new Map<string, number>();
  readonly #granted = new Set<string>();
  readonly #listeners = new Set<() => void>();
  #ready = 0;

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  see(node: Stored<Node>): void {
    const { name } = node.metadata;
    const old = this.#nodes.get(name);
    const now = { zone: zoneOf(node), ready: readyStatus(node) === "True" };
    if (old?.zone === now.zone && old.ready === now.ready) return;
    const disrupted = this.#allDisrupted;
    this.#count(old, -1);
    this.#count(now, 1);
    this.#nodes.set(name, now);
    if (now.ready) this.#granted.delete(name);
    if (disrupted !== this.#allDisrupted) for (const listener of this.#listeners) listener();
  }

  forget(name: string): void {
    this.#count(this.#nodes.get(name), -1);
    this.#nodes.delete(name);
    this.#granted.delete(name);
  }

  onDisruptionChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** 0: pods may be evicted from this node now. Undefined: they may not until something changes. */
  pauseBeforeEviction(node: Stored<Node>): number | undefined {
    const { name } = node.metadata;
    if (noExecuteOf(node) === undefined) return undefined;
    // No node is ready: more likely we are cut off than all of them.
    if (this.#allDisrupted) {
      this.#granted.delete(name);
      return undefined;
    }
    if (this.#granted.has(name)) return 0;
    const zone = zoneOf(node);
    const { pauseMs } = evictionRate(this.#counts.get(zone) ?? { ready: 0, notReady: 0 });
    if (pauseMs === undefined) return undefined;
    const now = this.#monotonic();
    const next = this.#nextMs.get(zone) ?? 0;
    if (now < next) return next - now;
    this.#nextMs.set(zone, now + pauseMs);
    this.#granted.add(name);
    return 0;
  }

  get #allDisrupted(): boolean {
    return this.#ready === 0;
  }

  #count(node: { readonly zone: string; readonly ready: boolean } | undefined, by: 1 | -1): void {
    if (node === undefined) return;
    const counts = this.#counts.get(node.zone) ?? { ready: 0, notReady: 0 };
    counts[node.ready ? "ready" : "notReady"] += by;
    this.#counts.set(node.zone, counts);
    if (node.ready) this.#ready += by;
  }
}
