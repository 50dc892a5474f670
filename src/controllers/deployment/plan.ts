// What a Deployment does next: create its ReplicaSet, move replicas from old to new within its bounds, tidy its history, say how far it is. Pure.
import {
  apiVersionOf,
  type Deployment,
  type DeploymentStatus,
  deepEqual,
  deployments,
  type Pod,
  type ReplicaSet,
  replicaSets,
  type Stored,
  semanticEqual,
} from "#api";
import { rfc3339 } from "#client";
import { templateHash } from "./hash.ts";
import {
  actualOf,
  type Bounds,
  boundsOf,
  byRevision,
  copiedAnnotations,
  findNew,
  hashLabel,
  historyAnnotation,
  oldestFirst,
  replicasOf,
  revisionAnnotation,
  revisionOf,
  scaleAnnotations,
  withReplicas,
} from "./replica-sets.ts";
import { isScaling, newReplicas, type Sizes, scaleAll, shrinkOld } from "./scaling.ts";
import {
  condition,
  countReplicas,
  hasDeadline,
  isComplete,
  put,
  withAvailability,
  withFailure,
  withPause,
  withProgress,
} from "./status.ts";

export type ReplicaSetWrite =
  | { readonly kind: "create"; readonly object: ReplicaSet; readonly event: string | undefined }
  | { readonly kind: "update"; readonly object: Stored<ReplicaSet>; readonly event: string | undefined }
  | { readonly kind: "delete"; readonly object: Stored<ReplicaSet> };

export interface DeploymentPlan {
  readonly writes: readonly ReplicaSetWrite[];
  /** The revision annotation to set on the Deployment. */
  readonly revision: string | undefined;
  /** Undefined when the stored one is right. */
  readonly status: DeploymentStatus | undefined;
  readonly requeueAfterMs: number | undefined;
}

export interface DeploymentFacts {
  readonly deployment: Stored<Deployment>;
  /** All ReplicaSets that the Deployment controls. */
  readonly replicaSets: readonly Stored<ReplicaSet>[];
  /** All pods of those ReplicaSets, terminating ones included. Only asked for by Recreate. */
  readonly pods: () => readonly Pod[];
  readonly nowMs: number;
}

export function planDeployment(facts: DeploymentFacts): DeploymentPlan {
  const { deployment, nowMs } = facts;
  const draft = new Draft(facts);
  draft.conditions = withPause(deployment, nowMs);
  if (deployment.metadata.deletionTimestamp !== undefined) return draft.finish(false);
  if (deployment.spec.paused === true || isScaling(deployment, facts.replicaSets)) {
    draft.updateNew();
    draft.resize(scaleAll(deployment, draft.bounds, draft.newSet, draft.old), false);
    if (deployment.spec.paused === true) draft.cleanUp();
    return draft.finish(false);
  }
  if (draft.bounds.rolling) rollingUpdate(draft);
  else recreate(draft, facts.pods);
  return draft.finish(true);
}

function rollingUpdate(draft: Draft): void {
  draft.ensureNew();
  const set = draft.newSet as ReplicaSet; // ensured
  if (replicasOf(set) !== draft.bounds.replicas) {
    const replicas =
      replicasOf(set) > draft.bounds.replicas ? draft.bounds.replicas : newReplicas(draft.bounds, draft.all, replicasOf(set));
    if (replicas !== replicasOf(set)) {
      draft.resize(new Map([[set.metadata.name ?? "", replicas]]), true);
      return; // one step at a time, as upstream: the old ones follow when this is seen
    }
  }
  const shrunk = shrinkOld(draft.bounds, set, draft.old);
  draft.resize(shrunk, true);
  if (shrunk.size === 0) draft.cleanUpWhenComplete();
}

function recreate(draft: Draft, pods: () => readonly Pod[]): void {
  draft.updateNew();
  const active = draft.old.filter((set) => replicasOf(set) > 0);
  if (active.length > 0) {
    draft.resize(new Map(active.map((set) => [set.metadata.name ?? "", 0])), true);
    return;
  }
  const newUid = draft.newSet?.metadata.uid;
  const runsOld = pods().some(
    (pod) =>
      pod.status?.phase !== "Failed" &&
      pod.status?.phase !== "Succeeded" &&
      !pod.metadata.ownerReferences?.some(({ uid }) => uid === newUid),
  );
  if (runsOld) return;
  draft.ensureNew();
  const set = draft.newSet as ReplicaSet; // ensured
  if (replicasOf(set) !== draft.bounds.replicas) draft.resize(new Map([[set.metadata.name ?? "", draft.bounds.replicas]]), true);
  draft.cleanUpWhenComplete();
}

