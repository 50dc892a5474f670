// Pods for which preemption has made (or is making) room on a node: others of lower priority must not take it.
import type { PodInfo } from "../cluster/pod-info.ts";

export class NominatedPods {
  readonly #byNode = new Map<string, Map<string, PodInfo>>();
  readonly #nodeOf = new Map<string, string>();

  set(pod: PodInfo, nodeName: string): void {
    this.remove(pod.uid);
    if (nodeName === "") return;
    this.#nodeOf.set(pod.uid, nodeName);
    const pods = this.#byNode.get(nodeName) ?? new Map<string, PodInfo>();
    this.#byNode.set(nodeName, pods.set(pod.uid, pod));
  }

  remove(uid: string): void {
    const nodeName = this.#nodeOf.get(uid);
    if (nodeName === undefined) return;
    this.#nodeOf.delete(uid);
    const pods = this.#byNode.get(nodeName);
    pods?.delete(uid);
    if (pods?.size === 0) this.#byNode.delete(nodeName);
  }

  nodeOf(uid: string): string | undefined {
    return this.#nodeOf.get(uid);
  }

  /** Whether any pod is nominated anywhere: most of the time none is. */
  get any(): boolean {
    return this.#nodeOf.size > 0;
  }

  /** The other pods nominated to this node whose priority is at least this pod's. */
  ahead(nodeName: string, pod: PodInfo): readonly PodInfo[] {
    const pods = this.#byNode.get(nodeName);
    return pods === undefined
      ? []
      : [...pods.values()].filter((other) => other.uid !== pod.uid && other.priority >= pod.priority);
  }

  on(nodeName: string): readonly PodInfo[] {
    return [...(this.#byNode.get(nodeName)?.values() ?? [])];
  }
}
