// InterPodAffinity: pods that want to be near other pods, or far from them, in the domains of a topology key.
import { namespaces } from "#api";
import type { NodeState } from "../cluster/node-state.ts";
import { type AffinityTerm, type PodInfo, termMatches } from "../cluster/pod-info.ts";
import type { Plugin, PluginFactory } from "../framework/plugin.ts";
import { skip, success, unresolvable, unschedulable } from "../framework/verdict.ts";

const name = "InterPodAffinity";
const noAffinityMatch = unresolvable("node(s) didn't match pod affinity rules");
const antiAffinity = unschedulable("node(s) didn't match pod anti-affinity rules");
const othersAntiAffinity = unschedulable("node(s) didn't satisfy existing pods anti-affinity rules");

/** Pods counted by domain: "key=value" of a node label. */
class DomainCounts {
  readonly counts = new Map<string, number>();

  add(topologyKey: string, node: NodeState, by: number): void {
    const value = node.labels[topologyKey];
    if (value === undefined) return;
    const domain = `${topologyKey}=${value}`;
    const count = (this.counts.get(domain) ?? 0) + by;
    if (count === 0) this.counts.delete(domain);
    else this.counts.set(domain, count);
  }

  at(topologyKey: string, node: NodeState): number {
    const value = node.labels[topologyKey];
    return value === undefined ? 0 : (this.counts.get(`${topologyKey}=${value}`) ?? 0);
  }

  clone(): DomainCounts {
    const copy = new DomainCounts();
    for (const [domain, count] of this.counts) copy.counts.set(domain, count);
    return copy;
  }
}

class FilterState {
  /** Terms of other pods that this pod would break. */
  others: DomainCounts = new DomainCounts();
  /** Pods that match all of this pod's affinity terms. */
  affinity: DomainCounts = new DomainCounts();
  /** Pods that match any of its anti-affinity terms. */
  anti: DomainCounts = new DomainCounts();

  clone(): FilterState {
    const copy = new FilterState();
    copy.others = this.others.clone();
    copy.affinity = this.affinity.clone();
    copy.anti = this.anti.clone();
    return copy;
  }
}

type NamespaceLabels = (namespace: string) => Readonly<Record<string, string>> | undefined;

