// One node with the pods on it: sums are kept as pods come and go, so that no filter ever adds up pods.
import type { Node, Stored } from "#api";
import { type HostPort, hasAffinity, type PodInfo } from "./pod-info.ts";
import { addResources, noResources, parseResources, quantityOf, type Resources } from "./resources.ts";

const noLabels: Readonly<Record<string, string>> = {};

export class NodeState {
  readonly name: string;
  /** Its place in the cache's order; the fast path's arrays are indexed by it. -1 for copies and for nodes not listed. */
  slot = -1;
  /** Grows with every change of the node or of its pods. */
  version = 0;
  /** Undefined while pods name a node that the API does not (yet) have. */
  node: Stored<Node> | undefined;
  labels: Readonly<Record<string, string>> = noLabels;
  allocatable: Resources = noResources();
  allowedPods = 0;
  readonly requested: Resources = noResources();
  scoringMilliCpu = 0;
  scoringMemory = 0;
  readonly pods = new Map<string, PodInfo>();
  readonly podsWithAffinity = new Map<string, PodInfo>();
  readonly podsWithRequiredAntiAffinity = new Map<string, PodInfo>();
  /** Bytes by image name, with a tag. */
  images: ReadonlyMap<string, number> = new Map();

  constructor(name: string) {
    this.name = name;
  }

  setNode(node: Stored<Node> | undefined): void {
    this.node = node;
    this.labels = node?.metadata.labels ?? noLabels;
    this.allocatable = parseResources(node?.status?.allocatable);
    this.allowedPods = quantityOf("pods", node?.status?.allocatable?.["pods"] ?? 0);
    const images = new Map<string, number>();
    for (const image of node?.status?.images ?? []) for (const name of image.names ?? []) images.set(name, image.sizeBytes ?? 0);
    this.images = images;
    this.version++;
  }

  addPod(pod: PodInfo): void {
    this.pods.set(pod.uid, pod);
    addResources(this.requested, pod.requests);
    this.scoringMilliCpu += pod.scoringMilliCpu;
    this.scoringMemory += pod.scoringMemory;
    if (hasAffinity(pod)) this.podsWithAffinity.set(pod.uid, pod);
    if (pod.requiredAntiAffinity.length > 0) this.podsWithRequiredAntiAffinity.set(pod.uid, pod);
    this.version++;
  }

  /** A newer version of a pod that counts the same: sums and version stay. */
  replacePod(pod: PodInfo): void {
    for (const map of [this.pods, this.podsWithAffinity, this.podsWithRequiredAntiAffinity])
      if (map.has(pod.uid)) map.set(pod.uid, pod);
  }

  removePod(uid: string): PodInfo | undefined {
    const pod = this.pods.get(uid);
    if (pod === undefined) return undefined;
    this.pods.delete(uid);
    this.podsWithAffinity.delete(uid);
    this.podsWithRequiredAntiAffinity.delete(uid);
    addResources(this.requested, pod.requests, -1);
    this.scoringMilliCpu -= pod.scoringMilliCpu;
    this.scoringMemory -= pod.scoringMemory;
    this.version++;
    return pod;
  }

  /** Whether one of `ports` is taken. An address of 0.0.0.0 stands for every address. */
  hasPortConflict(ports: readonly HostPort[]): boolean {
    if (ports.length === 0) return false;
    for (const pod of this.pods.values()) {
      for (const taken of pod.hostPorts) if (ports.some((port) => samePort(port, taken))) return true;
    }
    return false;
  }

  /** A copy on which preemption may try things. */
  clone(): NodeState {
    const copy = new NodeState(this.name);
    copy.node = this.node;
    copy.labels = this.labels;
    copy.allocatable = this.allocatable;
    copy.allowedPods = this.allowedPods;
    copy.images = this.images;
    for (const pod of this.pods.values()) copy.addPod(pod);
    return copy;
  }
}

const samePort = (a: HostPort, b: HostPort): boolean =>
  a.port === b.port && a.protocol === b.protocol && (a.hostIP === b.hostIP || a.hostIP === "0.0.0.0" || b.hostIP === "0.0.0.0");
