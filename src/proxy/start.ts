// The service proxy of a node: follows services and their endpoints, and keeps the kernel's table equal to them.
import { type EndpointSlice, endpointSlices, type Service, services } from "#api";
import type { Clock, Log, Processes, Running } from "#base";
import type { Informer, InformerFactory } from "#client";
import { formatRange, isIpv4, parseIpv4Range } from "./address.ts";
import type { NodeView } from "./model.ts";
import { planService, serviceKey } from "./plan.ts";
import { Synchronizer } from "./synchronizer.ts";

export type ProxyMode = "nftables" | "iptables" | "ipvs" | "userspace";

export interface ProxyOptions {
  /** Unset means iptables, as upstream. */
  readonly mode?: ProxyMode;
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
  /** How often to see that nobody has removed the table: 30 s unless told. */
  readonly syncPeriodMs?: number;
  /** Remove the table when disposed (the default). Otherwise services go on answering, as last known. */
  readonly cleanUp?: boolean;
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
  /** Resolves when everything that the informers know is in the kernel. */
  synced(): Promise<void>;
}

const serviceNameLabel = "kubernetes.io/service-name";
const byService = "proxy-service";

/** Throws for a mode that is not there and for a node without nft. The rules follow once services and endpoints have been listed: see `ready()`. */
export async function startProxy(options: ProxyOptions, deps: ProxyDeps): Promise<RunningProxy> {
  const mode = options.mode ?? "iptables";
  if (mode !== "nftables") throw new Error(`Cannot start the proxy: ${mode} mode is not implemented yet: use nftables`);
  await assertNft(options, deps.processes);
  const node = nodeView(options);
  const known = { services: deps.informers.informer(services), slices: deps.informers.informer(endpointSlices) };
  known.slices.addIndex(byService, (slice) => [serviceOf(slice)]);
  const synchronizer = new Synchronizer(
    {
      frame: { node, nodePortAddresses: nodePortRanges(options) },
      networkNamespace: options.networkNamespace,
      minSyncPeriodMs: options.minSyncPeriodMs ?? 0,
      checkPeriodMs: options.syncPeriodMs ?? 30_000,
      plan: (key, before) => {
        const service = known.services.get(key);
        return service === undefined ? undefined : planService(service, known.slices.byIndex(byService, key), node, before);
      },
    },
    deps,
  );
  const handlers = [follow(known.services, serviceKey, synchronizer), follow(known.slices, serviceOf, synchronizer)];
  const listed = Promise.all([known.services.synced, known.slices.synced]);
  void listed.then(() => synchronizer.open());
  const isListed = (): boolean => known.services.hasSynced && known.slices.hasSynced;
  return {
    mode,
    ready: () => (isListed() ? synchronizer.trouble : "services and endpoint slices are not listed yet"),
    synced: async () => {
      await listed;
      await synchronizer.settled();
    },
    [Symbol.asyncDispose]: async () => {
      for (const handler of handlers) handler[Symbol.dispose]();
      await synchronizer.stop(options.cleanUp ?? true);
    },
  };
}

const serviceOf = (slice: EndpointSlice): string => `${slice.metadata.namespace}/${slice.metadata.labels?.[serviceNameLabel] ?? ""}`;

function follow<T extends Service | EndpointSlice>(informer: Informer<T>, keyOf: (object: T) => string, synchronizer: Synchronizer): Disposable {
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
  if (nodePortAddresses.includes("primary")) return nodeIps.filter(isIpv4);
  return nodePortAddresses.map((text) => {
    const range = parseIpv4Range(text);
    if (range === undefined) throw new Error(`Cannot start the proxy: node port range "${text}" is neither "primary" nor like 192.0.2.0/24`);
    return formatRange(range);
  });
}

async function assertNft({ networkNamespace }: ProxyOptions, processes: Processes): Promise<void> {
  const [command, args] = networkNamespace === undefined ? ["nft", []] : ["ip", ["netns", "exec", networkNamespace, "nft"]];
  const result = await processes.run(command as string, [...(args as string[]), "list", "tables"]);
  if (result.code !== 0) throw new Error(`Cannot start the proxy: nft does not work here: ${result.stderr.trim()}`);
}
