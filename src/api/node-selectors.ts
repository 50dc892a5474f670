// Node selectors: what a pod's node selector and node affinity ask of a node, as scheduler, kubelet and controllers read them.
import { own } from "#base";
import type { Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec } from "./types/core-v1.ts";

type Labels = Readonly<Record<string, string>>;

/** What of a node can be asked for. */
export interface SelectableNode {
  readonly name: string;
  readonly labels: Labels;
}

export const selectableNode = ({ metadata }: Node): SelectableNode => ({
  name: metadata.name ?? "",
  labels: metadata.labels ?? {},
});

const isInteger = (text: string): boolean => /^-?[0-9]{1,19}$/.test(text);

function requirementHolds({ key, operator, values = [] }: NodeSelectorRequirement, labels: Labels): boolean {
  const value = own(labels, key);
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
    case "Lt": {
      const [bound] = values;
      if (value === undefined || bound === undefined || !isInteger(value) || !isInteger(bound)) return false;
      return operator === "Gt" ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound);
    }
    default:
      return false;
  }
}

/** Everything that a term asks for; an empty term asks for nothing and matches no node. */
export function nodeSelectorTermMatches(term: NodeSelectorTerm, { name, labels }: SelectableNode): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  return (
    matchExpressions.every((requirement) => requirementHolds(requirement, labels)) &&
    // the only field there is
    matchFields.every(
      (requirement) => requirement.key === "metadata.name" && requirementHolds(requirement, { "metadata.name": name }),
    )
  );
}

/** Terms are alternatives. */
export const nodeSelectorMatches = (selector: NodeSelector, node: SelectableNode): boolean =>
  selector.nodeSelectorTerms.some((term) => nodeSelectorTermMatches(term, node));

/** `nodeSelector` and required node affinity together. */
export function podAllowsNode(spec: PodSpec | undefined, node: SelectableNode): boolean {
  const wanted = spec?.nodeSelector;
  if (wanted !== undefined) for (const key in wanted) if (own(node.labels, key) !== wanted[key]) return false;
  const required = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || nodeSelectorMatches(required, node);
}
