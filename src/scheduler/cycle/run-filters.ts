// One node through the filters: the first refusal counts.
import type { NodeState } from "../cluster/node-state.ts";
import type { PodInfo } from "../cluster/pod-info.ts";
import type { CycleState } from "../framework/cycle-state.ts";
import type { Profile } from "../framework/profile.ts";
import { by, success, type Verdict } from "../framework/verdict.ts";
import type { NominatedPods } from "../queue/nominated.ts";

export function runFilters(filters: Profile["filter"], pod: PodInfo, node: NodeState, cycle: CycleState): Verdict {
  for (const plugin of filters) {
    if (cycle.skipFilter.has(plugin.name)) continue;
    const verdict = plugin.filter(pod, node, cycle);
    if (verdict.code !== "Success") return by(plugin.name, verdict);
  }
  return success;
}

/**
 * With pods of the same or higher priority nominated to the node, the pod must fit both with them there (they are about to come) and
 * without them (they may not come, and the pod may have been counting on their company).
 */
export function runFiltersWithNominated(
  profile: Profile,
  nominated: NominatedPods,
  pod: PodInfo,
  node: NodeState,
  cycle: CycleState,
): Verdict {
  const ahead = nominated.any ? nominated.ahead(node.name, pod) : [];
  if (ahead.length > 0) {
    const crowded = node.clone();
    const tried = cycle.clone();
    for (const other of ahead) {
      if (crowded.pods.has(other.uid)) continue;
      crowded.addPod(other);
      for (const plugin of profile.preFilter) plugin.podAdded?.(pod, other, crowded, tried);
    }
    const verdict = runFilters(profile.filter, pod, crowded, tried);
    if (verdict.code !== "Success") return verdict;
  }
  return runFilters(profile.filter, pod, node, cycle);
}
