// Which pods nobody else will remove: of vanished nodes, never scheduled but deleted, on nodes out of service, and too many finished ones. Pure.
import type { Node, Pod, Stored } from "#api";
import { isFinished, isTerminating } from "../shared/pods.ts";
import { outOfServiceTaint } from "../shared/taints.ts";

export type Verdict =
  | { readonly kind: "keep" }
  /** Its node is not there: make sure, then delete by force. */
  | { readonly kind: "orphaned" }
  | { readonly kind: "unscheduled" }
  | { readonly kind: "outOfService" };

export function judge(pod: Pod, node: Node | undefined): Verdict {
  const name = pod.spec.nodeName ?? "";
  if (name === "") return isTerminating(pod) ? { kind: "unscheduled" } : { kind: "keep" };
  if (node === undefined) return { kind: "orphaned" };
  const ready = node.status?.conditions?.find(({ type }) => type === "Ready")?.status === "True";
  const outOfService = (node.spec?.taints ?? []).some(({ key }) => key === outOfServiceTaint);
  return isTerminating(pod) && !ready && outOfService ? { kind: "outOfService" } : { kind: "keep" };
}

/** Finished pods beyond the threshold, oldest first. Evicted ones go before others of the same age group (upstream 1.27). 0 keeps all. */
export function surplusFinished(pods: readonly Stored<Pod>[], threshold: number): readonly Stored<Pod>[] {
  if (threshold <= 0) return [];
  const finished = pods.filter((pod) => isFinished(pod) && !isTerminating(pod));
  if (finished.length <= threshold) return [];
  const evicted = (pod: Pod): number => (pod.status?.reason === "Evicted" ? 0 : 1);
  return finished
    .sort(
      (a, b) =>
        evicted(a) - evicted(b) ||
        compare(a.metadata.creationTimestamp, b.metadata.creationTimestamp) ||
        compare(a.metadata.name, b.metadata.name),
    )
    .slice(0, finished.length - threshold);
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
