// Which nodes run a DaemonSet's pod, which pods are created, deleted and replaced, and its status: pure.
import {
  type DaemonSet,
  type DaemonSetStatus,
  daemonSets,
  type Node,
  type Pod,
  type PodSpec,
  podAllowsNode,
  type Stored,
  scaledValue,
  selectableNode,
  semanticEqual,
  type Toleration,
} from "#api";
import { controllerReference } from "#client";
import { podFromTemplate } from "../replicaset/plan.ts";
import { availableAtMs, isAvailable, isReady, isTerminating } from "../shared/pods.ts";
import { revisionHashLabel } from "../shared/revisions.ts";
import { tolerates } from "../shared/taints.ts";
import { targetNode } from "./target-node.ts";

const burst = 250;
const generationLabel = "pod-template-generation";
const generationAnnotation = "deprecated.daemonset.template.generation";

export interface DaemonFacts {
  readonly daemonSet: Stored<DaemonSet>;
  readonly nodes: readonly Stored<Node>[];
  /** Pods that the DaemonSet controls. */
  readonly pods: readonly Stored<Pod>[];
  /** Hash of the present template's revision. */
  readonly hash: string;
  /** False while a failed pod of this node is to wait before it is replaced. */
  readonly mayRetry: (node: string) => boolean;
  readonly nowMs: number;
}

export interface DaemonPlan {
  readonly create: readonly Pod[];
  readonly remove: readonly Stored<Pod>[];
  /** Failed and finished pods among `remove`, by node: they are told as events, and failures pause. */
  readonly ended: readonly { readonly node: string; readonly pod: Stored<Pod> }[];
  readonly status: DaemonSetStatus | undefined;
  readonly requeueAfterMs: number | undefined;
}

