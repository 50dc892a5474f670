// TaintToleration: untolerated NoSchedule and NoExecute taints refuse, PreferNoSchedule taints lower the score.
import type { Node, Toleration } from "#api";
import type { Plugin } from "../framework/plugin.ts";
import { success, unresolvable } from "../framework/verdict.ts";
import { normalizeToHundred } from "./normalize.ts";
import { firstUntolerated, toleratesAny } from "./taints.ts";

/** Upstream no longer names the taint (kubernetes/kubernetes#134740). */
const untolerated = unresolvable("node(s) had untolerated taint(s)");

const forPreferences = (tolerations: readonly Toleration[] | undefined): readonly Toleration[] =>
  tolerations?.filter(({ effect }) => effect === undefined || effect === "" || effect === "PreferNoSchedule") ?? [];

export const taintToleration = {
  name: "TaintToleration",
  requeueOn: [
    { resource: "nodes", action: "Add" },
    {
      resource: "nodes",
      action: "Update",
      when: ({ pod }, { after }) => firstUntolerated((after as Node).spec?.taints, pod.spec?.tolerations) === undefined,
    },
  ],
  signature: ({ pod }) => JSON.stringify(pod.spec?.tolerations ?? []),
  filter: ({ pod }, node) =>
    firstUntolerated(node.node?.spec?.taints, pod.spec?.tolerations) === undefined ? success : untolerated,
  score: ({ pod }, node) => {
    const taints = node.node?.spec?.taints;
    if (taints === undefined || taints.length === 0) return 0;
    const tolerations = forPreferences(pod.spec?.tolerations);
    return taints.filter((taint) => taint.effect === "PreferNoSchedule" && !toleratesAny(tolerations, taint)).length;
  },
  normalize: (_pod, scores) => normalizeToHundred(scores, true),
} as const satisfies Plugin;
