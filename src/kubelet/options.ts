// What a kubelet is told and what it is given.
import type { Node, Pod, Service, Taint } from "#api";
import type { Clock, Files, Log, Processes, Random, Running } from "#base";
import type { Client } from "#client";
import type { PodCgroups } from "./cgroup/pod-cgroups.ts";
import type { EventSink } from "./pod/events.ts";
import type { NetworkProbes } from "./probe/check.ts";
import type { Runtime } from "./runtime.ts";
import type { FetchManifest, HttpSourceOptions } from "./static/http-source.ts";

export interface KubeletOptions {
  readonly nodeName: string;
  /** First is the primary one. */
  readonly nodeIps: readonly string[];
  readonly hostname?: string;
  /** The directory of pods/<uid>/...: "/var/lib/kubelet". */
  readonly rootDirectory?: string;
  /** The directory of container logs; upstream's is "/var/log/pods". */
  readonly podLogsDirectory?: string;
  /** A directory in memory (below /run, say) for secrets and tokens; absent: they lie with the other volumes. */
  readonly memoryDirectory?: string;
  /** Addresses of the cluster's DNS service, for `dnsPolicy: ClusterFirst`. */
  readonly clusterDns?: readonly string[];
  readonly clusterDomain?: string;
  /** What resolv.conf of the host says, for `dnsPolicy: Default`. */
  readonly hostDns?: {
    readonly servers: readonly string[];
    readonly searches: readonly string[];
    readonly options: readonly string[];
  };
  readonly maxPods?: number;
  readonly providerId?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
  readonly staticPodDirectory?: string;
  /** Static pods from a URL. */
  readonly staticPodUrl?: HttpSourceOptions;
  /** Kept from pods: subtracted from capacity to give allocatable. */
  readonly reserved?: { readonly cpu?: string; readonly memory?: string; readonly "ephemeral-storage"?: string };
  /** The port of the kubelet's own server, shown in the Node; 0 shows none. */
  readonly serverPort?: number;
  /** Do not stop the sandbox of a finished pod before it is deleted. */
  readonly keepTerminalSandbox?: boolean;
  /** A slow look at all containers, in case an event was lost. Default 60 s, 0 for never. */
  readonly relistMs?: number;
  /** Register the Node object; default true. */
  readonly registerNode?: boolean;
}

export interface Capacity {
  /** "2" or "1500m". */
  readonly cpu: string;
  readonly memoryBytes: number;
  readonly ephemeralBytes: number;
  /** Other resources: "hugepages-2Mi", "example.com/gpu". */
  readonly extended?: Readonly<Record<string, string>>;
}

export interface NodeInfo {
  readonly kernelVersion: string;
  readonly osImage: string;
  /** "amd64", "arm64" */
  readonly architecture: string;
  readonly bootId: string;
  readonly machineId: string;
  readonly systemUuid: string;
}

export interface KubeletDeps {
  /** Speaks as `system:node:<nodeName>`. */
  readonly client: Client;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly capacity: Capacity;
  readonly nodeInfo: NodeInfo;
  readonly probes: NetworkProbes;
  /** Absent on a simulated node: then there are no directories and no volumes on disk. */
  readonly files?: Files;
  /** For mounts (tmpfs); absent: tmpfs volumes are plain directories. */
  readonly processes?: Processes;
  /** For `staticPodUrl`. */
  readonly fetchManifest?: FetchManifest;
  /** Where containers' control groups go; absent: where the runtime puts them. */
  readonly cgroups?: PodCgroups;
  readonly events?: EventSink;
  /** Services of the cluster, for the environment variables of service links; absent: an informer of the kubelet's own. */
  readonly services?: () => readonly Service[];
}

export interface RunningKubelet extends Running {
  readonly nodeName: string;
  /** Pods of this node as the kubelet knows them, for its server's `/pods`. */
  pods(): readonly Pod[];
  /** By namespace and name; the pod and its running container, for exec and logs. */
  findPod(namespace: string, name: string): Pod | undefined;
  node(): Node | undefined;
}
