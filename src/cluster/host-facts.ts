// What this machine is: read from /proc and /etc, for the Node object of a real node.
import type { Files } from "#base";
import { parseResolvConf, type ResolverConfig } from "#dns";
import type { Capacity, NodeInfo } from "#kubelet";

export interface HostFacts {
  readonly capacity: Capacity;
  readonly nodeInfo: NodeInfo;
}

const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** `directory`: the one whose file system holds pods and images. */
export async function readHostFacts(files: Files, directory: string): Promise<HostFacts> {
  const text = async (path: string): Promise<string> => (await files.read(path).catch(() => Buffer.alloc(0))).toString().trim();
  const [memory, processors, release, kernel, boot, machine] = await Promise.all([
    text("/proc/meminfo"),
    text("/proc/cpuinfo"),
    text("/etc/os-release"),
    text("/proc/sys/kernel/osrelease"),
    text("/proc/sys/kernel/random/boot_id"),
    text("/etc/machine-id"),
  ]);
  const memoryKibibytes = Number(/^MemTotal:\s+(\d+) kB/m.exec(memory)?.[1] ?? 0);
  const cpus = processors.match(/^processor\s*:/gm)?.length ?? 1;
  const machineId = machine === "" ? boot.replaceAll("-", "") : machine;
  return {
    capacity: { cpu: String(cpus), memoryBytes: memoryKibibytes * 1024, ephemeralBytes: await files.diskBytes(directory) },
    nodeInfo: {
      kernelVersion: kernel,
      osImage: /^PRETTY_NAME="?([^"\n]*)"?/m.exec(release)?.[1] ?? "Linux",
      architecture: architectures[process.arch] ?? process.arch,
      bootId: boot,
      machineId,
      systemUuid: machineId,
    },
  };
}

/** The host's resolvers; none where the host has no resolv.conf. */
export const hostResolver = async (files: Files): Promise<ResolverConfig> =>
  parseResolvConf((await files.read("/etc/resolv.conf").catch(() => Buffer.alloc(0))).toString());
