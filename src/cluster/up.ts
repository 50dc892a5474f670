// `tiphys up`: everything in one process. Starts in order, says when it is ready, stops in the opposite order and leaves nothing behind.
import { dirname } from "node:path";
import { Registry } from "prom-client";
import { type Node, nodes, simulateNodeAnnotation, type Taint } from "#api";
import { createAuditLog, ensurePki, type Pki, type RunningApiServer, startApiServer } from "#apiserver";
import type { Clock, Files, Log, Processes, Random } from "#base";
import { type Client, createClient, createInformerFactory, inProcessTransport, kubeconfigFor, mergeKubeconfig } from "#client";
import { startDns } from "#dns";
import { addressAt, parseRange, setUpPodNetwork } from "#network";
import type { RunningSimNodes } from "#sim";
import { claimDirectory, openDiskStore, openMemoryStore, type Store } from "#store";
import { componentUrlsPath, openComponentPorts } from "./component-ports.ts";
import { type ClientFor, type ComponentDeps, runControllers, runScheduler, runSimNodes } from "./control-plane.ts";
import { controlPlaneTaint, markControlPlane } from "./control-plane-node.ts";
import { publishDns } from "./dns-service.ts";
import { openEtcd } from "./etcd.ts";
import { pkiAccess, serveEtcd } from "./etcd-server.ts";
import { hostResolver } from "./host-facts.ts";
import { administrator } from "./identities.ts";
import { type LabNodesOptions, setUpLabOf, startLabNodes } from "./lab-nodes.ts";
import { manifestUrlOf } from "./manifest-url.ts";
import type { UpOptions } from "./options.ts";
import { assemble, type Parts } from "./parts.ts";
import { startRealNode } from "./real-node.ts";
import { simNodePrefix } from "./shape.ts";

export interface UpDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
  readonly processes: Processes;
  readonly log: Log;
  readonly packageVersion: string;
  /** Milliseconds since the process started, for the ready file. */
  readonly uptimeMs: () => number;
  /** The command that runs this program, for nodes that are processes of their own. */
  readonly program: readonly string[];
  /** Aborted: stop starting, and undo what was started. */
  readonly signal?: AbortSignal;
}

/** The options after defaults that depend on the machine were filled in. */
export interface Shape {
  readonly dataDir: string;
  readonly realNodes: number;
  readonly simNodes: number;
  readonly nodeName: string;
  /** The node that is kept from ordinary pods; undefined: all take them. */
  readonly controlPlaneNode: string | undefined;
  /** The real node's own address. */
  readonly nodeAddress: string;
  /** The kubeconfig to which the cluster is added, beside its own in the data directory. */
  readonly userKubeconfig: string | undefined;
  /** Why there are no real nodes although nobody asked for none. */
  readonly whySimulated: string | undefined;
}

export interface RunningUp extends AsyncDisposable {
  readonly server: RunningApiServer;
  readonly client: Client;
  readonly kubeconfig: string;
  readonly url: string;
  readonly nodeNames: readonly string[];
  readonly readyMs: number;
}

/** Resolves when the API server and all nodes are ready. On failure everything that was started is stopped again. */
export const up = (options: UpOptions, shape: Shape, deps: UpDeps): Promise<RunningUp> =>
  assemble(deps, (parts) => start(options, shape, deps, parts));

