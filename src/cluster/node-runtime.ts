// What the containers of a real node run on: a containerd of our own with the network that we give it, or a runtime that is there already.
import { createHash } from "node:crypto";
import type { Clock, Files, Log, Processes } from "#base";
import {
  busyboxArchive,
  containerdEvents,
  openCriRuntime,
  pauseArchive,
  type Runtime,
  removeRunDirectory,
  startContainerd,
} from "#kubelet";
import { cniConfig, setUpPodNetwork } from "#network";
import type { Parts } from "./parts.ts";

export interface NodeRuntimeOptions {
  /** Everything of the node lives below it. */
  readonly directory: string;
  readonly clusterCidr: string;
  readonly bridge: string;
  /** CRI socket of a runtime that is there already: "unix:///run/containerd/containerd.sock". Undefined: a containerd of our own. */
  readonly runtimeEndpoint: string | undefined;
}

export interface NodeRuntimeDeps {
  readonly files: Files;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly log: Log;
}

export interface NodeRuntime {
  readonly runtime: Runtime;
  /** It runs nothing but the pods of this node, and is stopped with it. */
  readonly isOurs: boolean;
  /** Gives pods their addresses. What it returns takes the network down again. */
  useRange(podCidr: string): Promise<AsyncDisposable | undefined>;
  /** After everything has stopped: removes mounts and run-time state. */
  cleanUp(): Promise<void>;
}

type Containerd = Awaited<ReturnType<typeof startContainerd>>;

export const idOf = (directory: string): string => createHash("sha256").update(directory).digest("hex").slice(0, 12);

/** Where sockets of this node go: short, and on a file system that a reboot empties. */
export const runDirectoryOf = (directory: string): string => `/run/tiphys/${idOf(directory)}`;

/** Where the distribution puts the CNI plugins. */
const cniBinaries = "/usr/lib/cni";

export const openNodeRuntime = (options: NodeRuntimeOptions, deps: NodeRuntimeDeps, parts: Parts): Promise<NodeRuntime> =>
  options.runtimeEndpoint === undefined
    ? startOurs(options, deps, parts)
    : openForeign(options, options.runtimeEndpoint, deps, parts);

async function startOurs(options: NodeRuntimeOptions, deps: NodeRuntimeDeps, parts: Parts): Promise<NodeRuntime> {
  const { files, processes, clock, log } = deps;
  const runDirectory = runDirectoryOf(options.directory);
  const containerd = await startContainerd(
    { directory: `${options.directory}/containerd`, runDirectory, cniBinaries },
    { files, processes, clock, log: log.child({ component: "containerd" }) },
  );
  parts.add("containerd", containerd);
  const { address } = containerd;
  const events = containerdEvents({ address, clock });
  const runtime = parts.add(
    "runtime",
    await openCriRuntime({ address, events, clock, log: log.child({ component: "runtime" }) }),
  );
  await loadBuiltInImages(options, containerd, runtime, deps);
  return {
    runtime,
    isOurs: true,
    useRange: async (podCidr) => {
      const { bridge, clusterCidr } = options;
      const network = await setUpPodNetwork({ bridge, podCidr, clusterCidr }, processes);
      const config = cniConfig({
        podCidr,
        bridge,
        dataDirectory: `${runDirectory}/ipam`,
        hasBandwidth: (await files.stat(`${cniBinaries}/bandwidth`)) !== undefined,
      });
      await files.writeAtomic(`${containerd.cniConfiguration}/10-tiphys.conflist`, config);
      return network;
    },
    cleanUp: () => containerd.cleanUp(),
  };
}

/** "unix:///run/x.sock", "unix:/run/x.sock" and "/run/x.sock" are the same socket. */
export function criAddress(endpoint: string): string {
  const path = /^(?:unix:(?:\/\/)?)?(\/[^/].*)$/.exec(endpoint)?.[1];
  if (path === undefined)
    throw new Error(
      `Invalid container runtime endpoint "${endpoint}": a socket such as "unix:///run/containerd/containerd.sock" is wanted`,
    );
  return `unix:${path}`;
}

/** Images and the pod network of such a runtime are its owner's business. */
async function openForeign(
  options: NodeRuntimeOptions,
  endpoint: string,
  deps: NodeRuntimeDeps,
  parts: Parts,
): Promise<NodeRuntime> {
  const { clock, log } = deps;
  const address = criAddress(endpoint);
  const { name, driver } = await about(address, clock);
  if (driver === "systemd")
    throw new Error(
      `Cannot use the container runtime at "${endpoint}": it leaves control groups to systemd, this kubelet makes them itself (cgroupfs)`,
    );
  const runtime = parts.add(
    "runtime",
    await openCriRuntime({
      address,
      // not every containerd has CRI's own stream of events
      events: name === "containerd" ? containerdEvents({ address, clock }) : undefined,
      clock,
      log: log.child({ component: "runtime" }),
    }),
  );
  log.info("using a container runtime that is there", { endpoint, runtime: name });
  return {
    runtime,
    isOurs: false,
    useRange: async (podCidr) => {
      await runtime.updatePodCidr(podCidr);
      return undefined;
    },
    cleanUp: () => removeRunDirectory(runDirectoryOf(options.directory), deps),
  };
}

async function about(address: string, clock: Clock): Promise<{ name: string; driver: "cgroupfs" | "systemd" }> {
  await using runtime = await openCriRuntime({ address, clock });
  return { name: (await runtime.info()).name, driver: await runtime.cgroupDriver() };
}

/** The pause image must be there before the first sandbox; busybox is a convenience of offline machines. */
async function loadBuiltInImages(
  options: NodeRuntimeOptions,
  containerd: Containerd,
  runtime: Runtime,
  { files, processes }: NodeRuntimeDeps,
): Promise<void> {
  const present = new Set((await runtime.listImages()).flatMap((image) => image.tags));
  const load = async (name: string, archive: () => Promise<Buffer | undefined>): Promise<void> => {
    if ([...present].some((tag) => tag.includes(`/${name}:`))) return;
    const bytes = await archive();
    if (bytes === undefined) return;
    const path = `${options.directory}/${name}.tar`;
    await files.write(path, bytes);
    await containerd.importImage(path);
    await files.remove(path);
  };
  await load("pause", pauseArchive);
  await load("busybox", () => busyboxArchive(process.arch === "arm64" ? "arm64" : "amd64", { files, processes }));
}
