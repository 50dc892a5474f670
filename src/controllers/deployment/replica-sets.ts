// What the Deployment controller knows of its ReplicaSets: which is new, their revisions and annotations, their counts.
import { type Deployment, type PodTemplateSpec, type ReplicaSet, resolveFenceposts, type Stored, semanticEqual } from "#api";

export const hashLabel = "pod-template-hash";
export const revisionAnnotation = "deployment.kubernetes.io/revision";
export const historyAnnotation = "deployment.kubernetes.io/revision-history";
export const desiredAnnotation = "deployment.kubernetes.io/desired-replicas";
export const maxAnnotation = "deployment.kubernetes.io/max-replicas";
const notCopied = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  revisionAnnotation,
  historyAnnotation,
  desiredAnnotation,
  maxAnnotation,
  "deprecated.deployment.rollback.to",
]);

export const replicasOf = (set: ReplicaSet): number => set.spec.replicas ?? 1;
export const sum = (sets: readonly ReplicaSet[], of: (set: ReplicaSet) => number): number =>
  sets.reduce((total, set) => total + of(set), 0);
export const availableOf = (set: ReplicaSet): number => set.status?.availableReplicas ?? 0;
export const actualOf = (set: ReplicaSet): number => set.status?.replicas ?? 0;

/** An int64 in text: users may set one beyond 2^53. */
export function revisionOf(object: Deployment | ReplicaSet): bigint {
  const text = object.metadata.annotations?.[revisionAnnotation] ?? "";
  return /^\d{1,19}$/.test(text) ? BigInt(text) : 0n;
}

export const byRevision = (a: ReplicaSet, b: ReplicaSet): number =>
  revisionOf(a) < revisionOf(b) ? -1 : revisionOf(a) > revisionOf(b) ? 1 : 0;

export const oldestFirst = <T extends ReplicaSet>(sets: readonly T[]): readonly T[] =>
  [...sets].sort(
    (a, b) =>
      order(a.metadata.creationTimestamp ?? "", b.metadata.creationTimestamp ?? "") ||
      order(a.metadata.name ?? "", b.metadata.name ?? ""),
  );

export const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The oldest ReplicaSet with the Deployment's template: should there be two, every reconcile chooses the same. */
export const findNew = (deployment: Deployment, sets: readonly Stored<ReplicaSet>[]): Stored<ReplicaSet> | undefined =>
  oldestFirst(sets).find((set) => sameTemplate(set.spec.template ?? {}, deployment.spec.template));

/** The hash label is the controller's own addition and does not count. */
export const sameTemplate = (a: PodTemplateSpec, b: PodTemplateSpec): boolean => semanticEqual(withoutHash(a), withoutHash(b));

function withoutHash(template: PodTemplateSpec): PodTemplateSpec {
  if (template.metadata?.labels?.[hashLabel] === undefined) return template;
  const { [hashLabel]: _hash, ...labels } = template.metadata.labels;
  return { ...template, metadata: { ...template.metadata, labels } };
}

export interface Bounds {
  readonly replicas: number;
  readonly surge: number;
  readonly unavailable: number;
  readonly rolling: boolean;
}

export function boundsOf(deployment: Deployment): Bounds {
  const replicas = deployment.spec.replicas ?? 1;
  const rolling = deployment.spec.strategy?.type !== "Recreate";
  if (!rolling) return { replicas, surge: 0, unavailable: 0, rolling };
  const { maxSurge, maxUnavailable } = deployment.spec.strategy?.rollingUpdate ?? {};
  const { surge, unavailable } = resolveFenceposts(maxSurge ?? "25%", maxUnavailable ?? "25%", replicas);
  return { replicas, surge, unavailable: Math.min(unavailable, replicas), rolling };
}

/** The Deployment's own annotations go to its ReplicaSets, without bookkeeping. */
export function copiedAnnotations(deployment: Deployment): Record<string, string> {
  return Object.fromEntries(Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !notCopied.has(key)));
}

/** How many replicas were wanted when the ReplicaSet was last scaled: tells a scaling from a rollout. */
export const scaleAnnotations = (bounds: Bounds): Record<string, string> => ({
  [desiredAnnotation]: String(bounds.replicas),
  [maxAnnotation]: String(bounds.replicas + bounds.surge),
});

export const withReplicas = (set: ReplicaSet, replicas: number, bounds: Bounds): ReplicaSet => ({
  ...set,
  metadata: { ...set.metadata, annotations: { ...set.metadata.annotations, ...scaleAnnotations(bounds) } },
  spec: { ...set.spec, replicas },
});
