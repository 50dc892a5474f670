// The container runtime as the kubelet sees it: CRI v1 in our words. cri/ implements it over gRPC, the room `sim` by pretending.
// Every method takes a deadline and a signal through `Call`; every answer is checked by the implementation before it is returned.

export interface Call {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface SandboxConfig {
  readonly podName: string;
  readonly podNamespace: string;
  readonly podUid: string;
  /** Grows when a pod needs a new sandbox. */
  readonly attempt: number;
  readonly hostname: string;
  /** Directory of the pod's container logs. */
  readonly logDirectory: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly dns?: {
    readonly servers: readonly string[];
    readonly searches: readonly string[];
    readonly options: readonly string[];
  };
  readonly ports: readonly {
    readonly protocol: "TCP" | "UDP" | "SCTP";
    readonly containerPort: number;
    readonly hostPort: number;
    readonly hostIp: string;
  }[];
  readonly cgroupParent: string;
  readonly hostNetwork: boolean;
  readonly hostPid: boolean;
  readonly hostIpc: boolean;
  /** False: the pod wants a user namespace of its own. */
  readonly hostUsers: boolean;
  readonly shareProcessNamespace: boolean;
  readonly privileged: boolean;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly supplementalGroups: readonly number[];
  readonly seccomp: "RuntimeDefault" | "Unconfined" | { readonly localhost: string };
  readonly runtimeHandler: string;
  /** What a simulated runtime needs to know how to pretend; a real one ignores it. */
  readonly pod: import("#api").Pod;
}

export interface Mount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly readOnly: boolean;
  readonly propagation: "private" | "hostToContainer" | "bidirectional";
}

export interface LinuxResources {
  readonly cpuShares?: number;
  readonly cpuQuota?: number;
  readonly cpuPeriod?: number;
  readonly memoryLimitBytes?: number;
  readonly oomScoreAdj?: number;
}

export interface ContainerConfig {
  readonly name: string;
  /** The container's restart count. */
  readonly attempt: number;
  /** As `pullImage` or `imageStatus` returned it. */
  readonly imageId: string;
  /** As the pod spec says it. */
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDirectory: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly mounts: readonly Mount[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Relative to the sandbox's logDirectory: "app/0.log". */
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly resources: LinuxResources;
  readonly security: {
    readonly privileged: boolean;
    readonly addCapabilities: readonly string[];
    readonly dropCapabilities: readonly string[];
    readonly runAsUser?: number;
    readonly runAsUserName?: string;
    readonly runAsGroup?: number;
    readonly supplementalGroups: readonly number[];
    readonly readOnlyRootFilesystem: boolean;
    readonly noNewPrivileges: boolean;
    readonly seccomp: "RuntimeDefault" | "Unconfined" | { readonly localhost: string };
    /** Undefined: the runtime's own choice. */
    readonly appArmor?: "RuntimeDefault" | "Unconfined" | { readonly localhost: string };
    readonly maskedPaths: readonly string[];
    readonly readonlyPaths: readonly string[];
    /** "pod": shared with the sandbox; "container": own; "node": the host's. */
    readonly pidNamespace: "pod" | "container" | "node";
  };
}

export type ContainerState = "created" | "running" | "exited" | "unknown";

export interface SandboxStatus {
  readonly id: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly podUid: string;
  readonly attempt: number;
  readonly ready: boolean;
  readonly createdAtMs: number;
  /** First is the primary one; empty for host network. */
  readonly ips: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ContainerStatus {
  readonly id: string;
  readonly sandboxId: string;
  readonly name: string;
  readonly attempt: number;
  readonly state: ContainerState;
  readonly createdAtMs: number;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly exitCode: number;
  /** "Completed", "Error", "OOMKilled", ... */
  readonly reason: string;
  readonly message: string;
  readonly image: string;
  readonly imageRef: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly logPath: string;
}

export interface RuntimeInfo {
  /** "containerd" */
  readonly name: string;
  readonly version: string;
  readonly runtimeReady: boolean;
  readonly networkReady: boolean;
  /** Why not, when one of the two is false; of the network: "NetworkReady=false reason:NetworkPluginNotReady message:...". */
  readonly message: string;
}

/** Something happened to a container or sandbox of this pod: look at its state again. */
export interface RuntimeEvent {
  readonly podUid: string;
  readonly containerId: string;
  readonly kind: "created" | "started" | "stopped" | "deleted";
}

export interface Image {
  readonly id: string;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  readonly sizeBytes: number;
  /** User that the image runs as: a number or a name, "" for root. */
  readonly user: string;
}

export interface Runtime extends AsyncDisposable {
  info(call?: Call): Promise<RuntimeInfo>;
  runSandbox(config: SandboxConfig, call?: Call): Promise<string>;
  stopSandbox(id: string, call?: Call): Promise<void>;
  removeSandbox(id: string, call?: Call): Promise<void>;
  sandboxStatus(id: string, call?: Call): Promise<SandboxStatus | undefined>;
  listSandboxes(call?: Call): Promise<readonly SandboxStatus[]>;
  createContainer(sandboxId: string, config: ContainerConfig, sandbox: SandboxConfig, call?: Call): Promise<string>;
  startContainer(id: string, call?: Call): Promise<void>;
  /** SIGTERM, then SIGKILL after the grace period. Harmless for a stopped or unknown container. */
  stopContainer(id: string, graceSeconds: number, call?: Call): Promise<void>;
  removeContainer(id: string, call?: Call): Promise<void>;
  containerStatus(id: string, call?: Call): Promise<ContainerStatus | undefined>;
  /** All containers, or those of one pod. */
  listContainers(podUid?: string, call?: Call): Promise<readonly ContainerStatus[]>;
  /** Bytes that the containers of a pod have written to their own layers, by container id. */
  writableLayers(podUid: string, call?: Call): Promise<ReadonlyMap<string, number>>;
  updateResources(id: string, resources: LinuxResources, call?: Call): Promise<void>;
  reopenLog(id: string, call?: Call): Promise<void>;
  execSync(id: string, command: readonly string[], call?: Call): Promise<{ exitCode: number; stdout: Buffer; stderr: Buffer }>;
  /** URLs of the runtime's streaming server, as CRI gives them. */
  exec(
    id: string,
    command: readonly string[],
    streams: { stdin: boolean; stdout: boolean; stderr: boolean; tty: boolean },
    call?: Call,
  ): Promise<string>;
  attach(id: string, streams: { stdin: boolean; stdout: boolean; stderr: boolean; tty: boolean }, call?: Call): Promise<string>;
  portForward(sandboxId: string, ports: readonly number[], call?: Call): Promise<string>;
  imageStatus(image: string, call?: Call): Promise<Image | undefined>;
  listImages(call?: Call): Promise<readonly Image[]>;
  /** Returns the image id. Failures carry the runtime's message. */
  pullImage(image: string, credentials?: { username: string; password: string }, call?: Call): Promise<string>;
  removeImage(image: string, call?: Call): Promise<void>;
  /** Events as they happen; the iterator ends when the runtime goes away or the signal aborts. */
  events(signal: AbortSignal): AsyncIterable<RuntimeEvent>;
  updatePodCidr(cidr: string, call?: Call): Promise<void>;
}
