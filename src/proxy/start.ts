// The service proxy of a node: follows services and their endpoints, and keeps the kernel's table equal to them.
import { type EndpointSlice, endpointSlices, type Node, nodes, type Service, services } from "#api";
import {
  type Clock,
  type Command,
  commandIn,
  type Log,
  type Processes,
  type Running,
  renderRemoval,
  TableSynchronizer,
} from "#base";
import type { Informer, InformerFactory } from "#client";
import { formatRange, isIpv4, parseIpv4Range } from "./address.ts";
import { StaleFlows } from "./conntrack.ts";
import { serviceTable } from "./frame.ts";
import { type Answer, type Endpoint, type HealthServer, ServiceHealthServers, serveHealth } from "./health-server.ts";
import type { NodeView, ServiceRules } from "./model.ts";
import { planService, serviceKey } from "./plan.ts";

export const proxyModes = ["nftables", "iptables", "ipvs", "userspace"] as const;
export type ProxyMode = (typeof proxyModes)[number];

export interface ProxyOptions {
  /** One of `proxyModes`; unset means iptables, as upstream. */
  readonly mode?: string;
  readonly nodeName: string;
  readonly nodeIps: readonly string[];
  /** Pods' addresses; several ranges are separated by commas. "": unknown, then traffic to cluster IPs is never masqueraded. */
  readonly clusterCidr: string;
  /** Rules go to this network namespace (of `ip netns`). */
  readonly networkNamespace?: string;
  /** Ranges of node addresses that answer node ports, or "primary" for `nodeIps`; unset: every local address but loopback. */
  readonly nodePortAddresses?: readonly string[];
  /** Least time between two transactions; 0 (the default): at the end of each turn of the event loop. */
  readonly minSyncPeriodMs?: number;
  /** Answers /healthz and /livez: upstream's 0.0.0.0:10256. Unset: nowhere. */
  readonly healthz?: Endpoint;
  /** Answers /proxyMode: upstream's 127.0.0.1:10249. Unset: nowhere. */
  readonly status?: Endpoint;
  /** How often to see that nobody has removed the table: 30 s unless told. */
  readonly syncPeriodMs?: number;
  /** Leave the table when disposed: services go on answering as last known, as upstream does. Otherwise nothing of ours stays. */
  readonly keepRules?: boolean;
}

export interface ProxyDeps {
  /** The caller starts it, after `startProxy`, or has started it already. */
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly processes: Processes;
  readonly log: Log;
}

export interface RunningProxy extends Running {
  readonly mode: ProxyMode;
  /** When the kernel was last brought up to date, in milliseconds since 1970; undefined before the first time. */
  readonly lastSynced: number | undefined;
  /** Where it answers, if asked to. */
  readonly healthzPort: number | undefined;
  readonly statusPort: number | undefined;
  /** Resolves when everything that the informers know is in the kernel. */
  synced(): Promise<void>;
}

const serviceNameLabel = "kubernetes.io/service-name";
/** Set by the cluster autoscaler on a node that it is about to remove. */
const leavingTaint = "ToBeDeletedByClusterAutoscaler";
const zoneLabel = "topology.kubernetes.io/zone";
const byService = "proxy-service";

/** Removes the table of a proxy that left it behind: upstream's `--cleanup`. */
export async function cleanUpProxy(
  options: Pick<ProxyOptions, "networkNamespace">,
  { processes }: Pick<ProxyDeps, "processes">,
): Promise<void> {
  const run = commandIn(options.networkNamespace, processes);
  const result = await run("nft", ["-f", "-"], { input: renderRemoval(serviceTable({})) });
  if (result.code !== 0) throw new Error(`Cannot remove the proxy's rules: ${result.stderr.trim()}`);
}

