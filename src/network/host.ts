// What a node needs of its kernel for pods: a bridge with the gateway address, forwarding, and masquerading of what leaves the cluster.
import type { Processes } from "#base";
import { addressAt, parseRange } from "./address.ts";

export interface PodNetworkOptions {
  readonly bridge: string;
  readonly podCidr: string;
  readonly clusterCidr: string;
  /** Works inside this network namespace (of `ip netns`). */
  readonly networkNamespace?: string;
}

export interface PodNetwork extends AsyncDisposable {
  /** The bridge's address, which pods see as their gateway. */
  readonly gateway: string;
}

const table = "tiphys-masquerade";

/** Idempotent. Disposal removes the bridge and the table, unless a pod is still attached. */
export async function setUpPodNetwork(options: PodNetworkOptions, processes: Processes): Promise<PodNetwork> {
  const range = parseRange(options.podCidr);
  const gateway = addressAt(range, 1);
  const run = runner(processes, options.networkNamespace);
  await run("sysctl", ["-q", "-w", "net.ipv4.ip_forward=1"]);
  // replies between two pods of one bridge must pass the rules that undo address translation
  await succeeds(run("modprobe", ["br_netfilter"]));
  await succeeds(run("sysctl", ["-q", "-w", "net.bridge.bridge-nf-call-iptables=1"]));
  if (!(await succeeds(run("ip", ["link", "show", options.bridge]))))
    await run("ip", ["link", "add", options.bridge, "type", "bridge"]);
  await run("ip", ["address", "replace", `${gateway}/${range.prefix}`, "dev", options.bridge]);
  await run("ip", ["link", "set", options.bridge, "up"]);
  await run("nft", ["-f", "-"], masqueradeRules(options.podCidr, options.clusterCidr));
  return {
    gateway,
    [Symbol.asyncDispose]: async () => {
      // pods that were left running keep what they need
      const ports = await run("ip", ["-o", "link", "show", "master", options.bridge]).catch(() => "");
      if (ports.trim() !== "") return;
      await succeeds(run("nft", ["delete", "table", "ip", table]));
      await succeeds(run("ip", ["link", "delete", options.bridge]));
    },
  };
}

/** Pods keep their address among themselves and take the node's towards the rest of the world. */
export const masqueradeRules = (podCidr: string, clusterCidr: string): string => `add table ip ${table}
delete table ip ${table}
table ip ${table} {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${podCidr} ip daddr != ${clusterCidr} ip daddr != 224.0.0.0/4 masquerade
  }
}
`;

export type Run = (command: string, args: readonly string[], input?: string) => Promise<string>;

/** Runs commands, in a network namespace if one is named; throws with the command's own words when one fails. */
export function runner(processes: Processes, networkNamespace?: string): Run {
  return async (command, args, input) => {
    const [program, words] =
      networkNamespace === undefined ? [command, args] : ["ip", ["netns", "exec", networkNamespace, command, ...args]];
    const result = await processes.run(program, words, { input });
    if (result.code !== 0) throw new Error(`"${command} ${args.join(" ")}" failed: ${(result.stderr || result.stdout).trim()}`);
    return result.stdout;
  };
}

export const succeeds = (running: Promise<unknown>): Promise<boolean> =>
  running.then(
    () => true,
    () => false,
  );
