// The nodes and the pods on them, as the last events and our own unconfirmed decisions have it.
import type { Node, Pod, Selector, Stored } from "#api";
import { assert } from "#base";
import { NodeState } from "./node-state.ts";
import { PodCounts } from "./pod-counts.ts";
import type { PodInfo } from "./pod-info.ts";

interface Placed {
  pod: PodInfo;
  readonly node: NodeState;
  /** Ours, and not yet seen through the informer. */
  assumed: boolean;
}

/**
 * A decision counts at once (`assume`) and is confirmed by the informer's event of the bound pod; there is no expiry: it ends by that event, by the pod's
 * deletion, or by `forget` when binding failed.
 */
export class ClusterCache {
  readonly #states = new Map<string, NodeState>();
  readonly #nodes: NodeState[] = [];
  readonly #pods = new Map<string, Placed>();
  readonly #counts = new PodCounts();
  readonly #imageNodes = new Map<string, number>();
  readonly #affinityNodes = new Set<NodeState>();
  readonly #antiAffinityNodes = new Set<NodeState>();
  #layout = 0;
  /** Changes when labels of nodes do. */
  #labels = 0;

  /** Nodes that the API has, in the order of their slots. */
  get nodes(): readonly NodeState[] {
    return this.#nodes;
  }

  /** Changes when slots change hands: arrays indexed by slot are void then. */
  get layout(): number {
    return this.#layout;
  }

  get podCount(): number {
    return this.#pods.size;
  }

  /** Nodes with a pod that has any (anti-)affinity term. */
  get nodesWithAffinity(): ReadonlySet<NodeState> {
    return this.#affinityNodes;
  }

  get nodesWithRequiredAntiAffinity(): ReadonlySet<NodeState> {
    return this.#antiAffinityNodes;
  }

  node(name: string): NodeState | undefined {
    const state = this.#states.get(name);
    return state?.node === undefined ? undefined : state;
  }

  setNode(node: Stored<Node>): void {
    const name = node.metadata.name;
    const state = this.#stateOf(name);
    this.#countImages(state, -1);
    if (JSON.stringify(state.labels) !== JSON.stringify(node.metadata.labels ?? {})) this.#labels++;
    state.setNode(node);
    this.#countImages(state, 1);
    if (state.slot < 0) {
      state.slot = this.#nodes.length;
      this.#nodes.push(state);
      this.#layout++;
      this.#labels++;
    }
  }

  removeNode(name: string): void {
    const state = this.#states.get(name);
    if (state === undefined || state.slot < 0) return;
    this.#countImages(state, -1);
    this.#nodes.splice(state.slot, 1);
    for (let slot = state.slot; slot < this.#nodes.length; slot++) (this.#nodes[slot] as NodeState).slot = slot; // slot < length
    state.slot = -1;
    state.setNode(undefined);
    this.#layout++;
    this.#labels++;
    this.#dropIfEmpty(state);
  }

  /** Where the pod is counted, if anywhere. */
  placeOf(uid: string): { readonly nodeName: string; readonly assumed: boolean } | undefined {
    const placed = this.#pods.get(uid);
    return placed === undefined ? undefined : { nodeName: placed.node.name, assumed: placed.assumed };
  }

  podOf(uid: string): PodInfo | undefined {
    return this.#pods.get(uid)?.pod;
  }

  assume(pod: PodInfo, nodeName: string): void {
    assert(!this.#pods.has(pod.uid), `pod "${pod.key}" is placed once`);
    this.#place(pod, nodeName, true);
  }

  forget(uid: string): void {
    if (this.#pods.get(uid)?.assumed === true) this.removePod(uid);
  }

  /** A pod with a node, as the API has it now: new, changed, or the confirmation of an assumed one. */
  setPod(pod: PodInfo): void {
    this.removePod(pod.uid);
    this.#place(pod, pod.pod.spec?.nodeName ?? "", false);
  }

  /** News of a pod that is counted already and counts the same as before: nothing that was computed becomes void. */
  confirm(pod: Stored<Pod>): void {
    const placed = this.#pods.get(pod.metadata.uid);
    if (placed === undefined) return;
    placed.assumed = false;
    placed.pod = { ...placed.pod, pod };
    placed.node.replacePod(placed.pod);
  }

  /** The pod as it was counted, if it was. */
  removePod(uid: string): PodInfo | undefined {
    const placed = this.#pods.get(uid);
    if (placed === undefined) return undefined;
    this.#pods.delete(uid);
    placed.node.removePod(uid);
    this.#counts.changed(placed.pod, placed.node, -1);
    this.#indexAffinity(placed.node);
    this.#dropIfEmpty(placed.node);
    return placed.pod;
  }

  /** Pods of a namespace that match, by slot of the node. Valid until the next change. */
  matchCounts(namespace: string, selector: Selector): Int32Array {
    return this.#counts.of(namespace, selector, this.#nodes, { layout: this.#layout, labels: this.#labels });
  }

  /** The same by the value of `topologyKey`, over the nodes that have all of `keys`; domains without pods are there with 0. */
  matchDomains(namespace: string, selector: Selector, topologyKey: string, keys: readonly string[]): ReadonlyMap<string, number> {
    return this.#counts.domains(namespace, selector, topologyKey, keys, this.#nodes, {
      layout: this.#layout,
      labels: this.#labels,
    });
  }

  /** How many nodes hold the image. */
  nodesWithImage(name: string): number {
    return this.#imageNodes.get(name) ?? 0;
  }

  #place(pod: PodInfo, nodeName: string, assumed: boolean): void {
    const node = this.#stateOf(nodeName);
    node.addPod(pod);
    this.#pods.set(pod.uid, { pod, node, assumed });
    this.#counts.changed(pod, node, 1);
    this.#indexAffinity(node);
  }

  #stateOf(name: string): NodeState {
    const existing = this.#states.get(name);
    if (existing !== undefined) return existing;
    const state = new NodeState(name);
    this.#states.set(name, state);
    return state;
  }

  #indexAffinity(node: NodeState): void {
    if (node.podsWithAffinity.size > 0) this.#affinityNodes.add(node);
    else this.#affinityNodes.delete(node);
    if (node.podsWithRequiredAntiAffinity.size > 0) this.#antiAffinityNodes.add(node);
    else this.#antiAffinityNodes.delete(node);
  }

  #dropIfEmpty(node: NodeState): void {
    if (node.node === undefined && node.pods.size === 0) this.#states.delete(node.name);
  }

  #countImages(node: NodeState, by: 1 | -1): void {
    for (const image of node.images.keys()) {
      const count = this.nodesWithImage(image) + by;
      if (count > 0) this.#imageNodes.set(image, count);
      else this.#imageNodes.delete(image);
    }
  }
}
