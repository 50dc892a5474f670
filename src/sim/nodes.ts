// Many simulated nodes in one process: one watch of pods, one timer for all heartbeats, a fleet only where pods are.
import {
  isAlreadyExists,
  isInvalid,
  type JsonObject,
  type Lease,
  type Node,
  nodes as nodeResource,
  type Pod,
  pods as podResource,
  type Stored,
  simulatedNodeLabel,
  type Taint,
} from "#api";
import { type Clock, every, type Log, type Random, type Running, type Timer } from "#base";
import { type Client, createInformerFactory, type Informer, type InformerFactory } from "#client";
import {
  type Capacity,
  type EventSink,
  feed,
  ImageKeeper,
  type KubeletOptions,
  kubeletVersion,
  newNode,
  nodeLease,
  nodeStatus,
  noEvents,
  objectsThrough,
  PodFleet,
  type ReferencedObjects,
  referencesOnly,
  renewLease,
} from "#kubelet";
import { type NodeHost, serveCreatedNodes } from "./created-nodes.ts";
import { type SimulatedNodeServer, simulatedNodeServer } from "./node-server.ts";
import { simulatedProbes } from "./probes.ts";
import { type SimulatedRuntime, simulatedRuntime } from "./runtime.ts";
import { sharedObjects } from "./shared-objects.ts";

export interface SimNodesOptions {
  readonly count: number;
  /** Default "sim-": nodes are sim-0, sim-1, ... */
  readonly namePrefix?: string;
  /** Number of the first. Default 0. */
  readonly first?: number;
  /** The one node watches only itself and its pods: all that a node's own credentials allow. */
  readonly alone?: boolean;
  readonly capacity?: Capacity;
  readonly maxPods?: number;
  readonly labels?: Readonly<Record<string, string>> | ((index: number) => Readonly<Record<string, string>>);
  /** With which they register, by name. */
  readonly taints?: (nodeName: string) => readonly Taint[];
  /** Default: a /24 of 10.128.0.0/9 each. Written to the Node when it is made. */
  readonly podCidr?: (index: number) => string;
  /** Serve nodes too that others create with the annotation for it. */
  readonly serveCreated?: boolean;
}

export interface SimNodesDeps {
  /** May watch pods of all nodes and read config maps and secrets: one for all simulated nodes. */
  readonly client: Client;
  /** Speaks as that node; every write of a node goes through its own. */
  readonly clientFor: (nodeName: string) => Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Absent: simulated nodes record no events. */
  readonly eventsFor?: (nodeName: string) => EventSink;
  /** One that is there already and watches pods; else the nodes make their own. */
  readonly informers?: InformerFactory;
}

export interface RunningSimNodes extends Running {
  readonly nodeNames: readonly string[];
  /** For faults: a node that is down renews nothing and does nothing; up again it goes on where it was. */
  setDown(nodeName: string, isDown: boolean): void;
  /** The runtime of a node, for faults and logs; undefined while it has no pods. */
  runtime(nodeName: string): SimulatedRuntime | undefined;
  /** What the node would serve on its port: logs and pods. Undefined for a name that is not ours and for a node that is down. */
  server(nodeName: string): SimulatedNodeServer | undefined;
}

const renewMs = 10_000;
const reportMs = 300_000;
const mostSlots = 40;
const registrationsInFlight = 64;
const defaultCapacity: Capacity = { cpu: "32", memoryBytes: 256 * 2 ** 30, ephemeralBytes: 2 ** 40 };

interface SimNode {
  readonly index: number;
  readonly name: string;
  readonly client: Client;
  readonly options: KubeletOptions;
  readonly podCidr: string;
  node: Stored<Node> | undefined;
  lease: Stored<Lease> | undefined;
  fleet: PodFleet | undefined;
  runtime: SimulatedRuntime | undefined;
  isDown: boolean;
}