/** The state of one planning: ReplicaSets as they will be, and the writes that make them so. */
class Draft {
  readonly bounds: Bounds;
  conditions: DeploymentStatus["conditions"];
  newSet: ReplicaSet | undefined;
  old: readonly ReplicaSet[];
  readonly #facts: DeploymentFacts;
  readonly #stored: ReadonlyMap<string, Stored<ReplicaSet>>;
  readonly #events = new Map<string, string>();
  readonly #deleted: Stored<ReplicaSet>[] = [];
  #revision: string | undefined;
  #found = false;

  constructor(facts: DeploymentFacts) {
    this.#facts = facts;
    this.bounds = boundsOf(facts.deployment);
    this.#stored = new Map(facts.replicaSets.map((set) => [set.metadata.name, set]));
    const found = findNew(facts.deployment, facts.replicaSets);
    this.newSet = found;
    this.old = oldestFirst(facts.replicaSets.filter((set) => set !== found));
  }

  get all(): readonly ReplicaSet[] {
    return this.newSet === undefined ? this.old : [...this.old, this.newSet];
  }

  /** Brings an existing new ReplicaSet's annotations and minReadySeconds up to date. */
  updateNew(): void {
    if (this.newSet === undefined || this.#found) return;
    this.#found = true;
    const { deployment, nowMs } = this.#facts;
    const { annotations, revision } = this.#annotationsFor(this.newSet);
    const minReadySeconds = deployment.spec.minReadySeconds ?? 0;
    this.newSet = {
      ...this.newSet,
      metadata: { ...this.newSet.metadata, annotations },
      spec:
        (this.newSet.spec.minReadySeconds ?? 0) === minReadySeconds ? this.newSet.spec : { ...this.newSet.spec, minReadySeconds },
    };
    this.#revision = revision;
    if (hasDeadline(deployment) && !this.conditions?.some(({ type }) => type === "Progressing"))
      this.conditions = put(
        this.conditions,
        condition("Progressing", "True", "FoundNewReplicaSet", `Found new replica set "${this.newSet.metadata.name}"`, nowMs),
      );
  }

  ensureNew(): void {
    if (this.newSet !== undefined) {
      this.updateNew();
      return;
    }
    const { deployment, nowMs } = this.#facts;
    const hash = templateHash(deployment.spec.template, deployment.status?.collisionCount ?? 0);
    const { annotations, revision } = this.#annotationsFor(undefined);
    const { template, selector } = deployment.spec;
    const labels = { ...template.metadata?.labels, [hashLabel]: hash };
    const name = `${deployment.metadata.name}-${hash}`;
    this.newSet = {
      apiVersion: apiVersionOf(replicaSets),
      kind: replicaSets.kind,
      metadata: {
        namespace: deployment.metadata.namespace,
        name,
        labels,
        annotations: { ...annotations, ...scaleAnnotations(this.bounds) },
        ownerReferences: [
          {
            apiVersion: apiVersionOf(deployments),
            kind: deployments.kind,
            name: deployment.metadata.name,
            uid: deployment.metadata.uid,
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      },
      spec: {
        replicas: newReplicas(this.bounds, this.old, 0),
        ...(deployment.spec.minReadySeconds === undefined ? {} : { minReadySeconds: deployment.spec.minReadySeconds }),
        selector: { ...selector, matchLabels: { ...selector.matchLabels, [hashLabel]: hash } },
        template: { ...template, metadata: { ...template.metadata, labels } },
      },
    };
    this.#revision = revision;
    this.#found = true;
    if (replicasOf(this.newSet) > 0) this.#events.set(name, `Scaled up replica set ${name} from 0 to ${replicasOf(this.newSet)}`);
    if (hasDeadline(deployment))
      this.conditions = put(
        this.conditions,
        condition("Progressing", "True", "NewReplicaSetCreated", `Created new replica set "${name}"`, nowMs),
      );
  }

  /** A rollout touches only what changes size; a scaling also renews the annotations of what keeps its size. */
  resize(sizes: Sizes, changedOnly: boolean): void {
    const apply = (set: ReplicaSet): ReplicaSet => {
      const name = set.metadata.name ?? "";
      const size = sizes.get(name);
      if (size === undefined || (changedOnly && size === replicasOf(set))) return set;
      if (size !== replicasOf(set)) {
        const direction = size > replicasOf(set) ? "up" : "down";
        this.#events.set(name, `Scaled ${direction} replica set ${name} from ${replicasOf(set)} to ${size}`);
      }
      return withReplicas(set, size, this.bounds);
    };
    this.old = this.old.map(apply);
    if (this.newSet !== undefined) this.newSet = apply(this.newSet);
  }

  cleanUpWhenComplete(): void {
    const { deployment } = this.#facts;
    if (isComplete(deployment, deployment.status ?? {})) this.cleanUp();
  }

  /** Deletes the oldest revisions beyond the limit; one that still has pods, or has not been seen by its controller, is kept. */
  cleanUp(): void {
    const limit = this.#facts.deployment.spec.revisionHistoryLimit;
    if (limit === undefined || limit === 2_147_483_647) return;
    const candidates = this.old.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const surplus = candidates.length - limit;
    if (surplus <= 0) return;
    for (const set of [...candidates].sort(byRevision).slice(0, surplus)) {
      const stored = this.#stored.get(set.metadata.name ?? "");
      const busy =
        actualOf(set) !== 0 || replicasOf(set) !== 0 || (set.metadata.generation ?? 0) > (set.status?.observedGeneration ?? 0);
      if (stored !== undefined && !busy) this.#deleted.push(stored);
    }
  }

  finish(rollout: boolean): DeploymentPlan {
    const { deployment, nowMs } = this.#facts;
    const counted = countReplicas(deployment, this.all, this.newSet);
    let conditions: DeploymentStatus["conditions"] = withAvailability(this.conditions, this.bounds, counted, nowMs);
    let requeueAfterMs: number | undefined;
    if (rollout) {
      const progress = withProgress(deployment, conditions, counted, this.newSet, nowMs);
      requeueAfterMs = progress.requeueAfterMs;
      conditions = withFailure(progress.conditions, this.all, this.newSet, nowMs);
    }
    const status: DeploymentStatus = { ...counted, conditions };
    return {
      writes: [
        ...this.all.flatMap((set) => this.#writeOf(set)),
        ...this.#deleted.map((object) => ({ kind: "delete", object }) as const),
      ],
      revision:
        this.#revision !== undefined && this.#revision !== deployment.metadata.annotations?.[revisionAnnotation]
          ? this.#revision
          : undefined,
      status: semanticEqual(status, deployment.status ?? {}) ? undefined : status,
      requeueAfterMs,
    };
  }

  #writeOf(set: ReplicaSet): readonly ReplicaSetWrite[] {
    const name = set.metadata.name ?? "";
    const event = this.#events.get(name);
    const stored = this.#stored.get(name);
    if (stored === undefined) return [{ kind: "create", object: set, event }];
    if (
      stored === set ||
      (deepEqual(stored.spec, set.spec) && deepEqual(stored.metadata.annotations ?? {}, set.metadata.annotations ?? {}))
    )
      return [];
    return [{ kind: "update", object: set as Stored<ReplicaSet>, event }]; // it has a stored state, so it is one
  }

  /** The new ReplicaSet always carries the highest revision; one that is used again remembers those it had. */
  #annotationsFor(set: ReplicaSet | undefined): { annotations: Record<string, string>; revision: string } {
    const { deployment } = this.#facts;
    const latest = [...this.old].sort(byRevision).at(-1);
    const highest = (latest === undefined ? 0n : revisionOf(latest)) + 1n;
    const annotations: Record<string, string> = { ...set?.metadata.annotations, ...copiedAnnotations(deployment) };
    const current = set === undefined ? 0n : revisionOf(set);
    if (current >= highest) return { annotations, revision: String(current) };
    annotations[revisionAnnotation] = String(highest);
    if (set !== undefined && current > 0n) {
      const history = annotations[historyAnnotation];
      annotations[historyAnnotation] = history === undefined || history === "" ? String(current) : `${history},${current}`;
    }
    return { annotations, revision: String(highest) };
  }
}

/** A Deployment with an empty selector would own every pod of its namespace; upstream warns and does nothing. */
export const selectsEverything = (deployment: Deployment): boolean => {
  const { matchLabels, matchExpressions } = deployment.spec.selector;
  return Object.keys(matchLabels ?? {}).length === 0 && (matchExpressions ?? []).length === 0;
};

/** The status after a hash collision: another name is tried. */
export const afterCollision = (deployment: Deployment): DeploymentStatus => ({
  ...deployment.status,
  collisionCount: (deployment.status?.collisionCount ?? 0) + 1,
});

export const creationFailed = (deployment: Deployment, newName: string, message: string, nowMs: number): DeploymentStatus => ({
  ...deployment.status,
  conditions: put(deployment.status?.conditions, {
    ...condition(
      "Progressing",
      "False",
      "ReplicaSetCreateError",
      `Failed to create new replica set "${newName}": ${message}`,
      nowMs,
    ),
    lastUpdateTime: rfc3339(nowMs),
  }),
});