export const interPodAffinity = {
  name,
  create: (args, { cluster, watch }): Plugin => {
    const hardWeight = (args["hardPodAffinityWeight"] as number | undefined) ?? 1;
    const ignorePreferredOfOthers = args["ignorePreferredTermsOfExistingPods"] === true;
    const namespaceInformer = watch(namespaces);
    const labelsOf: NamespaceLabels = (namespace) => {
      const found = namespaceInformer.get(namespace);
      return found === undefined ? undefined : (found.metadata.labels ?? {});
    };

    const count = (state: FilterState, pod: PodInfo, other: PodInfo, node: NodeState, by: 1 | -1): void => {
      for (const term of other.requiredAntiAffinity)
        if (termMatches(term, pod, labelsOf)) state.others.add(term.topologyKey, node, by);
      if (pod.requiredAffinity.length > 0 && matchesAll(pod.requiredAffinity, other, labelsOf)) {
        for (const term of pod.requiredAffinity) state.affinity.add(term.topologyKey, node, by);
      }
      for (const term of pod.requiredAntiAffinity)
        if (termMatches(term, other, labelsOf)) state.anti.add(term.topologyKey, node, by);
    };

    return {
      name,
      requeueOn: [
        {
          resource: "pods",
          action: "Add",
          when: (pod, event) => event.pod !== undefined && matchesAny(pod.requiredAffinity, event.pod, labelsOf),
        },
        {
          resource: "pods",
          action: "Update",
          when: (pod, event) => event.pod !== undefined && wantsOrAvoids(pod, event.pod, labelsOf),
        },
        { resource: "pods", action: "Delete", when: (pod, event) => event.pod !== undefined && avoids(pod, event.pod, labelsOf) },
        { resource: "nodes", action: "Add" },
        { resource: "nodes", action: "Update" },
        { resource: "namespaces", action: "Add" },
        { resource: "namespaces", action: "Update" },
      ],
      preFilter: (pod, cycle, nodes) => {
        const state = new FilterState();
        const ownTerms = pod.requiredAffinity.length + pod.requiredAntiAffinity.length > 0;
        for (const node of cluster.nodesWithRequiredAntiAffinity) {
          if (node.node === undefined) continue;
          for (const other of node.podsWithRequiredAntiAffinity.values()) {
            for (const term of other.requiredAntiAffinity)
              if (termMatches(term, pod, labelsOf)) state.others.add(term.topologyKey, node, 1);
          }
        }
        if (!ownTerms && state.others.counts.size === 0) return { verdict: skip };
        if (ownTerms) {
          for (const node of nodes) {
            for (const other of node.pods.values()) {
              if (pod.requiredAffinity.length > 0 && matchesAll(pod.requiredAffinity, other, labelsOf))
                for (const term of pod.requiredAffinity) state.affinity.add(term.topologyKey, node, 1);
              for (const term of pod.requiredAntiAffinity)
                if (termMatches(term, other, labelsOf)) state.anti.add(term.topologyKey, node, 1);
            }
          }
        }
        cycle.set(name, state);
        return { verdict: success };
      },
      podAdded: (pod, other, node, cycle) => {
        const state = cycle.get<FilterState>(name);
        if (state !== undefined) count(state, pod, other, node, 1);
      },
      podRemoved: (pod, other, node, cycle) => {
        const state = cycle.get<FilterState>(name);
        if (state !== undefined) count(state, pod, other, node, -1);
      },
      filter: (pod, node, cycle) => {
        const state = cycle.get<FilterState>(name) as FilterState; // preFilter set it or said Skip
        if (!affinityHolds(state, pod, node, labelsOf)) return noAffinityMatch;
        for (const term of pod.requiredAntiAffinity) if (state.anti.at(term.topologyKey, node) > 0) return antiAffinity;
        if (state.others.counts.size > 0) {
          for (const key in node.labels) if (state.others.at(key, node) > 0) return othersAntiAffinity;
        }
        return success;
      },
      preScore: (pod, cycle, nodes) => {
        const ownTerms = pod.preferredAffinity.length + pod.preferredAntiAffinity.length > 0;
        if (!ownTerms && (ignorePreferredOfOthers || cluster.nodesWithAffinity.size === 0)) return skip;
        const weights = new DomainCounts();
        const look = (node: NodeState, other: PodInfo): void => {
          for (const term of pod.preferredAffinity)
            if (termMatches(term, other, labelsOf)) weights.add(term.topologyKey, node, term.weight);
          for (const term of pod.preferredAntiAffinity)
            if (termMatches(term, other, labelsOf)) weights.add(term.topologyKey, node, -term.weight);
          if (hardWeight > 0)
            for (const term of other.requiredAffinity)
              if (termMatches(term, pod, labelsOf)) weights.add(term.topologyKey, node, hardWeight);
          if (ignorePreferredOfOthers) return;
          for (const term of other.preferredAffinity)
            if (termMatches(term, pod, labelsOf)) weights.add(term.topologyKey, node, term.weight);
          for (const term of other.preferredAntiAffinity)
            if (termMatches(term, pod, labelsOf)) weights.add(term.topologyKey, node, -term.weight);
        };
        if (ownTerms) {
          for (const node of cluster.nodes) for (const other of node.pods.values()) look(node, other);
        } else {
          for (const node of cluster.nodesWithAffinity)
            if (node.node !== undefined) for (const other of node.podsWithAffinity.values()) look(node, other);
        }
        if (weights.counts.size === 0 || nodes.length === 0) return skip;
        const keys = new Set([...weights.counts.keys()].map((domain) => domain.slice(0, domain.indexOf("="))));
        cycle.set(`${name}/score`, { weights, keys });
        return success;
      },
      score: (_pod, node, cycle) => {
        const { weights, keys } = cycle.get<{ weights: DomainCounts; keys: ReadonlySet<string> }>(`${name}/score`) ?? {
          weights: new DomainCounts(),
          keys: new Set<string>(),
        };
        let score = 0;
        for (const key of keys) score += weights.at(key, node);
        return score;
      },
      normalize: (_pod, scores) => {
        let min = Number.POSITIVE_INFINITY;
        let max = Number.NEGATIVE_INFINITY;
        for (const score of scores) {
          min = Math.min(min, score);
          max = Math.max(max, score);
        }
        for (let i = 0; i < scores.length; i++)
          scores[i] = max === min ? 0 : Math.floor((100 * ((scores[i] as number) - min)) / (max - min)); // i < length
      },
    };
  },
} as const satisfies PluginFactory;

/** Every term needs a matching pod in the node's domain; the first pod of a group that would match itself may go anywhere. */
function affinityHolds(state: FilterState, pod: PodInfo, node: NodeState, labelsOf: NamespaceLabels): boolean {
  let missing = false;
  for (const { topologyKey } of pod.requiredAffinity) {
    if (node.labels[topologyKey] === undefined) return false;
    if (state.affinity.at(topologyKey, node) <= 0) missing = true;
  }
  return !missing || (state.affinity.counts.size === 0 && matchesAll(pod.requiredAffinity, pod, labelsOf));
}

const matchesAll = (terms: readonly AffinityTerm[], other: PodInfo, labelsOf: NamespaceLabels): boolean =>
  terms.every((term) => termMatches(term, other, labelsOf));
const matchesAny = (terms: readonly AffinityTerm[], other: PodInfo, labelsOf: NamespaceLabels): boolean =>
  terms.some((term) => termMatches(term, other, labelsOf));

const avoids = (pod: PodInfo, other: PodInfo, labelsOf: NamespaceLabels): boolean =>
  matchesAny(pod.requiredAntiAffinity, other, labelsOf) || matchesAny(other.requiredAntiAffinity, pod, labelsOf);

const wantsOrAvoids = (pod: PodInfo, other: PodInfo, labelsOf: NamespaceLabels): boolean =>
  matchesAny(pod.requiredAffinity, other, labelsOf) || avoids(pod, other, labelsOf) || pod.requiredAntiAffinity.length > 0;
