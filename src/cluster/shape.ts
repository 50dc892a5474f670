// What `tiphys up` becomes on this machine: real nodes where they can be, simulated ones otherwise, and why.
import type { Files, Processes } from "#base";
import { labNodeName } from "./lab-nodes.ts";
import type { UpOptions } from "./options.ts";
import type { Shape } from "./up.ts";

export interface Machine {
  readonly platform: string;
  readonly isRoot: boolean;
  readonly hostname: string;
  readonly homeDirectory: string;
  /** The variable KUBECONFIG: files, with colons between them. */
  readonly kubeconfig: string | undefined;
}

/** Simulated nodes are counted from zero. */
export const simNodePrefix = "sim-";

const programs = [
  "/usr/bin/containerd",
  "/usr/bin/ctr",
  "/usr/sbin/runc",
  "/usr/sbin/nft",
  "/usr/sbin/ip",
  "/usr/lib/cni/bridge",
];

/** Where a cluster lives when nobody says where. */
export const defaultDataDir = ({ isRoot, homeDirectory }: Pick<Machine, "isRoot" | "homeDirectory">): string =>
  isRoot ? "/var/lib/tiphys" : `${homeDirectory}/.tiphys`;

/** Where kubectl looks. A cluster in a directory of its own choosing is a second one, or a test: it is not added by itself. */
const usersKubeconfig = ({ kubeconfig, homeDirectory }: Machine): string =>
  kubeconfig?.split(":").find((path) => path !== "") ?? `${homeDirectory}/.kube/config`;

/** Throws a sentence for the user where the options ask for what this machine cannot do. */
export async function decideShape(
  options: UpOptions,
  machine: Machine,
  deps: { files: Files; processes: Processes },
): Promise<Shape> {
  const obstacle = await whyNoRealNode(machine, deps.files);
  if ((options.nodes ?? 0) > 0 && obstacle !== undefined)
    throw new Error(`Cannot run real nodes: ${obstacle}; use --sim-nodes for simulated ones`);
  const realNodes = options.nodes ?? (obstacle === undefined ? 1 : 0);
  const simNodes = options.simNodes ?? (realNodes > 0 ? 0 : options.single ? 1 : 3);
  const nodeName = (options.nodeName ?? machine.hostname).toLowerCase();
  const isDedicated = options.role === "control-plane";
  if (options.single && realNodes + simNodes !== 1)
    throw new Error(`Cannot use --single: ${realNodes + simNodes} nodes are asked for with --nodes and --sim-nodes`);
  if (options.single && isDedicated)
    throw new Error("Cannot use --single: with --role=control-plane no ordinary pod would run on the only node");
  if (isDedicated && realNodes + simNodes === 0)
    throw new Error("Cannot use --role=control-plane: there is no node to give it to");
  return {
    dataDir: options.dataDir ?? defaultDataDir(machine),
    realNodes,
    simNodes,
    nodeName,
    controlPlaneNode: isDedicated ? firstNode(realNodes, nodeName) : undefined,
    userKubeconfig: options.kubeconfig ?? (options.dataDir === undefined ? usersKubeconfig(machine) : undefined),
    nodeAddress: realNodes === 0 ? "127.0.0.1" : await primaryAddress(deps.processes),
    whySimulated: realNodes === 0 && options.nodes === undefined ? obstacle : undefined,
  };
}

const firstNode = (realNodes: number, nodeName: string): string =>
  realNodes > 1 ? labNodeName(0) : realNodes === 1 ? nodeName : `${simNodePrefix}0`;

async function whyNoRealNode(machine: Machine, files: Files): Promise<string | undefined> {
  if (machine.platform !== "linux") return `${machine.platform} has no containerd; containers need Linux`;
  if (!machine.isRoot) return "containers need root";
  const missing: string[] = [];
  for (const program of programs)
    if ((await files.stat(program)) === undefined) missing.push(program.slice(program.lastIndexOf("/") + 1));
  return missing.length > 0 ? `not installed: ${missing.join(", ")}` : undefined;
}

/** The address from which this host reaches the rest of the world, or the first that is not loopback. */
async function primaryAddress(processes: Processes): Promise<string> {
  const route = await processes.run("ip", ["-4", "-o", "route", "get", "192.0.2.1"]);
  const source = /\bsrc (\S+)/.exec(route.stdout)?.[1];
  if (source !== undefined) return source;
  const addresses = await processes.run("ip", ["-4", "-o", "address", "show", "scope", "global"]);
  const first = /\binet ([0-9.]+)\//.exec(addresses.stdout)?.[1];
  if (first === undefined) throw new Error("Cannot run a real node: this host has no IPv4 address except loopback");
  return first;
}
