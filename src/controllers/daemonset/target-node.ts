// Which node a pod of a DaemonSet is for: its affinity names one until it is bound.
import type { PodSpec } from "#api";

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
