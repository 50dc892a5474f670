// Taints that controllers set from a node's state, and how pods tolerate them.
import type { Node, Pod, Taint, Toleration } from "#api";

export const notReadyTaint = "node.kubernetes.io/not-ready";
export const unreachableTaint = "node.kubernetes.io/unreachable";
export const unschedulableTaint = "node.kubernetes.io/unschedulable";
export const outOfServiceTaint = "node.kubernetes.io/out-of-service";

export const sameTaint = (a: Taint, b: Taint): boolean => a.key === b.key && a.effect === b.effect;

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== undefined && toleration.effect !== "" && toleration.effect !== taint.effect) return false;
  const key = toleration.key ?? "";
  if (key !== "" && key !== taint.key) return false;
  if (toleration.operator === "Exists") return true;
  return key !== "" && (toleration.operator ?? "Equal") !== "Exists" && (toleration.value ?? "") === (taint.value ?? "");
}

export const noExecuteTaints = (node: Node | undefined): readonly Taint[] =>
  (node?.spec?.taints ?? []).filter(({ effect }) => effect === "NoExecute");

/**
 * How long the pod may stay under these NoExecute taints: undefined for ever, 0 not at all, else seconds
 * (the shortest tolerationSeconds among the tolerations that match).
 */
export function toleratedSeconds(pod: Pod, taints: readonly Taint[]): number | undefined {
  const used: Toleration[] = [];
  for (const taint of taints) {
    const matching = (pod.spec.tolerations ?? []).filter((toleration) => tolerates(toleration, taint));
    if (matching.length === 0) return 0;
    used.push(...matching.slice(0, 1));
  }
  const limits = used.flatMap(({ tolerationSeconds }) =>
    tolerationSeconds === undefined ? [] : [Math.max(0, tolerationSeconds)],
  );
  return limits.length === 0 ? undefined : Math.min(...limits);
}