async function start(
  options: UpOptions,
  shape: Shape,
  deps: UpDeps,
  parts: Parts,
): Promise<Omit<RunningUp, typeof Symbol.asyncDispose>> {
  const { clock, random, files, processes, log } = deps;
  const { dataDir } = shape;
  const claim = claimDirectory(dataDir);
  parts.add("data directory", { [Symbol.asyncDispose]: async () => claim[Symbol.dispose]() });
  const isLab = shape.realNodes > 1;
  const clusterDns = addressAt(parseRange(options.serviceCidr), 10);
  const labOptions: LabNodesOptions = {
    ...options,
    dataDir,
    clusterDns,
    count: shape.realNodes,
    controlPlaneNode: shape.controlPlaneNode,
    nodeCidr: labNodeCidr,
    program: deps.program,
  };
  // where pods and nodes reach this process: the lab's bridge, or the pods' gateway on the one node
  const gateway = addressAt(parseRange(isLab ? labNodeCidr : options.clusterCidr), 1);
  const firstService = addressAt(parseRange(options.serviceCidr), 1);
  const serverNames = [options.bindAddress, shape.nodeName, shape.nodeAddress, gateway, firstService, ...options.tlsSan];
  const [pki, store] = await Promise.all([
    ensurePki(`${dataDir}/pki`, { files, clock, random, log, serverNames }),
    openStore(options, dataDir, deps),
  ]);
  parts.add("store", store);

  const withRealNodes = shape.realNodes > 0;
  // pods reach the API server on their gateway, so the bridge is there before the server listens on it
  const lab = isLab ? parts.add("lab network", await setUpLabOf(labOptions, processes)) : undefined;
  if (withRealNodes && !isLab)
    parts.add(
      "pod network",
      await setUpPodNetwork(
        { bridge: podBridge, podCidr: `${addressAt(parseRange(options.clusterCidr), 0)}/24`, clusterCidr: options.clusterCidr },
        processes,
      ),
    );
  const audit = parts.add("audit log", createAuditLog({ path: `${dataDir}/audit.log`, files, clock, log }));
  const serving = { cert: pki.apiserver.certificate, key: pki.apiserver.key };
  let simNodes: RunningSimNodes | undefined;
  const server = await startApiServer(
    {
      listen: { ...serving, address: options.bindAddress, port: options.apiPort, portFlag: "--api-port" },
      clientCa: pki.ca.certificate,
      advertiseAddress: withRealNodes ? gateway : options.bindAddress,
      kubeletClient: {
        ca: pki.ca.certificate,
        cert: pki.apiserverKubeletClient.certificate,
        key: pki.apiserverKubeletClient.key,
      },
      serviceClusterIpRanges: [options.serviceCidr],
      serviceAccountKey: pki.serviceAccount,
      staticTokens: options.tokenAuthFile === undefined ? undefined : (await files.read(options.tokenAuthFile)).toString(),
      bootstrapTokens: true,
      enableAdmission: ["NodeRestriction"],
      packageVersion: deps.packageVersion,
    },
    {
      store,
      clock,
      random,
      files,
      log: log.child({ component: "apiserver" }),
      audit,
      localNode: (name) => simNodes?.server(name),
    },
  );
  parts.add("apiserver", server);
  if (withRealNodes) await server.listen({ ...serving, address: gateway, port: server.port });
  if (options.etcdListen !== undefined) parts.add("etcd", await serveEtcdOf(options.etcdListen, store, pki, dataDir, deps));
  const kubeconfig = `${dataDir}/admin.kubeconfig`;
  const access = kubeconfigFor({ server: server.url, caCertificate: pki.ca.certificate, credentials: pki.admin });
  await writePrivate(kubeconfig, access, files);
  if (shape.userKubeconfig !== undefined) await addToKubeconfig(shape.userKubeconfig, access, files);

  const clientFor: ClientFor = (user, userAgent) => createClient(inProcessTransport(server.handle, { user, userAgent }), {});
  const componentDeps: ComponentDeps = { clientFor, clock, random, log };
  const client = clientFor(administrator, "tiphys");
  const registry = new Registry();
  const controllers = parts.add(
    "controllers",
    await runControllers(
      {
        clusterCidrs: withRealNodes ? [options.clusterCidr] : [],
        controllers: withBootstrapTokens,
        rootCertificate: pki.ca.certificate,
        clusterSigning: pki.ca,
        nodeMonitorGracePeriodMs: options.nodeMonitorGracePeriod,
      },
      { ...componentDeps, registry },
    ),
  );
  const scheduler = parts.add("scheduler", await runScheduler({}, componentDeps));
  const shown = { address: options.bindAddress, certificate: serving.cert, key: serving.key, clientCa: pki.ca.certificate };
  // with a port of its own choosing this cluster may be one of several on the host
  const portOf = (usual: number): number => (options.apiPort === 0 ? 0 : usual);
  parts.add(
    "component ports",
    await openComponentPorts(
      {
        controllers: { ...shown, port: portOf(options.controllersPort), portFlag: "--controllers-port" },
        scheduler: { ...shown, port: portOf(options.schedulerPort), portFlag: "--scheduler-port" },
        urlsFile: componentUrlsPath(dataDir),
      },
      { controllers, registry, scheduler },
      { client, files, log },
    ),
  );
  const taints = (name: string): Taint[] => (name === shape.controlPlaneNode ? [controlPlaneTaint] : []);
  simNodes = await runSimNodes({ count: shape.simNodes, namePrefix: simNodePrefix, taints, serveCreated: true }, componentDeps);
  parts.add("simulated nodes", simNodes);
  if (withRealNodes) await serveDns(options, deps, { client, gateway, clusterDns, parts });
  if (lab !== undefined)
    parts.add("nodes", await startLabNodes(labOptions, lab, { pki, server: `https://${gateway}:${server.port}`, client }, deps));
  else if (withRealNodes) parts.add("node", await startOneNode(options, shape, deps, { pki, componentDeps, clusterDns }));

  const nodeNames = await allReady(client, shape.realNodes + shape.simNodes, deps);
  if (shape.controlPlaneNode !== undefined) await markControlPlane(client, shape.controlPlaneNode);
  const readyMs = Math.round(deps.uptimeMs());
  if (options.readyFile !== undefined) {
    const info = { pid: process.pid, server: server.url, kubeconfig, dataDir, readyMs, nodes: nodeNames };
    await files.writeAtomic(options.readyFile, `${JSON.stringify(info, undefined, 2)}\n`);
  }
  return { server, client, kubeconfig, url: server.url, nodeNames, readyMs };
}

