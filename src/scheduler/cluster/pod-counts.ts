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
  readonly domains: Map<string, Domains>;
}

/** Sums over the nodes that have all of `keys`, by the value of `topologyKey`. */
interface Domains {
  readonly keys: readonly string[];
  readonly topologyKey: string;
  readonly sums: Map<string, number>;
  labels: number;
}

/** What the counts depend on beside pods: numbers that change when slots, or labels of nodes, do. */
export interface NodesVersion {
  readonly layout: number;
  readonly labels: number;
}

/** So many selectors are kept; the one not asked for the longest goes first. */
const maxCounters = 512;

export class PodCounts {
  readonly #counters = new Map<string, Counter>();
  readonly #byNamespace = new Map<string, Set<Counter>>();

  /** Pods that are being deleted are not counted (upstream's topology spread does not either). The array is live: do not keep it. */
  of(namespace: string, selector: Selector, nodes: readonly NodeState[], version: NodesVersion): Int32Array {
    return this.#counter(namespace, selector, nodes, version).counts;
  }

  /** The same, summed up by domain; domains without pods are there with 0. The map is live: do not keep it. */
  domains(
    namespace: string,
    selector: Selector,
    topologyKey: string,
    keys: readonly string[],
    nodes: readonly NodeState[],
    version: NodesVersion,
  ): ReadonlyMap<string, number> {
    const counter = this.#counter(namespace, selector, nodes, version);
    const name = `${topologyKey} ${keys.join(" ")}`;
    let domains = counter.domains.get(name);
    if (domains?.labels === version.labels) return domains.sums;
    domains ??= { keys, topologyKey, sums: new Map(), labels: -1 };
    domains.labels = version.labels;
    domains.sums.clear();
    for (const node of nodes) addTo(domains, node, counter.counts[node.slot] ?? 0);
    counter.domains.set(name, domains);
    return domains.sums;
  }

  #counter(namespace: string, selector: Selector, nodes: readonly NodeState[], version: NodesVersion): Counter {
    const key = `${namespace}/${selector === "nothing" ? "!" : selectorText(selector)}`;
    let counter = this.#counters.get(key);
    if (counter === undefined) {
      counter = { key, namespace, selector, counts: new Int32Array(0), layout: -1, domains: new Map() };
      const ofNamespace = this.#byNamespace.get(namespace) ?? new Set();
      this.#byNamespace.set(namespace, ofNamespace.add(counter));
      if (this.#counters.size >= maxCounters) this.#evictOldest();
    } else {
      this.#counters.delete(key); // to the young end
    }
    this.#counters.set(key, counter);
    if (counter.layout !== version.layout) count(counter, nodes, version.layout);
    return counter;
  }

  changed(pod: PodInfo, node: NodeState, by: 1 | -1): void {
    if (node.slot < 0 || pod.pod.metadata.deletionTimestamp !== undefined) return;
    for (const counter of this.#byNamespace.get(pod.namespace) ?? []) {
      if (node.slot < counter.counts.length && selectorMatches(counter.selector, pod.labels)) {
        counter.counts[node.slot] = (counter.counts[node.slot] as number) + by; // slot < length
        for (const domains of counter.domains.values()) addTo(domains, node, by);
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

function addTo({ keys, topologyKey, sums }: Domains, node: NodeState, by: number): void {
  for (const key of keys) if (node.labels[key] === undefined) return;
  const value = node.labels[topologyKey];
  if (value !== undefined) sums.set(value, (sums.get(value) ?? 0) + by);
}

function count(counter: Counter, nodes: readonly NodeState[], layout: number): void {
  counter.counts = new Int32Array(nodes.length);
  counter.layout = layout;
  counter.domains.clear();
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
