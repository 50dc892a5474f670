// Whether a pod puts up with a node's taints.
import type { Taint, Toleration } from "#api";

export const tolerates = (toleration: Toleration, taint: Taint): boolean =>
  (toleration.effect === undefined || toleration.effect === "" || toleration.effect === taint.effect) &&
  (toleration.key === undefined || toleration.key === "" || toleration.key === taint.key) &&
  (toleration.operator === "Exists" ||
    ((toleration.operator === undefined || toleration.operator === "" || toleration.operator === "Equal") &&
      (toleration.value ?? "") === (taint.value ?? "")));

export const toleratesAny = (tolerations: readonly Toleration[] | undefined, taint: Taint): boolean =>
  tolerations?.some((toleration) => tolerates(toleration, taint)) ?? false;

/** The first taint that keeps the pod off the node. */
export const firstUntolerated = (
  taints: readonly Taint[] | undefined,
  tolerations: readonly Toleration[] | undefined,
): Taint | undefined =>
  taints?.find((taint) => (taint.effect === "NoSchedule" || taint.effect === "NoExecute") && !toleratesAny(tolerations, taint));