/** As kubeadm starts them: the API server takes bootstrap tokens, so somebody signs with them and cleans up. */
const withBootstrapTokens = ["*", "bootstrap-signer-controller", "token-cleaner-controller"];
const podBridge = "tiphys0";
/** Addresses of the nodes of `--nodes N`. */
const labNodeCidr = "10.203.0.0/24";

/** Nothing is written, and no disk waited for, where the file says so already: most starts. */
async function writePrivate(path: string, text: string, files: Files): Promise<void> {
  const same = (await files.stat(path)) !== undefined && (await files.read(path)).toString() === text;
  if (!same) await files.writeAtomic(path, text, 0o600);
}

/** Somebody's own file: what is in it already stays. */
async function addToKubeconfig(path: string, access: string, files: Files): Promise<void> {
  try {
    const existing = (await files.stat(path)) === undefined ? undefined : (await files.read(path)).toString();
    await files.makeDirectory(dirname(path), 0o700);
    await writePrivate(path, mergeKubeconfig(existing, access), files);
  } catch (cause) {
    throw new Error(`Cannot add this cluster to the kubeconfig "${path}": ${(cause as Error).message}`, { cause });
  }
}

async function openStore(options: UpOptions, dataDir: string, deps: UpDeps): Promise<Store> {
  const { clock, random, log } = deps;
  if (options.store === "memory") return openMemoryStore({ clock, random });
  if (options.store === "etcd") return openEtcd(options, deps);
  return openDiskStore({ directory: `${dataDir}/store`, clock, random, log: log.child({ component: "store" }) });
}

