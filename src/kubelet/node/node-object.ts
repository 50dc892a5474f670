// The Node as this kubelet reports it. Pure.
import type { ContainerImage, Node, NodeAddress, NodeCondition, NodeStatus, Quantity } from "#api";
import { rfc3339 } from "#client";
import type { Capacity, KubeletOptions, NodeInfo } from "../options.ts";
import { quantityLess } from "./quantities.ts";

export interface NodeFacts {
  readonly options: KubeletOptions;
  readonly capacity: Capacity;
  readonly nodeInfo: NodeInfo;
  readonly kubeletVersion: string;
  /** "containerd://1.7.0"; "Unknown" before the runtime has answered. */
  readonly runtimeVersion: string;
  /** Undefined when both runtime and network are ready. */
  readonly notReady: string | undefined;
  readonly images: readonly ContainerImage[];
  readonly previous: NodeStatus | undefined;
  readonly now: number;
}

/** What is registered: labels and taints are only set when the Node is made. */
export function newNode(facts: NodeFacts): Node {
  const { options, nodeInfo } = facts;
  const hostname = options.hostname ?? options.nodeName;
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name: options.nodeName,
      labels: {
        "beta.kubernetes.io/arch": nodeInfo.architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": nodeInfo.architecture,
        "kubernetes.io/hostname": hostname,
        "kubernetes.io/os": "linux",
        ...options.labels,
      },
      annotations: { "volumes.kubernetes.io/controller-managed-attach-detach": "true", ...options.annotations },
    },
    spec: {
      ...(options.providerId === undefined ? {} : { providerID: options.providerId }),
      ...(options.taints === undefined || options.taints.length === 0 ? {} : { taints: options.taints }),
    },
    status: nodeStatus(facts),
  };
}

export function nodeStatus(facts: NodeFacts): NodeStatus {
  const { options, nodeInfo, capacity } = facts;
  const all = capacityOf(capacity, options.maxPods ?? 110);
  return {
    addresses: addressesOf(options),
    allocatable: allocatableOf(all, options),
    capacity: all,
    conditions: conditionsOf(facts),
    daemonEndpoints: { kubeletEndpoint: { Port: options.serverPort ?? 0 } },
    images: facts.images,
    nodeInfo: {
      architecture: nodeInfo.architecture,
      bootID: nodeInfo.bootId,
      containerRuntimeVersion: facts.runtimeVersion,
      kernelVersion: nodeInfo.kernelVersion,
      kubeProxyVersion: "",
      kubeletVersion: facts.kubeletVersion,
      machineID: nodeInfo.machineId,
      operatingSystem: "linux",
      osImage: nodeInfo.osImage,
      systemUUID: nodeInfo.systemUuid,
    },
  };
}

const capacityOf = (capacity: Capacity, maxPods: number): Record<string, Quantity> => ({
  cpu: capacity.cpu,
  "ephemeral-storage": `${Math.floor(capacity.ephemeralBytes / 1024)}Ki`,
  memory: `${Math.floor(capacity.memoryBytes / 1024)}Ki`,
  pods: String(maxPods),
  ...capacity.extended,
});

export function allocatableOf(
  capacity: Readonly<Record<string, Quantity>>,
  options: Pick<KubeletOptions, "reserved">,
): Record<string, Quantity> {
  const allocatable = { ...capacity };
  for (const [name, amount] of Object.entries(options.reserved ?? {})) {
    const whole = capacity[name];
    if (whole !== undefined && amount !== undefined) allocatable[name] = quantityLess(whole, amount);
  }
  return allocatable;
}

const addressesOf = (options: KubeletOptions): readonly NodeAddress[] => [
  ...options.nodeIps.map((address) => ({ type: "InternalIP", address })),
  { type: "Hostname", address: options.hostname ?? options.nodeName },
];

function conditionsOf(facts: NodeFacts): readonly NodeCondition[] {
  const condition = (type: string, status: "True" | "False", reason: string, message: string): NodeCondition => {
    const before = facts.previous?.conditions?.find((item) => item.type === type);
    const now = rfc3339(facts.now);
    return {
      type,
      status,
      lastHeartbeatTime: now,
      lastTransitionTime: before?.status === status && before.lastTransitionTime !== undefined ? before.lastTransitionTime : now,
      reason,
      message,
    };
  };
  const ready = facts.notReady === undefined;
  return [
    condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    condition(
      "Ready",
      ready ? "True" : "False",
      ready ? "KubeletReady" : "KubeletNotReady",
      facts.notReady ?? "kubelet is posting ready status",
    ),
  ];
}

/** True when something other than heartbeats differs. */
export function nodeStatusChanged(before: NodeStatus, after: NodeStatus): boolean {
  return JSON.stringify(withoutHeartbeats(before)) !== JSON.stringify(withoutHeartbeats(after));
}

const withoutHeartbeats = (status: NodeStatus): unknown => ({
  addresses: status.addresses,
  allocatable: sorted(status.allocatable),
  capacity: sorted(status.capacity),
  conditions: (status.conditions ?? [])
    .filter(({ type }) => ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"].includes(type))
    .map(({ type, status: value, reason, message }) => [type, value, reason, message]),
  endpoint: status.daemonEndpoints?.kubeletEndpoint?.Port,
  images: (status.images ?? []).map(({ names }) => names),
  nodeInfo: sorted(status.nodeInfo as Readonly<Record<string, unknown>> | undefined),
});

const sorted = (record: Readonly<Record<string, unknown>> | undefined): unknown =>
  Object.entries(record ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
