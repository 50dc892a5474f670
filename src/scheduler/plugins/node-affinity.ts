// NodeAffinity: nodeSelector and required affinity refuse, preferred affinity scores.
import {
  type Node,
  type NodeSelector,
  type NodeSelectorTerm,
  nodeSelectorMatches,
  nodeSelectorTermMatches,
  type PreferredSchedulingTerm,
  podAllowsNode,
  type Stored,
} from "#api";
import { NodeState } from "../cluster/node-state.ts";
import type { Plugin, PluginFactory } from "../framework/plugin.ts";
import { skip, success, unresolvable } from "../framework/verdict.ts";
import { normalizeToHundred } from "./normalize.ts";

const noMatch = unresolvable("node(s) didn't match Pod's node affinity/selector");
const noMatchAdded = unresolvable("node(s) didn't match scheduler-enforced node affinity");

interface AddedAffinity {
  readonly requiredDuringSchedulingIgnoredDuringExecution?: NodeSelector;
  readonly preferredDuringSchedulingIgnoredDuringExecution?: readonly PreferredSchedulingTerm[];
}

export const nodeAffinity = {
  name: "NodeAffinity",
  create: (args): Plugin => {
    const added = args["addedAffinity"] as AddedAffinity | undefined;
    const addedRequired = added?.requiredDuringSchedulingIgnoredDuringExecution;
    const addedPreferred = added?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    return {
      name: "NodeAffinity",
      requeueOn: [
        {
          resource: "nodes",
          action: "Add",
          when: ({ pod }, { after }) => podAllowsNode(pod.spec, stateOf(after as Stored<Node>)),
        },
        {
          resource: "nodes",
          action: "Update",
          when: ({ pod }, { after }) => podAllowsNode(pod.spec, stateOf(after as Stored<Node>)),
        },
      ],
      signature: ({ pod }) => JSON.stringify([pod.spec?.nodeSelector ?? null, pod.spec?.affinity?.nodeAffinity ?? null]),
      preFilter: ({ pod }) => {
        const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
        if (required === undefined && pod.spec?.nodeSelector === undefined && addedRequired === undefined)
          return { verdict: skip };
        const names = required === undefined ? undefined : namedNodes(required.nodeSelectorTerms);
        if (names?.size === 0) return { verdict: unresolvable("pod affinity terms conflict") };
        return { verdict: success, nodeNames: names };
      },
      filter: ({ pod }, node) => {
        if (addedRequired !== undefined && !nodeSelectorMatches(addedRequired, node)) return noMatchAdded;
        return podAllowsNode(pod.spec, node) ? success : noMatch;
      },
      preScore: ({ pod }) =>
        (pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).length +
          addedPreferred.length ===
        0
          ? skip
          : success,
      score: ({ pod }, node) => {
        let score = 0;
        for (const { weight, preference } of [
          ...addedPreferred,
          ...(pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []),
        ]) {
          if (weight !== 0 && nodeSelectorTermMatches(preference, node)) score += weight;
        }
        return score;
      },
      normalize: (_pod, scores) => normalizeToHundred(scores, false),
    };
  },
} as const satisfies PluginFactory;

function stateOf(node: Stored<Node>): NodeState {
  const state = new NodeState(node.metadata.name);
  state.node = node;
  state.labels = node.metadata.labels ?? {};
  return state;
}

/** The nodes that the terms name by `metadata.name`, if every term names some: how a DaemonSet's pod finds its node without a scan. */
function namedNodes(terms: readonly NodeSelectorTerm[]): ReadonlySet<string> | undefined {
  const all = new Set<string>();
  for (const term of terms) {
    let named: ReadonlySet<string> | undefined;
    for (const field of term.matchFields ?? []) {
      if (field.key !== "metadata.name" || field.operator !== "In") continue;
      const values = new Set(field.values ?? []);
      named = named === undefined ? values : named.intersection(values);
    }
    if (named === undefined) return undefined;
    for (const name of named) all.add(name);
  }
  return terms.length === 0 ? undefined : all;
}
