// Pods and nodes for tests, with as few words as possible.
import type { Node, Pod, Stored, Taint } from "#api";
import { ClusterCache } from "../cluster/cache.ts";
import { NodeState } from "../cluster/node-state.ts";
import { type PodInfo, parsePod } from "../cluster/pod-info.ts";

export interface PodOptions {
  readonly name?: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly cpu?: string;
  readonly memory?: string;
  readonly spec?: Partial<NonNullable<Pod["spec"]>>;
  readonly status?: Pod["status"];
  readonly metadata?: Partial<Pod["metadata"]>;
}

export function aPod(options: PodOptions = {}): Stored<Pod> {
  const { name = "p", namespace = "default", cpu, memory } = options;
  const requests = { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }) };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace,
      uid: `uid-${namespace}-${name}`,
      resourceVersion: "1",
      creationTimestamp: "2026-01-01T00:00:00Z",
      generation: 1,
      ...(options.labels === undefined ? {} : { labels: options.labels }),
      ...options.metadata,
    },
    spec: {
      containers: [{ name: "c", image: "i", resources: { requests } }],
      schedulerName: "default-scheduler",
      ...options.spec,
    },
    status: options.status ?? { phase: "Pending" },
  };
}

export const aPodInfo = (options: PodOptions = {}): PodInfo => parsePod(aPod(options));

export interface NodeOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly cpu?: string;
  readonly memory?: string;
  readonly pods?: string;
  readonly extended?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
  readonly unschedulable?: boolean;
  readonly images?: readonly { readonly names: readonly string[]; readonly sizeBytes: number }[];
}

export function aNode(name: string, options: NodeOptions = {}): Stored<Node> {
  const allocatable = {
    cpu: options.cpu ?? "4",
    memory: options.memory ?? "8Gi",
    pods: options.pods ?? "110",
    ...options.extended,
  };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      uid: `uid-${name}`,
      resourceVersion: "1",
      creationTimestamp: "2026-01-01T00:00:00Z",
      labels: { "kubernetes.io/hostname": name, ...options.labels },
    },
    spec: { taints: options.taints, unschedulable: options.unschedulable },
    status: { allocatable, capacity: allocatable, images: options.images },
  };
}

/** A node with pods on it, outside of any cache. */
export function aNodeState(name: string, options: NodeOptions = {}, on: readonly PodOptions[] = []): NodeState {
  const state = new NodeState(name);
  state.setNode(aNode(name, options));
  on.forEach((pod, index) => {
    state.addPod(aPodInfo({ name: `on-${name}-${index}`, ...pod, spec: { ...pod.spec, nodeName: name } }));
  });
  return state;
}

/** A cache with these nodes and pods. */
export function aCluster(
  nodes: Readonly<Record<string, NodeOptions>>,
  pods: Readonly<Record<string, readonly PodOptions[]>> = {},
): ClusterCache {
  const cluster = new ClusterCache();
  for (const [name, options] of Object.entries(nodes)) cluster.setNode(aNode(name, options));
  for (const [nodeName, list] of Object.entries(pods)) {
    list.forEach((pod, index) => {
      cluster.setPod(aPodInfo({ name: `on-${nodeName}-${index}`, ...pod, spec: { ...pod.spec, nodeName } }));
    });
  }
  return cluster;
}