/** Daemons stay on nodes that others leave. */
const ownTolerations: readonly Toleration[] = [
  { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute" },
  { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute" },
  { key: "node.kubernetes.io/disk-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/memory-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/pid-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/unschedulable", operator: "Exists", effect: "NoSchedule" },
];
const hostNetworkToleration: Toleration = {
  key: "node.kubernetes.io/network-unavailable",
  operator: "Exists",
  effect: "NoSchedule",
};

function tolerationsOf(spec: PodSpec): readonly Toleration[] {
  const added = [...ownTolerations, ...(spec.hostNetwork === true ? [hostNetworkToleration] : [])];
  return [...(spec.tolerations ?? []).filter((mine) => !added.some((other) => semanticEqual(mine, other))), ...added];
}

/** `run`: a pod belongs here. `stay`: one that is here may remain. */
function eligibility(daemonSet: DaemonSet, node: Node): { readonly run: boolean; readonly stay: boolean } {
  const spec = daemonSet.spec.template.spec;
  if (
    spec === undefined ||
    !podAllowsNode(spec, selectableNode(node)) ||
    ((spec.nodeName ?? "") !== "" && spec.nodeName !== node.metadata.name)
  )
    return { run: false, stay: false };
  const tolerations = tolerationsOf(spec);
  const untolerated = (node.spec?.taints ?? []).filter(
    (taint) => taint.effect !== "PreferNoSchedule" && !tolerations.some((toleration) => tolerates(toleration, taint)),
  );
  return { run: untolerated.length === 0, stay: untolerated.every(({ effect }) => effect !== "NoExecute") };
}

export function planDaemonSet(facts: DaemonFacts): DaemonPlan {
  const { daemonSet, nodes, pods, nowMs } = facts;
  const byNode = new Map<string, Stored<Pod>[]>();
  for (const pod of pods) {
    const node = targetNode(pod.spec) ?? "";
    byNode.set(node, [...(byNode.get(node) ?? []), pod]);
  }
  const create = new Set<string>();
  const remove: Stored<Pod>[] = [];
  const ended: { node: string; pod: Stored<Pod> }[] = [];
  const surge = maxSurge(facts);
  for (const node of nodes) {
    const name = node.metadata.name;
    const { run, stay } = eligibility(daemonSet, node);
    const here = byNode.get(name) ?? [];
    if (!stay) {
      remove.push(...here.filter((pod) => !isTerminating(pod)));
      continue;
    }
    const alive = here.filter((pod) => {
      if (isTerminating(pod)) return false;
      const phase = pod.status?.phase;
      if (phase !== "Failed" && phase !== "Succeeded") return true;
      ended.push({ node: name, pod });
      if (phase === "Succeeded" || facts.mayRetry(name)) remove.push(pod);
      return false;
    });
    // A pod that is on its way out still holds its place: never two on a node (I23).
    if (run && here.length === 0) create.add(name);
    remove.push(...tooMany(alive, surge > 0 ? facts.hash : undefined));
  }
  const known = new Set(nodes.map(({ metadata }) => metadata.name));
  // Pods that wait for a node that is gone never run; those that were bound are the garbage collector's.
  for (const [name, here] of byNode)
    if (!known.has(name)) remove.push(...here.filter((pod) => (pod.spec.nodeName ?? "") === "" && !isTerminating(pod)));

  if (
    (daemonSet.spec.updateStrategy?.type ?? "RollingUpdate") === "RollingUpdate" &&
    daemonSet.metadata.deletionTimestamp === undefined
  ) {
    const update = rollingUpdate(facts, byNode, surge);
    for (const name of update.create) create.add(name);
    remove.push(...update.remove.filter((pod) => !remove.includes(pod)));
  }
  const { status, nextMs } = statusOf(facts, byNode);
  return {
    create:
      daemonSet.metadata.deletionTimestamp !== undefined
        ? []
        : [...create].slice(0, burst).map((node) => newPod(daemonSet, node, facts.hash)),
    remove: daemonSet.metadata.deletionTimestamp !== undefined ? [] : remove.slice(0, burst),
    ended,
    status: semanticEqual(status, daemonSet.status ?? {}) ? undefined : status,
    requeueAfterMs: nextMs === undefined ? undefined : Math.max(1, nextMs - nowMs),
  };
}

/** One pod a node, the oldest; while surging one of the old template and one of the new. */
function tooMany(alive: readonly Stored<Pod>[], newHash: string | undefined): readonly Stored<Pod>[] {
  const surplus = (pods: readonly Stored<Pod>[]): readonly Stored<Pod>[] => [...pods].sort(oldestFirst).slice(1);
  if (newHash === undefined) return surplus(alive);
  return [
    ...surplus(alive.filter((pod) => hashOfPod(pod) === newHash)),
    ...surplus(alive.filter((pod) => hashOfPod(pod) !== newHash)),
  ];
}

const hashOfPod = (pod: Pod): string | undefined => pod.metadata.labels?.[revisionHashLabel];
const oldestFirst = (a: Stored<Pod>, b: Stored<Pod>): number =>
  a.metadata.creationTimestamp < b.metadata.creationTimestamp
    ? -1
    : a.metadata.creationTimestamp > b.metadata.creationTimestamp
      ? 1
      : a.metadata.name < b.metadata.name
        ? -1
        : 1;

const desiredCount = ({ daemonSet, nodes }: DaemonFacts): number =>
  nodes.filter((node) => eligibility(daemonSet, node).run).length;
const maxSurge = (facts: DaemonFacts): number => {
  const { updateStrategy } = facts.daemonSet.spec;
  return updateStrategy?.type === "OnDelete"
    ? 0
    : scaledValue(updateStrategy?.rollingUpdate?.maxSurge ?? 0, desiredCount(facts), true);
};

function rollingUpdate(
  facts: DaemonFacts,
  byNode: ReadonlyMap<string, readonly Stored<Pod>[]>,
  surge: number,
): { create: readonly string[]; remove: readonly Stored<Pod>[] } {
  const { daemonSet, nodes, hash, nowMs } = facts;
  const minReady = daemonSet.spec.minReadySeconds ?? 0;
  const available = (pod: Pod): boolean => isAvailable(pod, minReady, nowMs);
  let unavailable = 0;
  let surging = 0;
  const replaceNow: Stored<Pod>[] = [];
  const replaceLater: Stored<Pod>[] = [];
  const done: Stored<Pod>[] = [];
  const surgeNow: string[] = [];
  const surgeLater: string[] = [];
  for (const node of nodes) {
    if (!eligibility(daemonSet, node).run) continue;
    const here = byNode.get(node.metadata.name) ?? [];
    const alive = here.filter(
      (pod) => !isTerminating(pod) && pod.status?.phase !== "Failed" && pod.status?.phase !== "Succeeded",
    );
    const current = alive.find((pod) => hashOfPod(pod) === hash);
    const old = alive.find((pod) => hashOfPod(pod) !== hash);
    if (surge > 0) {
      if (current === undefined && old !== undefined && here.length === alive.length)
        (available(old) ? surgeLater : surgeNow).push(node.metadata.name);
      else if (current !== undefined && old !== undefined) {
        surging++;
        if (available(current)) done.push(old);
      }
      continue;
    }
    if (current !== undefined) {
      if (!available(current)) unavailable++;
    } else if (old === undefined) unavailable++;
    else if (available(old)) replaceLater.push(old);
    else {
      replaceNow.push(old);
      unavailable++;
    }
  }
  if (surge > 0)
    return { create: [...surgeNow, ...surgeLater.slice(0, Math.max(0, surge - surging - surgeNow.length))], remove: done };
  const limit = Math.max(
    1,
    scaledValue(daemonSet.spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, desiredCount(facts), true),
  );
  return { create: [], remove: [...replaceNow, ...replaceLater.slice(0, Math.max(0, limit - unavailable))] };
}

function statusOf(
  facts: DaemonFacts,
  byNode: ReadonlyMap<string, readonly Stored<Pod>[]>,
): { status: DaemonSetStatus; nextMs: number | undefined } {
  const { daemonSet, nodes, hash, nowMs } = facts;
  const minReady = daemonSet.spec.minReadySeconds ?? 0;
  let [desired, current, misscheduled, ready, available, updated] = [0, 0, 0, 0, 0, 0];
  let nextMs: number | undefined;
  for (const node of nodes) {
    const here = [...(byNode.get(node.metadata.name) ?? [])].sort(oldestFirst);
    if (!eligibility(daemonSet, node).run) {
      if (here.length > 0) misscheduled++;
      continue;
    }
    desired++;
    if (here.length === 0) continue;
    current++;
    const living = here.filter((pod) => !isTerminating(pod));
    if (living.some(isReady)) ready++;
    if (living.some((pod) => isAvailable(pod, minReady, nowMs))) available++;
    else
      for (const pod of living) {
        const at = availableAtMs(pod, minReady);
        if (at !== undefined) nextMs = Math.min(nextMs ?? at, at);
      }
    if (living.some((pod) => hashOfPod(pod) === hash)) updated++;
  }
  return {
    nextMs,
    status: {
      currentNumberScheduled: current,
      desiredNumberScheduled: desired,
      numberMisscheduled: misscheduled,
      numberReady: ready,
      ...(available === 0 ? {} : { numberAvailable: available }),
      ...(desired - available === 0 ? {} : { numberUnavailable: desired - available }),
      ...(updated === 0 ? {} : { updatedNumberScheduled: updated }),
      observedGeneration: daemonSet.metadata.generation ?? 0,
      ...(daemonSet.status?.collisionCount === undefined ? {} : { collisionCount: daemonSet.status.collisionCount }),
      ...(daemonSet.status?.conditions === undefined ? {} : { conditions: daemonSet.status.conditions }),
    },
  };
}

/** The pod is pinned to its node by affinity and bound by the scheduler like any other. */
function newPod(daemonSet: Stored<DaemonSet>, node: string, hash: string): Pod {
  const pod = podFromTemplate(daemonSet.spec.template, {
    namespace: daemonSet.metadata.namespace ?? "",
    name: daemonSet.metadata.name,
  });
  const generation = daemonSet.metadata.annotations?.[generationAnnotation];
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      labels: {
        ...pod.metadata.labels,
        [revisionHashLabel]: hash,
        ...(generation === undefined ? {} : { [generationLabel]: generation }),
      },
      ownerReferences: [controllerReference(daemonSets, daemonSet)],
    },
    spec: {
      ...pod.spec,
      affinity: {
        ...pod.spec.affinity,
        nodeAffinity: {
          ...pod.spec.affinity?.nodeAffinity,
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: [node] }] }],
          },
        },
      },
      tolerations: tolerationsOf(pod.spec),
    },
  };
}