/** Resolves when every node is registered and Ready. */
export async function startSimNodes(options: SimNodesOptions, deps: SimNodesDeps): Promise<RunningSimNodes> {
  const { clock, random, log } = deps;
  const all = Array.from({ length: options.count }, (_, place) => {
    const index = (options.first ?? 0) + place;
    return describe(`${options.namePrefix ?? "sim-"}${index}`, index, options, deps);
  });
  const byName = new Map(all.map((node) => [node.name, node]));
  const objects = sharedObjects(objectsThrough(deps.client), clock);
  const capacity = options.capacity ?? defaultCapacity;

  await inParallel(all, registrationsInFlight, (node) => register(node, capacity, clock));

  const factory = deps.informers ?? createInformerFactory({ client: deps.client, clock, random, log });
  const only = (field: string): { fieldSelector?: string } =>
    options.alone === true ? { fieldSelector: `${field}=${all[0]?.name}` } : {};
  // pods are admitted by what the node is now: its labels, its extended resources
  const nodes = factory.informer(nodeResource, only("metadata.name"));
  const route = (pod: Pod): PodFleet | undefined => {
    const node = byName.get(pod.spec.nodeName ?? "");
    if (node === undefined || node.isDown) return undefined;
    node.fleet ??= makeFleet(node, () => nodes.get(node.name) ?? node.node, objects, capacity, deps);
    return node.fleet;
  };
  let pods: Informer<Pod> | undefined;
  let subscription: Disposable | undefined;
  /** From the first node on: who has none keeps no copy of the cluster's pods for it. */
  const watchPods = async (): Promise<void> => {
    pods ??= factory.informer(podResource, only("spec.nodeName"));
    subscription ??= feed(pods, {
      set: (pod) => route(pod)?.set(pod),
      remove: (pod) => byName.get(pod.spec.nodeName ?? "")?.fleet?.remove(pod),
    });
    await pods.synced;
  };
  const podsOf = (name: string): readonly Stored<Pod>[] => pods?.list().filter((pod) => pod.spec.nodeName === name) ?? [];
  factory.start();
  await Promise.all([nodes.synced, all.length > 0 ? watchPods() : undefined]);
  const heartbeats = beat(all, capacity, deps);
  const used = new Set(all.map(({ index }) => index));
  const host: NodeHost = {
    has: (name) => byName.has(name),
    take: async (found) => {
      const { name } = found.metadata;
      const index = freeIndex(used, nodes.list());
      used.add(index);
      const node = describe(name, index, options, deps);
      try {
        await complete(found, node, capacity, deps);
        await register(node, capacity, clock);
        await watchPods();
      } catch (error) {
        used.delete(index);
        throw error;
      }
      all.push(node);
      byName.set(name, node);
      for (const pod of podsOf(name)) route(pod)?.set(pod);
    },
    release: async (name) => {
      const node = byName.get(name);
      if (node === undefined) return;
      byName.delete(name);
      all.splice(all.indexOf(node), 1);
      used.delete(node.index);
      await node.fleet?.[Symbol.asyncDispose]();
      await node.runtime?.[Symbol.asyncDispose]();
    },
  };
  const created = options.serveCreated === true ? serveCreatedNodes(nodes, host, log) : undefined;

  return {
    nodeNames: all.map(({ name }) => name),
    ready: () => (pods?.hasSynced !== false ? undefined : "the simulated nodes do not know their pods yet"),
    setDown: (nodeName, isDown) => {
      const node = byName.get(nodeName);
      if (node === undefined || node.isDown === isDown) return;
      node.isDown = isDown;
      if (isDown) return;
      const mine = podsOf(nodeName);
      const uids = new Set(mine.map(({ metadata }) => metadata.uid));
      for (const worker of node.fleet?.workers.values() ?? []) if (!uids.has(worker.uid)) worker.podRemoved();
      for (const pod of mine) route(pod)?.set(pod);
    },
    runtime: (nodeName) => byName.get(nodeName)?.runtime,
    server: (nodeName) => {
      const node = byName.get(nodeName);
      if (node === undefined || node.isDown) return undefined;
      return simulatedNodeServer({
        pods: () => podsOf(nodeName),
        findPod: (namespace, name) => {
          const pod = pods?.get(`${namespace}/${name}`);
          return pod?.spec.nodeName === nodeName ? pod : undefined;
        },
        runtime: () => node.runtime,
        clock,
      });
    },
    [Symbol.asyncDispose]: async () => {
      heartbeats.cancel();
      await created?.[Symbol.asyncDispose]();
      subscription?.[Symbol.dispose]();
      if (deps.informers === undefined) await factory[Symbol.asyncDispose]();
      await Promise.all(all.map((node) => node.fleet?.[Symbol.asyncDispose]()));
      await Promise.all(all.map((node) => node.runtime?.[Symbol.asyncDispose]()));
    },
  };
}

function describe(name: string, index: number, options: SimNodesOptions, deps: SimNodesDeps): SimNode {
  const labels = typeof options.labels === "function" ? options.labels(index) : options.labels;
  return {
    index,
    name,
    client: deps.clientFor(name),
    podCidr: options.podCidr?.(index) ?? defaultPodCidr(index),
    options: {
      nodeName: name,
      nodeIps: [`172.${16 + Math.floor(index / 62_500)}.${Math.floor(index / 250) % 250}.${(index % 250) + 1}`],
      maxPods: options.maxPods ?? 110,
      labels: { [simulatedNodeLabel]: "true", ...labels },
      ...(options.taints === undefined ? {} : { taints: options.taints(name) }),
    },
    node: undefined,
    lease: undefined,
    fleet: undefined,
    runtime: undefined,
    isDown: false,
  };
}

const indexes = 2 ** 15;

/** From the end, where no range is another node's: those that are ours by name count from the beginning. */
function freeIndex(used: ReadonlySet<number>, nodes: readonly Stored<Node>[]): number {
  const taken = new Set(nodes.map(({ spec }) => spec?.podCIDR));
  for (let index = indexes - 1; index >= 0; index--) if (!used.has(index) && !taken.has(defaultPodCidr(index))) return index;
  throw new Error(`all ${indexes} pod ranges of simulated nodes are in use`);
}

