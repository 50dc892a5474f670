// A node with real containers: its own containerd, pod network, kubelet, the kubelet's server and the service proxy, in this process.
import { nodes, type Pod, type Taint } from "#api";
import type { Files, Log, Processes } from "#base";
import { createEvents, createInformerFactory, type Informer, type InformerFactory } from "#client";
import {
  containerdEvents,
  fetchManifest,
  type HttpSourceOptions,
  openCriRuntime,
  openPodCgroups,
  type RunningKubelet,
  type Runtime,
  recorderSink,
  removeNodeCgroups,
  serverBackend,
  startContainerd,
  startKubelet,
  startKubeletServer,
  systemNetworkProbes,
} from "#kubelet";
import { startNetworkPolicy } from "#network";
import { type ProxyOptions, startProxy } from "#proxy";
import type { ComponentDeps } from "./control-plane.ts";
import { hostResolver, readHostFacts } from "./host-facts.ts";
import { node as nodeIdentity, proxy as proxyIdentity } from "./identities.ts";
import { isolatedFirst } from "./isolated-pods.ts";
import { idOf, type NodeRuntime, type NodeRuntimeOptions, openNodeRuntime, runDirectoryOf } from "./node-runtime.ts";
import { assemble } from "./parts.ts";

export interface RealNodeOptions extends NodeRuntimeOptions {
  readonly name: string;
  /** The node's own address. */
  readonly address: string;
  readonly clusterDomain: string;
  readonly clusterDns: string;
  readonly kubeletPort: number;
  /** The kubelet server's certificate, and who may be its client. */
  readonly serving: { readonly certificate: string; readonly key: string };
  readonly clientCa: string;
  /** Leave the pods running when the node is stopped. */
  readonly keepPods: boolean;
  /** Processes that a pod may have; -1: as many as the kernel gives. */
  readonly podMaxPids: number;
  /** Do not stop the sandbox of a finished pod before the pod is deleted. */
  readonly keepTerminalSandbox: boolean;
  /** With which it registers; a node that is known keeps those it has. */
  readonly taints: readonly Taint[];
  /** Services and network policies are this process's business. */
  readonly withProxy: boolean;
  /** Manifests of static pods; undefined: none. */
  readonly staticPodDirectory: string | undefined;
  /** Further ones; undefined: none. */
  readonly staticPodUrl: HttpSourceOptions | undefined;
  /** Where the proxy tells its health (upstream: 10256) and its mode (10249); absent: nowhere. */
  readonly proxyPorts?: Pick<ProxyOptions, "healthz" | "status">;
}

export interface RealNodeDeps extends ComponentDeps {
  readonly files: Files;
  readonly processes: Processes;
}

export interface RunningNode extends AsyncDisposable {
  readonly kubelet: RunningKubelet;
  /** The kubelet's server shows this certificate from now on. */
  setServingCertificate(pair: RealNodeOptions["serving"]): void;
}

/** Control groups of this node's pods: several nodes share the kernel of one host. */
const cgroupRootOf = (directory: string): string => `/tiphys-${idOf(directory)}`;