/** With mutual TLS under an authority of its own. */
async function serveEtcdOf(listen: string, store: Store, pki: Pki, dataDir: string, deps: UpDeps): Promise<AsyncDisposable> {
  const { ca, server } = await pki.etcd(["localhost", listen.slice(0, listen.lastIndexOf(":"))]);
  const tls = { ca: ca.certificate, certificate: server.certificate, key: server.key };
  const log = deps.log.child({ component: "etcd" });
  return serveEtcd({ listen, tls, dataDir, access: pkiAccess(dataDir) }, { ...deps, store, log });
}

async function serveDns(
  options: UpOptions,
  deps: UpDeps,
  context: { client: Client; gateway: string; clusterDns: string; parts: Parts },
): Promise<void> {
  const { clock, random, files, log } = deps;
  const { client, gateway, clusterDns, parts } = context;
  const informers = createInformerFactory({ client, clock, random, log });
  const { servers: resolvers } = await hostResolver(files);
  const dns = await startDns(
    { addresses: [gateway], port: 53, zone: options.clusterDomain, forwardTo: resolvers },
    { informers, clock, log: log.child({ component: "dns" }) },
  );
  parts.add("dns informers", informers);
  parts.add("dns", dns);
  await publishDns(client, { clusterIp: clusterDns, address: gateway, port: 53 });
}

async function startOneNode(
  options: UpOptions,
  shape: Shape,
  deps: UpDeps,
  context: { pki: Pki; componentDeps: ComponentDeps; clusterDns: string },
): Promise<AsyncDisposable> {
  const { files, processes } = deps;
  const { pki, componentDeps, clusterDns } = context;
  const { serving } = await pki.node(shape.nodeName, [shape.nodeAddress]);
  return startRealNode(
    {
      name: shape.nodeName,
      address: shape.nodeAddress,
      directory: `${shape.dataDir}/nodes/${shape.nodeName}`,
      clusterCidr: options.clusterCidr,
      clusterDomain: options.clusterDomain,
      clusterDns,
      bridge: podBridge,
      runtimeEndpoint: undefined,
      kubeletPort: options.kubeletPort,
      serving,
      clientCa: pki.ca.certificate,
      keepPods: options.keepPods,
      podMaxPids: options.podMaxPids,
      keepTerminalSandbox: options.keepTerminalSandbox,
      taints: shape.controlPlaneNode === undefined ? [] : [controlPlaneTaint],
      withProxy: true,
      staticPodDirectory: options.podManifestPath,
      staticPodUrl: manifestUrlOf(options),
      // with a port of its own choosing this cluster may be one of several on the host
      proxyPorts:
        options.kubeletPort === 0
          ? {}
          : { healthz: { address: "0.0.0.0", port: 10256 }, status: { address: "127.0.0.1", port: 10249 } },
    },
    { ...componentDeps, files, processes },
  );
}

/** Waits, by a watch, until so many nodes take pods. */
async function allReady(client: Client, count: number, { clock, random, log, signal }: UpDeps): Promise<string[]> {
  if (count === 0) return [];
  await using informers = createInformerFactory({ client, clock, random, log });
  const informer = informers.informer(nodes);
  const ready = (): string[] =>
    informer
      .list()
      // those that are simulated on request may be left from an earlier run
      .filter((node) => takesPods(node) && node.metadata.annotations?.[simulateNodeAnnotation] !== "true")
      .map((node) => node.metadata.name)
      .sort();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (signal?.aborted) reject(signal.reason);
  signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  const look = (): void => {
    if (ready().length >= count) resolve();
  };
  informer.addHandler({ added: look, updated: look });
  informers.start();
  look();
  await promise;
  return ready();
}

export const isReady = (node: Node): boolean =>
  node.status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ?? false;

/** Ready, and the controllers have noticed: before, the taint that every new node has keeps pods away. */
export const takesPods = (node: Node): boolean =>
  isReady(node) && !node.spec?.taints?.some(({ key }) => key === "node.kubernetes.io/not-ready");
