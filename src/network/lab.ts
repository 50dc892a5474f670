// Several nodes on one host: each a network namespace with its own address on a shared bridge, and routes to the others' pods.
import type { Processes } from "#base";
import { addressAt, parseRange } from "./address.ts";
import { type Run, runner, succeeds } from "./host.ts";

export interface LabOptions {
  /** Distinguishes the labs of one host: at most 6 characters. */
  readonly id: string;
  /** Addresses of the nodes and of the host's end of the bridge: "10.203.0.0/24". */
  readonly nodeCidr: string;
  readonly nodes: readonly string[];
}

export interface LabNode {
  readonly name: string;
  readonly networkNamespace: string;
  readonly address: string;
}

export interface Lab extends AsyncDisposable {
  /** The host's address on the bridge: where the nodes reach the API server. */
  readonly hostAddress: string;
  readonly nodes: readonly LabNode[];
  /** Routes of every node (and of the host) to a node's pods. Idempotent. */
  addPodRoute(node: string, podCidr: string): Promise<void>;
  /** Takes those routes away again, unless they lead to another node by now. Idempotent. */
  removePodRoute(node: string, podCidr: string): Promise<void>;
}

export const labBridge = (id: string): string => `tlab-${id}`;
export const labNamespace = (id: string, index: number): string => `tiphys-${id}-${index}`;

/** Idempotent: what is there from before is taken over. Disposal removes namespaces and bridge. */
export async function setUpLab(options: LabOptions, processes: Processes): Promise<Lab> {
  const range = parseRange(options.nodeCidr);
  const host = runner(processes);
  const bridge = labBridge(options.id);
  const hostAddress = addressAt(range, 1);
  await host("sysctl", ["-q", "-w", "net.ipv4.ip_forward=1"]);
  if (!(await succeeds(host("ip", ["link", "show", bridge])))) await host("ip", ["link", "add", bridge, "type", "bridge"]);
  await host("ip", ["address", "replace", `${hostAddress}/${range.prefix}`, "dev", bridge]);
  await host("ip", ["link", "set", bridge, "up"]);
  await host("nft", ["-f", "-"], labMasqueradeRules(options.id, options.nodeCidr));

  const nodes: LabNode[] = [];
  for (const [index, name] of options.nodes.entries()) {
    const node = { name, networkNamespace: labNamespace(options.id, index), address: addressAt(range, index + 2) };
    await setUpNode(host, processes, node, {
      bridge,
      link: `tl${options.id}${index}`,
      prefix: range.prefix,
      gateway: hostAddress,
    });
    nodes.push(node);
  }
  /** Who must know the way to the pods of a node, and over which address it leads. */
  const routers = (name: string): { ip: Run; via: string }[] => {
    const owner = nodes.find((node) => node.name === name);
    if (owner === undefined) return [];
    const others = nodes.filter((node) => node !== owner);
    return [host, ...others.map((node) => runner(processes, node.networkNamespace))].map((ip) => ({ ip, via: owner.address }));
  };
  return {
    hostAddress,
    nodes,
    addPodRoute: async (name, podCidr) => {
      for (const { ip, via } of routers(name)) await ip("ip", ["route", "replace", podCidr, "via", via]);
    },
    removePodRoute: async (name, podCidr) => {
      for (const { ip, via } of routers(name)) await succeeds(ip("ip", ["route", "delete", podCidr, "via", via]));
    },
    [Symbol.asyncDispose]: async () => {
      for (const node of nodes) await succeeds(host("ip", ["netns", "delete", node.networkNamespace]));
      await succeeds(host("nft", ["delete", "table", "ip", `tiphys-lab-${options.id}`]));
      await succeeds(host("ip", ["link", "delete", bridge]));
    },
  };
}

async function setUpNode(
  host: Run,
  processes: Processes,
  node: LabNode,
  wire: { bridge: string; link: string; prefix: number; gateway: string },
): Promise<void> {
  const known = (await host("ip", ["netns", "list"])).split("\n").map((line) => line.split(" ")[0]);
  if (!known.includes(node.networkNamespace)) await host("ip", ["netns", "add", node.networkNamespace]);
  const inside = runner(processes, node.networkNamespace);
  await inside("ip", ["link", "set", "lo", "up"]);
  if (!(await succeeds(inside("ip", ["link", "show", "eth0"])))) {
    await host("ip", ["link", "add", wire.link, "type", "veth", "peer", "name", "eth0", "netns", node.networkNamespace]);
  }
  await host("ip", ["link", "set", wire.link, "master", wire.bridge, "up"]);
  await inside("ip", ["address", "replace", `${node.address}/${wire.prefix}`, "dev", "eth0"]);
  await inside("ip", ["link", "set", "eth0", "up"]);
  await inside("ip", ["route", "replace", "default", "via", wire.gateway]);
  await inside("sysctl", ["-q", "-w", "net.ipv4.ip_forward=1"]);
}

const labMasqueradeRules = (id: string, nodeCidr: string): string => `add table ip tiphys-lab-${id}
delete table ip tiphys-lab-${id}
table ip tiphys-lab-${id} {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${nodeCidr} ip daddr != ${nodeCidr} oifname != "tlab-${id}" masquerade
  }
}
`;
