// How many pods of a namespace match a selector, node by node; kept up to date with every pod instead of counted anew for each decision.
import { type Selector, selectorMatches, selectorText } from "#api";
import type { NodeState } from "./node-state.ts";
import type { PodInfo } from "./pod-info.ts";

interface Counter {
  readonly key: string;
  readonly namespace: string;
  readonly selector: Selector;
  /** By slot of the node. */
  counts: Int32Array;
  layout: number;
}

/** So many selectors are kept; the one not asked for the longest goes first. */
const maxCounters = 512;

export class PodCounts {
  readonly #counters = new Map<string, Counter>();
  readonly #byNamespace = new Map<string, Set<Counter>>();

  /** Pods that are being deleted are not counted (upstream's topology spread does not either). The array is live: do not keep it. */
  of(namespace: string, selector: Selector, nodes: readonly NodeState[], layout: number): Int32Array {
    const key = `${namespace}/${selector === "nothing" ? "!" : selectorText(selector)}`;
    let counter = this.#counters.get(key);
    if (counter === undefined) {
      counter = { key, namespace, selector, counts: new Int32Array(0), layout: -1 };
      const ofNamespace = this.#byNamespace.get(namespace) ?? new Set();
      this.#byNamespace.set(namespace, ofNamespace.add(counter));
      if (this.#counters.size >= maxCounters) this.#evictOldest();
    } else {
      this.#counters.delete(key); // to the young end
    }
    this.#counters.set(key, counter);
    if (counter.layout !== layout) count(counter, nodes, layout);
    return counter.counts;
  }

  changed(pod: PodInfo, node: NodeState, by: 1 | -1): void {
    if (node.slot < 0 || pod.pod.metadata.deletionTimestamp !== undefined) return;
    for (const counter of this.#byNamespace.get(pod.namespace) ?? []) {
      if (node.slot < counter.counts.length && selectorMatches(counter.selector, pod.labels)) {
        counter.counts[node.slot] = (counter.counts[node.slot] as number) + by; // slot < length
      }
    }
  }

  #evictOldest(): void {
    for (const [key, counter] of this.#counters) {
      this.#counters.delete(key);
      this.#byNamespace.get(counter.namespace)?.delete(counter);
      return;
    }
  }
}

function count(counter: Counter, nodes: readonly NodeState[], layout: number): void {
  counter.counts = new Int32Array(nodes.length);
  counter.layout = layout;
  for (const node of nodes) {
    let matching = 0;
    for (const pod of node.pods.values()) {
      if (
        pod.namespace === counter.namespace &&
        pod.pod.metadata.deletionTimestamp === undefined &&
        selectorMatches(counter.selector, pod.labels)
      )
        matching++;
    }
    counter.counts[node.slot] = matching;
  }
}
