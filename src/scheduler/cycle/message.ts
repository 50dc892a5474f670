// Why a pod stays Pending, in the words people know.
import type { Diagnosis } from "../framework/plugin.ts";
import type { Rejected } from "../framework/verdict.ts";

export const noNodesMessage = "no nodes available to schedule pods";

/** "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable. preemption: ..." */
export function fitErrorMessage(diagnosis: Diagnosis, postFilterMessage: string): string {
  let text = `0/${diagnosis.nodeCount} nodes are available`;
  if (diagnosis.preFilterMessage !== "") text += `: ${diagnosis.preFilterMessage}.`;
  else {
    const histogram = reasonCounts(diagnosis);
    if (histogram.length > 0) text += `: ${histogram.join(", ")}.`;
  }
  return postFilterMessage === "" ? text : `${text} ${postFilterMessage}`;
}

function reasonCounts({ nodeCount, rejections, absent }: Diagnosis): readonly string[] {
  const counts = new Map<string, number>();
  const count = (verdict: Rejected, times: number): void => {
    for (const reason of verdict.reasons) counts.set(reason, (counts.get(reason) ?? 0) + times);
  };
  for (const verdict of rejections.values()) count(verdict, 1);
  if (absent !== undefined && nodeCount > rejections.size) count(absent, nodeCount - rejections.size);
  return [...counts].map(([reason, times]) => `${times} ${reason}`).sort();
}