export function startRealNode(options: RealNodeOptions, deps: RealNodeDeps): Promise<RunningNode> {
  const { clock, random, files, processes } = deps;
  const log = deps.log.child({ node: options.name });
  return assemble({ clock, log }, async (parts) => {
    const node = await openNodeRuntime(options, { files, processes, clock, log }, parts);
    const { runtime } = node;

    const client = deps.clientFor(nodeIdentity(options.name), "kubelet");
    const events = createEvents({ client, clock, log });
    const informers = createInformerFactory({ client, clock, random, log });
    const me = informers.informer(nodes, { fieldSelector: `metadata.name=${options.name}` });
    const network = followPodCidr(me, node, options.keepPods, log);
    // the network goes last, when no pod needs it any more
    parts.addFirst("pod network", network);
    informers.start();
    parts.add("informers", informers);
    parts.add("events", events);

    const facts = await readHostFacts(files, options.directory);
    const cgroups = await openPodCgroups(
      { root: cgroupRootOf(options.directory), allocatable: facts.capacity, podMaxPids: options.podMaxPids },
      { files, processes, clock, log: log.child({ component: "kubelet" }) },
    );
    const forProxy = (userAgent: string): InformerFactory =>
      createInformerFactory({ client: deps.clientFor(proxyIdentity, userAgent), clock, random, log });
    // as long as there are pods, which a stopping kubelet may have to end first
    const policies = options.withProxy
      ? parts.add(
          "network policies",
          startNetworkPolicy(
            { nodeName: options.name, keepRules: options.keepPods },
            { informers: () => forProxy("network-policy"), clock, processes, log: log.child({ component: "network-policy" }) },
          ),
        )
      : undefined;
    const watchers = new PodWatchers();
    // the server comes first: the Node object says on which port it listens
    let kubelet: RunningKubelet | undefined;
    const known = {
      pods: () => kubelet?.pods() ?? [],
      findPod: (namespace: string, name: string) => kubelet?.findPod(namespace, name),
    };
    const server = await startKubeletServer(
      {
        nodeName: options.name,
        address: "0.0.0.0",
        port: options.kubeletPort,
        certificate: options.serving.certificate,
        key: options.serving.key,
        clientCa: options.clientCa,
      },
      {
        client,
        backend: serverBackend(known, runtime, (uid, listener) => watchers.onChange(uid, listener)),
        clock,
        log: log.child({ component: "kubelet-server" }),
      },
    );
    parts.add("kubelet server", server);
    kubelet = await startKubelet(
      {
        nodeName: options.name,
        nodeIps: [options.address],
        hostname: options.name,
        rootDirectory: `${options.directory}/kubelet`,
        podLogsDirectory: `${options.directory}/logs`,
        // secrets and tokens never reach a disk
        memoryDirectory: `${runDirectoryOf(options.directory)}/volumes`,
        clusterDns: [options.clusterDns],
        clusterDomain: options.clusterDomain,
        hostDns: await hostResolver(files),
        serverPort: server.port,
        taints: options.taints,
        keepTerminalSandbox: options.keepTerminalSandbox,
        staticPodDirectory: options.staticPodDirectory,
        staticPodUrl: options.staticPodUrl,
      },
      {
        client,
        runtime: watchers.observe(policies === undefined ? runtime : isolatedFirst(runtime, policies)),
        clock,
        random,
        log: log.child({ component: "kubelet" }),
        files,
        processes,
        capacity: facts.capacity,
        nodeInfo: facts.nodeInfo,
        cgroups,
        fetchManifest,
        probes: systemNetworkProbes,
        events: recorderSink(events.recorder({ component: "kubelet", host: options.name })),
      },
    );
    if (!options.keepPods) parts.add("pods", { [Symbol.asyncDispose]: () => stopPods(runtime, node.isOurs, known.pods(), log) });
    parts.add("kubelet", kubelet);
    if (options.withProxy) {
      const proxyInformers = forProxy("kube-proxy");
      const proxy = await startProxy(
        {
          mode: "nftables",
          nodeName: options.name,
          ...options.proxyPorts,
          nodeIps: [options.address],
          clusterCidr: options.clusterCidr,
          keepRules: options.keepPods,
        },
        { informers: proxyInformers, clock, processes, log: log.child({ component: "proxy" }) },
      );
      proxyInformers.start();
      parts.add("proxy informers", proxyInformers);
      parts.add("proxy", proxy);
    }
    // only when all is up: before, pods of an earlier life may still need what would be removed
    if (!options.keepPods) {
      parts.addFirst("mounts", { [Symbol.asyncDispose]: () => node.cleanUp() });
      parts.addFirst("control groups", { [Symbol.asyncDispose]: () => removeNodeCgroups(cgroupRootOf(options.directory), deps) });
    }
    return { kubelet, setServingCertificate: server.setCertificate };
  });
}