const defaultPodCidr = (index: number): string => `10.${128 + (index >> 8)}.${index & 255}.0/24`;

/** What a node has that registers itself, where whoever created it left it out. */
async function complete(found: Stored<Node>, node: SimNode, capacity: Capacity, { client, clock }: SimNodesDeps): Promise<void> {
  const wanted = newNode(nodeFacts(node, capacity, clock.now()));
  const ref = { name: node.name };
  const labels = { ...wanted.metadata.labels, ...found.metadata.labels };
  await client.patch(nodeResource, ref, { type: "merge", body: { metadata: { labels } } });
  if (found.spec?.podCIDR !== undefined) return;
  const spec = { podCIDR: node.podCidr, podCIDRs: [node.podCidr] };
  await client.patch(nodeResource, ref, { type: "merge", body: { spec } }).catch((error: unknown) => {
    // a controller that gives ranges to nodes was quicker
    if (!isInvalid(error)) throw error;
  });
}

const nodeFacts = (node: SimNode, capacity: Capacity, now: number): Parameters<typeof newNode>[0] => ({
  options: node.options,
  capacity,
  nodeInfo: {
    kernelVersion: "simulated",
    osImage: "Tiphys simulated node",
    architecture: "amd64",
    bootId: `boot-${node.name}`,
    machineId: `machine-${node.name}`,
    systemUuid: `system-${node.name}`,
  },
  kubeletVersion,
  runtimeVersion: "simulated://1.0.0",
  notReady: undefined,
  images: [],
  previous: node.node?.status,
  now,
});

async function register(node: SimNode, capacity: Capacity, clock: Clock): Promise<void> {
  const wanted = newNode(nodeFacts(node, capacity, clock.now()));
  try {
    node.node = await node.client.create(nodeResource, {
      ...wanted,
      spec: { ...wanted.spec, podCIDR: node.podCidr, podCIDRs: [node.podCidr] },
    });
    if (node.node.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True")) return;
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    node.node = await node.client.get(nodeResource, { name: node.name });
  }
  await report(node, capacity, clock);
}

async function report(node: SimNode, capacity: Capacity, clock: Clock): Promise<void> {
  const status = nodeStatus(nodeFacts(node, capacity, clock.now()));
  node.node = await node.client.patch(
    nodeResource,
    { name: node.name },
    { type: "strategic", body: { status: status as unknown as JsonObject } },
    { subresource: "status" },
  );
}

function makeFleet(
  node: SimNode,
  current: () => Stored<Node> | undefined,
  objects: ReferencedObjects,
  capacity: Capacity,
  deps: SimNodesDeps,
): PodFleet {
  const { clock, random, log } = deps;
  const runtime = simulatedRuntime({ podCidr: () => node.node?.spec?.podCIDR ?? node.podCidr }, { clock, random });
  const events = deps.eventsFor?.(node.name) ?? noEvents;
  node.runtime = runtime;
  const fleet = new PodFleet({
    client: node.client,
    runtime,
    clock,
    log,
    events,
    options: node.options,
    images: new ImageKeeper({ runtime, clock, events, credentials: async () => undefined }),
    volumes: referencesOnly(objects),
    probes: simulatedProbes(clock),
    environment: { objects, services: () => [] },
    memoryCapacityBytes: capacity.memoryBytes,
    allocatable: () => current()?.status?.allocatable ?? {},
    runtimeHandler: async () => "",
    host: { hasAppArmor: true },
    node: { runtimeName: "simulated", hostIps: node.options.nodeIps, keepTerminalSandbox: false },
    nodeObject: current,
    relistMs: 0,
  });
  fleet.start();
  return fleet;
}

/** Every node renews its lease every ten seconds and its status every five minutes, spread evenly; one timer drives them all. */
function beat(all: readonly SimNode[], capacity: Capacity, deps: SimNodesDeps): Timer {
  const { clock, log } = deps;
  const slots = Math.max(1, Math.min(mostSlots, all.length));
  const roundsPerReport = reportMs / renewMs;
  let tick = 0;
  return every(clock, renewMs / slots, async () => {
    const slot = tick % slots;
    const round = Math.floor(tick / slots);
    tick++;
    const due: Promise<void>[] = [];
    for (let index = slot; index < all.length; index += slots) {
      const node = all[index] as SimNode; // index < length
      if (node.isDown) continue;
      due.push(renew(node, clock));
      if ((round + index) % roundsPerReport === 0 && round > 0) due.push(report(node, capacity, clock));
    }
    for (const result of await Promise.allSettled(due)) {
      if (result.status === "rejected") log.warn("a simulated node cannot report", { error: (result.reason as Error).message });
    }
  });
}

async function renew(node: SimNode, clock: Clock): Promise<void> {
  if (node.node === undefined) return;
  const wanted = nodeLease(node.name, node.node, clock.now());
  node.lease = await renewLease(node.client, wanted, node.lease);
}

async function inParallel<T>(items: readonly T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
}
