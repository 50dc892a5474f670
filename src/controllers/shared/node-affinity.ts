// Whether a node is one that a pod's required node affinity and node selector allow.
import { type Node, type NodeSelectorRequirement, type PodSpec, selectorMatches, setSelector } from "#api";

export function allowsNode(spec: PodSpec, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  if (!selectorMatches(setSelector(spec.nodeSelector ?? {}), labels)) return false;
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (terms === undefined) return true;
  const fields = { "metadata.name": node.metadata.name ?? "" };
  return terms.some(({ matchExpressions = [], matchFields = [] }) => {
    if (matchExpressions.length + matchFields.length === 0) return false;
    return (
      matchExpressions.every((requirement) => matches(requirement, labels)) &&
      matchFields.every((requirement) => matches(requirement, fields))
    );
  });
}

function matches({ key, operator, values = [] }: NodeSelectorRequirement, labels: Readonly<Record<string, string>>): boolean {
  const value = labels[key];
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
      return value !== undefined && Number(value) > Number(values[0]);
    case "Lt":
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return false;
  }
}

/** The node that a daemon pod is meant for, bound or not. */
export function targetNode(spec: PodSpec): string | undefined {
  if (spec.nodeName !== undefined && spec.nodeName !== "") return spec.nodeName;
  for (const { matchFields = [] } of spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
    ?.nodeSelectorTerms ?? []) {
    const name = matchFields.find(
      ({ key, operator, values }) => key === "metadata.name" && operator === "In" && values?.length === 1,
    );
    if (name?.values?.[0] !== undefined) return name.values[0];
  }
  return undefined;
}
