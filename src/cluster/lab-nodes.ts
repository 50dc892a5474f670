// `--nodes N`: N nodes as network namespaces of this host, each with a kubelet process of its own, and routes between their pods.
import { createHash } from "node:crypto";
import { type Node, nodes } from "#api";
import type { Pki } from "#apiserver";
import { type ChildProcess, type Clock, type Files, type Log, type Processes, type Random, sleep } from "#base";
import { type Client, createInformerFactory, type Informer, writeKubeconfig } from "#client";
import { type Lab, type LabNode, setUpLab } from "#network";
import { controlPlaneTaint } from "./control-plane-node.ts";
import { assemble } from "./parts.ts";
import { removePods } from "./real-node.ts";
import { taintText } from "./taints.ts";

export interface LabNodesOptions {
  readonly count: number;
  /** The node that is kept from ordinary pods. */
  readonly controlPlaneNode: string | undefined;
  readonly dataDir: string;
  readonly nodeCidr: string;
  readonly clusterCidr: string;
  readonly clusterDns: string;
  readonly clusterDomain: string;
  /** "routes", or "bridge": a pod reaches no pod of another node. */
  readonly cni: string;
  readonly keepPods: boolean;
  readonly podMaxPids: number;
  readonly keepTerminalSandbox: boolean;
  readonly logLevel: string;
  /** The command that runs this program: what comes before the subcommand. */
  readonly program: readonly string[];
}

export interface LabDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
  readonly processes: Processes;
  readonly log: Log;
}

/** Nodes of the lab are counted from one. */
export const labNodeName = (index: number): string => `node-${index + 1}`;

/** The network of the lab: first, so that the API server can listen on the host's end of it. */
export const setUpLabOf = (options: LabNodesOptions, processes: Processes): Promise<Lab> =>
  setUpLab(
    {
      id: createHash("sha256").update(options.dataDir).digest("hex").slice(0, 6),
      nodeCidr: options.nodeCidr,
      nodes: Array.from({ length: options.count }, (_, index) => labNodeName(index)),
    },
    processes,
  );

interface Routed {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly podCIDR?: string };
}

/** Starts a process per node. One that ends is not started again: a dead node is what a lab is for. */
export function startLabNodes(
  options: LabNodesOptions,
  lab: Lab,
  context: { readonly pki: Pki; readonly server: string; readonly client: Client },
  deps: LabDeps,
): Promise<AsyncDisposable> {
  const { clock, random, log } = deps;
  return assemble(deps, async (parts) => {
    if (options.cni === "routes") {
      const informers = createInformerFactory({ client: context.client, clock, random, log });
      followRoutes(informers.informer(nodes), lab, log);
      informers.start();
      parts.add("routes", informers);
    }
    const running: AsyncDisposable[] = [];
    // stopping a node waits for its containers' grace: all at once
    parts.add("node processes", {
      [Symbol.asyncDispose]: async () => {
        const ended = await Promise.allSettled(running.map((node) => node[Symbol.asyncDispose]()));
        for (const one of ended) if (one.status === "rejected") throw one.reason;
      },
    });
    for (const node of lab.nodes) running.push(await startNode(node, options, context, deps));
  });
}

function followRoutes(informer: Informer<Node>, lab: Lab, log: Log): void {
  const route = (node: Routed): void => {
    const { podCIDR } = node.spec;
    if (podCIDR === undefined) return;
    lab
      .addPodRoute(node.metadata.name, podCIDR)
      .catch((error: unknown) => log.error("cannot route to a node's pods", { node: node.metadata.name, error }));
  };
  const forget = ({ metadata: { name }, spec: { podCIDR } }: Routed): void => {
    if (podCIDR !== undefined) void lab.removePodRoute(name, podCIDR);
  };
  informer.addHandler({ added: route, updated: route, deleted: forget });
}

async function startNode(
  node: LabNode,
  options: LabNodesOptions,
  { pki, server }: { pki: Pki; server: string },
  deps: LabDeps,
): Promise<AsyncDisposable> {
  const { files, processes, clock, log } = deps;
  const directory = `${options.dataDir}/nodes/${node.name}`;
  await files.makeDirectory(directory, 0o711);
  await endPredecessor(`${directory}/kubelet.pid`, directory, deps);
  const { client, serving } = await pki.node(node.name, [node.address]);
  const caCertificate = pki.ca.certificate;
  await writeKubeconfig(files, `${directory}/kubelet.kubeconfig`, { server, caCertificate, credentials: client });
  await writeKubeconfig(files, `${directory}/proxy.kubeconfig`, { server, caCertificate, credentials: pki.proxy });
  await files.writeAtomic(`${directory}/server.crt`, serving.certificate);
  await files.writeAtomic(`${directory}/server.key`, serving.key, 0o600);
  await files.writeAtomic(`${directory}/ca.crt`, caCertificate);
  const flags = {
    kubeconfig: `${directory}/kubelet.kubeconfig`,
    "proxy-kubeconfig": `${directory}/proxy.kubeconfig`,
    "hostname-override": node.name,
    "node-ip": node.address,
    "root-dir": directory,
    "cluster-cidr": options.clusterCidr,
    "cluster-dns": options.clusterDns,
    "cluster-domain": options.clusterDomain,
    "tls-cert-file": `${directory}/server.crt`,
    "tls-private-key-file": `${directory}/server.key`,
    "client-ca-file": `${directory}/ca.crt`,
    "keep-pods": String(options.keepPods),
    "pod-max-pids": String(options.podMaxPids),
    "keep-terminal-sandbox": String(options.keepTerminalSandbox),
    "log-level": options.logLevel,
    ...(node.name === options.controlPlaneNode ? { "register-with-taints": taintText(controlPlaneTaint) } : {}),
  };
  const words = [
    `--net=/run/netns/${node.networkNamespace}`,
    "--",
    ...options.program,
    "kubelet",
    ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
  ];
  const child = processes.start("nsenter", words, { outputFile: `${directory}/kubelet.log` });
  await files.writeAtomic(`${directory}/kubelet.pid`, `${child.pid}\n`);
  let stopping = false;
  let died = false;
  void child.exited.then((how) => {
    if (stopping) return;
    died = true;
    log.error("a node's process ended", { node: node.name, ...how, log: `${directory}/kubelet.log` });
  });
  return {
    [Symbol.asyncDispose]: async () => {
      stopping = true;
      if (!died) await stop(child, processes, clock);
      else if (!options.keepPods) await removePods({ directory, networkNamespace: node.networkNamespace }, deps);
      await files.remove(`${directory}/kubelet.pid`);
    },
  };
}

async function stop(child: ChildProcess, processes: Processes, clock: Clock): Promise<void> {
  if (!processes.signal(child.pid, "SIGTERM")) return;
  const killer = clock.after(60_000, () => processes.signal(child.pid, "SIGKILL"));
  await child.exited;
  killer.cancel();
}

/** A node's process that outlived us (we were killed) makes way; its containers go on and are taken over. */
async function endPredecessor(pidFile: string, directory: string, { files, processes, clock }: LabDeps): Promise<void> {
  if ((await files.stat(pidFile)) === undefined) return;
  const pid = Number((await files.read(pidFile)).toString().trim());
  const isOurs = async (): Promise<boolean> => {
    const commandLine = await files.read(`/proc/${pid}/cmdline`).catch(() => Buffer.alloc(0));
    return commandLine.includes("kubelet") && commandLine.includes(directory);
  };
  if (!Number.isSafeInteger(pid) || !(await isOurs())) return;
  processes.signal(pid, "SIGKILL");
  while (await isOurs()) await sleep(clock, 10);
}
