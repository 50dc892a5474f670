// Node selectors: terms of a required or preferred node affinity, matched against labels and the name.
import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod } from "#api";
import type { NodeState } from "../cluster/node-state.ts";

function requirementMatches(
  { key, operator, values = [] }: NodeSelectorRequirement,
  labels: Readonly<Record<string, string>>,
): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
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

const isInteger = (text: string): boolean => /^-?[0-9]{1,19}$/.test(text);

/** An empty term matches no node. */
export function termMatchesNode(term: NodeSelectorTerm, node: NodeState): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length === 0 && fields.length === 0) return false;
  return (
    expressions.every((requirement) => requirementMatches(requirement, node.labels)) &&
    fields.every(
      (requirement) => requirement.key === "metadata.name" && requirementMatches(requirement, { "metadata.name": node.name }),
    )
  );
}

/** Terms are alternatives. */
export const nodeSelectorMatches = (selector: NodeSelector, node: NodeState): boolean =>
  selector.nodeSelectorTerms.some((term) => termMatchesNode(term, node));

/** `nodeSelector` and required node affinity together. */
export function podWantsNode(pod: Pod, node: NodeState): boolean {
  const selector = pod.spec?.nodeSelector;
  if (selector !== undefined) for (const key in selector) if (node.labels[key] !== selector[key]) return false;
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || nodeSelectorMatches(required, node);
}