/** Removes the pods of a node whose process died, as nobody else can: through a containerd that is taken over or started for it. */
export async function removePods(
  node: { readonly directory: string; readonly networkNamespace: string },
  deps: Pick<RealNodeDeps, "clock" | "files" | "processes" | "log">,
): Promise<void> {
  const { clock, log } = deps;
  const containerd = await startContainerd(
    {
      directory: `${node.directory}/containerd`,
      runDirectory: runDirectoryOf(node.directory),
      networkNamespace: node.networkNamespace,
    },
    deps,
  );
  try {
    await using runtime = await openCriRuntime({
      address: containerd.address,
      events: containerdEvents({ address: containerd.address, clock }),
      clock,
    });
    await stopPods(runtime, true, [], log);
  } finally {
    await containerd.stop();
    await containerd.cleanUp();
    await removeNodeCgroups(cgroupRootOf(node.directory), deps);
  }
}

/** Sets the pod network up as soon as the controllers have given this node its range, and again should it change. */
function followPodCidr(me: Informer<import("#api").Node>, node: NodeRuntime, keepPods: boolean, log: Log): AsyncDisposable {
  let network: AsyncDisposable | undefined;
  let current = "";
  let working: Promise<void> = Promise.resolve();
  const apply = async (podCidr: string): Promise<void> => {
    network = await node.useRange(podCidr);
    log.info("pod network is set up", { podCidr });
  };
  const look = ({ spec }: import("#api").Node): void => {
    const podCidr = spec.podCIDR;
    if (podCidr === undefined || podCidr === current) return;
    current = podCidr;
    working = working
      .then(() => apply(podCidr))
      .catch((error: unknown) => log.error("cannot set up the pod network", { podCidr, error }));
  };
  const handler = me.addHandler({ added: look, updated: look });
  return {
    [Symbol.asyncDispose]: async () => {
      handler[Symbol.dispose]();
      await working;
      if (!keepPods) await network?.[Symbol.asyncDispose]();
    },
  };
}

/** Stops every container (briefly asked first) and removes every sandbox; the API objects stay, so the pods come back with the node. */
async function stopPods(runtime: Runtime, isOurs: boolean, pods: readonly Pod[], log: Log): Promise<void> {
  const graceOf = new Map(pods.map((pod) => [pod.metadata.uid, pod.spec.terminationGracePeriodSeconds ?? 30]));
  // in a runtime that is not ours others may have theirs
  const sandboxes = (await runtime.listSandboxes()).filter(({ podUid }) => isOurs || graceOf.has(podUid));
  await Promise.all(
    sandboxes.map(async (sandbox) => {
      try {
        const grace = Math.min(5, graceOf.get(sandbox.podUid) ?? 5);
        const containers = await runtime.listContainers(sandbox.podUid);
        await Promise.all(
          containers
            .filter((container) => container.state === "running")
            .map((container) => runtime.stopContainer(container.id, grace)),
        );
        await runtime.stopSandbox(sandbox.id);
        await Promise.all(containers.map((container) => runtime.removeContainer(container.id)));
        await runtime.removeSandbox(sandbox.id);
      } catch (error) {
        log.warn("cannot stop a pod", { pod: `${sandbox.podNamespace}/${sandbox.podName}`, error });
      }
    }),
  );
}

/** Lets followers of logs know when a container of a pod has changed state, from the events that the kubelet reads anyway. */
class PodWatchers {
  readonly #listeners = new Map<string, Set<() => void>>();

  observe(runtime: Runtime): Runtime {
    const notify = (uid: string): void => {
      for (const listener of this.#listeners.get(uid) ?? []) listener();
    };
    return new Proxy(runtime, {
      get: (target, property) => {
        if (property === "events") {
          return async function* (signal: AbortSignal) {
            for await (const event of target.events(signal)) {
              notify(event.podUid);
              yield event;
            }
          };
        }
        const value = Reflect.get(target, property, target) as unknown;
        return typeof value === "function" ? (value as (...args: unknown[]) => unknown).bind(target) : value;
      },
    });
  }

  onChange(uid: string, listener: () => void): Disposable {
    const set = this.#listeners.get(uid) ?? new Set();
    this.#listeners.set(uid, set.add(listener));
    return {
      [Symbol.dispose]: () => {
        set.delete(listener);
        if (set.size === 0) this.#listeners.delete(uid);
      },
    };
  }
}
