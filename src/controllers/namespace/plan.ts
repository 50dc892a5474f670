// What is said and done about a namespace that is being deleted: pure.
import type { Namespace, NamespaceCondition, ResourceType } from "#api";
import { qualified } from "#api";
import { rfc3339 } from "#client";
import { setCondition } from "../shared/conditions.ts";

/** What one sweep over a namespace's content found. */
export interface Sweep {
  readonly discoveryFailures: readonly string[];
  readonly deletionFailures: readonly string[];
  /** Objects left of each resource that has some. */
  readonly remaining: readonly { readonly type: ResourceType; readonly count: number }[];
  /** Objects that wait for each finalizer. */
  readonly finalizers: ReadonlyMap<string, number>;
}

/** Pods first: network policies and the like must stay in force until the last pod is gone (CVE-2024-7598, KEP-5080). */
export function stagesOf(types: readonly ResourceType[]): readonly (readonly ResourceType[])[] {
  const deletable = types.filter((type) => type.namespaced && type.verbs.includes("delete") && type.verbs.includes("list"));
  const isPod = (type: ResourceType): boolean => type.group === "" && type.plural === "pods";
  return [deletable.filter(isPod), deletable.filter((type) => !isPod(type))];
}

export const isEmpty = (sweep: Sweep): boolean =>
  sweep.discoveryFailures.length + sweep.deletionFailures.length + sweep.remaining.length === 0;

/** Upstream's five conditions. Those that never were true are not mentioned until something was found to remain. */
export function conditionsAfter(namespace: Namespace, sweep: Sweep, nowMs: number): readonly NamespaceCondition[] {
  const remaining = sweep.remaining.map(({ type, count }) => `${qualified(type)} has ${count} resource instances`).sort();
  const waiting = [...sweep.finalizers].map(([finalizer, count]) => `${finalizer} in ${count} resource instances`).sort();
  const rows: readonly [type: string, bad: boolean, reason: string, message: string][] = [
    sweep.discoveryFailures.length > 0
      ? [
          "NamespaceDeletionDiscoveryFailure",
          true,
          "DiscoveryFailed",
          `Discovery failed for some groups, ${sweep.discoveryFailures.length} failing: ${sweep.discoveryFailures.join(", ")}`,
        ]
      : ["NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered", "All resources successfully discovered"],
    ["NamespaceDeletionGroupVersionParsingFailure", false, "ParsedGroupVersions", "All legacy kube types successfully parsed"],
    sweep.deletionFailures.length > 0
      ? [
          "NamespaceDeletionContentFailure",
          true,
          "ContentDeletionFailed",
          `Failed to delete all resource types, ${sweep.deletionFailures.length} remaining: ${sweep.deletionFailures.join(", ")}`,
        ]
      : [
          "NamespaceDeletionContentFailure",
          false,
          "ContentDeleted",
          "All content successfully deleted, may be waiting on finalization",
        ],
    remaining.length > 0
      ? ["NamespaceContentRemaining", true, "SomeResourcesRemain", `Some resources are remaining: ${remaining.join(", ")}`]
      : ["NamespaceContentRemaining", false, "ContentRemoved", "All content successfully removed"],
    waiting.length > 0
      ? [
          "NamespaceFinalizersRemaining",
          true,
          "SomeFinalizersRemain",
          `Some content in the namespace has finalizers remaining: ${waiting.join(", ")}`,
        ]
      : ["NamespaceFinalizersRemaining", false, "ContentHasNoFinalizers", "All content-preserving finalizers finished"],
  ];
  let conditions = namespace.status?.conditions ?? [];
  for (const [type, bad, reason, message] of rows) {
    const old = conditions.find((condition) => condition.type === type);
    const next: NamespaceCondition = {
      type,
      status: bad ? "True" : "False",
      reason,
      message,
      lastTransitionTime: rfc3339(nowMs),
    };
    // What remains changes while status and reason do not: the message must follow.
    if (old !== undefined && old.status === next.status && old.reason === reason)
      conditions =
        old.message === message
          ? conditions
          : conditions.map((condition) => (condition === old ? { ...old, message } : condition));
    else conditions = setCondition(conditions, next);
  }
  return conditions;
}