/** Throws for a mode that is not there and for a node without nft. The rules follow once services and endpoints have been listed: see `ready()`. */
export async function startProxy(options: ProxyOptions, deps: ProxyDeps): Promise<RunningProxy> {
  const mode = options.mode === undefined || options.mode === "" ? "iptables" : options.mode;
  if (!(proxyModes as readonly string[]).includes(mode))
    throw new Error(`Cannot start the proxy: mode "${mode}" is none of ${proxyModes.join(", ")}`);
  if (mode !== "nftables") throw new Error(`Cannot start the proxy: ${mode} mode is not implemented yet: use nftables`);
  const run = commandIn(options.networkNamespace, deps.processes);
  await assertNft(run);
  const node = nodeView(options);
  const known = { services: deps.informers.informer(services), slices: deps.informers.informer(endpointSlices) };
  const self = deps.informers.informer(nodes, { fieldSelector: `metadata.name=${options.nodeName}` });
  const zone = (): string | undefined => self.get(options.nodeName)?.metadata.labels?.[zoneLabel];
  known.slices.addIndex(byService, (slice) => [serviceOf(slice)]);
  const serviceHealth = new ServiceHealthServers({ log: deps.log, isHealthy: () => trouble() === undefined });
  const flows = new StaleFlows(run, deps.log);
  const synchronizer = new TableSynchronizer<ServiceRules>(
    {
      table: serviceTable({ nodePortAddresses: nodePortRanges(options) }),
      networkNamespace: options.networkNamespace,
      minSyncPeriodMs: options.minSyncPeriodMs ?? 0,
      checkPeriodMs: options.syncPeriodMs ?? 30_000,
      plan: (key, before) => {
        const service = known.services.get(key);
        return service === undefined
          ? undefined
          : planService(service, known.slices.byIndex(byService, key), { ...node, zone: zone() }, before);
      },
      planned: (key, after, before) => {
        // At the first load every service is new to us, but its flows are good ones of the proxy before us.
        if (synchronizer.syncedAt !== undefined) flows.add(before, after);
        // Sockets of this process are not in the node's namespace.
        if (options.networkNamespace === undefined) void serviceHealth.put(key, after?.health);
      },
      loaded: () => flows.forget(),
    },
    deps,
  );
  let plannedZone = zone();
  const followZone = (): void => {
    if (zone() === plannedZone) return;
    plannedZone = zone();
    for (const service of known.services.list()) synchronizer.markDirty(serviceKey(service));
  };
  const handlers = [
    self.addHandler({ added: followZone, updated: followZone }),
    follow(known.services, serviceKey, synchronizer),
    follow(known.slices, serviceOf, synchronizer),
  ];
  const listed = Promise.all([known.services.synced, known.slices.synced]);
  listed.then(
    () => synchronizer.open(),
    () => {},
  ); // informers that are stopped before they have listed
  const isListed = (): boolean => known.services.hasSynced && known.slices.hasSynced;
  const trouble = (): string | undefined =>
    isListed() ? synchronizer.trouble : "services and endpoint slices are not listed yet";
  const stop = async (): Promise<void> => {
    for (const handler of handlers) handler[Symbol.dispose]();
    await synchronizer.stop(options.keepRules !== true);
    for (const server of [...opened, serviceHealth]) await server[Symbol.asyncDispose]();
  };
  const opened: HealthServer[] = [];
  const serve = async (
    endpoint: Endpoint | undefined,
    answer: (path: string) => Answer | undefined,
  ): Promise<number | undefined> => {
    if (endpoint === undefined) return undefined;
    const server = await serveHealth(endpoint, answer);
    opened.push(server);
    return server.port;
  };
  try {
    const health = (path: string): Answer | undefined =>
      healthAnswer(path, {
        trouble: trouble(),
        lastSynced: synchronizer.syncedAt,
        now: deps.clock.now(),
        node: self.get(options.nodeName),
      });
    return {
      mode,
      healthzPort: await serve(options.healthz, health),
      statusPort: await serve(options.status, (path) => (path === "/proxyMode" ? { code: 200, body: mode } : undefined)),
      get lastSynced() {
        return synchronizer.syncedAt;
      },
      ready: trouble,
      synced: async () => {
        await listed;
        await synchronizer.settled();
      },
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface HealthFacts {
  readonly trouble: string | undefined;
  readonly lastSynced: number | undefined;
  readonly now: number;
  readonly node: Node | undefined;
}

/** /healthz also fails for a node that is going away, so that load balancers send it no new connections (KEP-3836); /livez does not. */
function healthAnswer(path: string, { trouble, lastSynced, now, node }: HealthFacts): Answer | undefined {
  if (path !== "/healthz" && path !== "/livez") return undefined;
  const leaving =
    node?.metadata.deletionTimestamp !== undefined || node?.spec?.taints?.some(({ key }) => key === leavingTaint) === true;
  const healthy = trouble === undefined && (path === "/livez" || !leaving);
  const time = (at: number | undefined): string => (at === undefined ? "" : new Date(at).toISOString());
  const body = { lastUpdated: time(lastSynced), currentTime: time(now), ...(path === "/healthz" && { nodeEligible: !leaving }) };
  return { code: healthy ? 200 : 503, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

const serviceOf = (slice: EndpointSlice): string =>
  `${slice.metadata.namespace}/${slice.metadata.labels?.[serviceNameLabel] ?? ""}`;

function follow<T extends Service | EndpointSlice>(
  informer: Informer<T>,
  keyOf: (object: T) => string,
  synchronizer: TableSynchronizer<ServiceRules>,
): Disposable {
  return informer.addHandler({
    added: (object) => synchronizer.markDirty(keyOf(object)),
    updated: (object, before) => {
      synchronizer.markDirty(keyOf(before)); // a slice may change the service it belongs to
      synchronizer.markDirty(keyOf(object));
    },
    deleted: (object) => synchronizer.markDirty(keyOf(object)),
  });
}

function nodeView(options: ProxyOptions): NodeView {
  const ranges = options.clusterCidr.split(",").filter((text) => text.trim() !== "" && !text.includes(":"));
  const clusterCidrs = ranges.map((text) => {
    const range = parseIpv4Range(text);
    if (range === undefined) throw new Error(`Cannot start the proxy: cluster range "${text}" is not like 10.244.0.0/16`);
    return formatRange(range);
  });
  return { name: options.nodeName, ips: options.nodeIps, clusterCidrs };
}

function nodePortRanges({ nodePortAddresses, nodeIps }: ProxyOptions): readonly string[] | undefined {
  if (nodePortAddresses === undefined || nodePortAddresses.length === 0) return undefined;
  if (nodePortAddresses.includes("primary")) {
    if (!nodeIps.some(isIpv4))
      throw new Error("Cannot start the proxy: node port addresses are to be the node's own, but it has no IPv4 address");
    return nodeIps.filter(isIpv4);
  }
  return nodePortAddresses.map((text) => {
    const range = parseIpv4Range(text);
    if (range === undefined)
      throw new Error(`Cannot start the proxy: node port range "${text}" is neither "primary" nor like 192.0.2.0/24`);
    return formatRange(range);
  });
}

async function assertNft(run: Command): Promise<void> {
  const result = await run("nft", ["list", "tables"]);
  if (result.code !== 0) throw new Error(`Cannot start the proxy: nft does not work here: ${result.stderr.trim()}`);
}
