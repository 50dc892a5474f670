// NodeResourcesFit: what the pod requests must be free; what is left over decides the score.
import type { Node, Pod } from "#api";
import type { NodeState } from "../cluster/node-state.ts";
import type { PodInfo } from "../cluster/pod-info.ts";
import { parseResources, podResources, quantityOf, resourceAmount } from "../cluster/resources.ts";
import type { Plugin, PluginFactory } from "../framework/plugin.ts";
import { success, unresolvable, unschedulable, type Verdict } from "../framework/verdict.ts";

interface ScoredResource {
  readonly name: string;
  readonly weight: number;
}

interface ShapePoint {
  readonly utilization: number;
  readonly score: number;
}

export const defaultScoredResources: readonly ScoredResource[] = [
  { name: "cpu", weight: 1 },
  { name: "memory", weight: 1 },
];

export const nodeResourcesFit = {
  name: "NodeResourcesFit",
  create: (args): Plugin => {
    const strategy = args["scoringStrategy"] as
      | { type?: string; resources?: readonly ScoredResource[]; requestedToCapacityRatio?: { shape?: readonly ShapePoint[] } }
      | undefined;
    const scored = strategy?.resources ?? defaultScoredResources;
    const ratio = ratioScore(strategy?.type ?? "LeastAllocated", strategy?.requestedToCapacityRatio?.shape ?? []);
    const ignored = new Set((args["ignoredResources"] as readonly string[] | undefined) ?? []);
    const ignoredGroups = new Set((args["ignoredResourceGroups"] as readonly string[] | undefined) ?? []);
    const isIgnored = (name: string): boolean => ignored.has(name) || ignoredGroups.has(name.split("/")[0] as string);
    return {
      name: "NodeResourcesFit",
      requeueOn: [
        { resource: "nodes", action: "Add", when: (pod, { after }) => couldHold(pod, after as Node, isIgnored) },
        { resource: "nodes", action: "Update", when: (pod, { after }) => couldHold(pod, after as Node, isIgnored) },
        { resource: "pods", action: "Delete" },
        { resource: "pods", action: "Update", ever: ({ before, after }) => shrank(before as Pod, after as Pod) },
      ],
      signature,
      filter: (pod, node) => fits(pod, node, isIgnored),
      score: (pod, node) => weightedScore(pod, node, scored, ratio),
    };
  },
} as const satisfies PluginFactory;

const signature = ({ requests, scoringMilliCpu, scoringMemory }: PodInfo): string =>
  `${requests.milliCpu} ${requests.memory} ${requests.ephemeralStorage} ${scoringMilliCpu} ${scoringMemory}${
    requests.extended === undefined ? "" : JSON.stringify([...requests.extended].sort())
  }`;

function fits(pod: PodInfo, node: NodeState, isIgnored: (name: string) => boolean): Verdict {
  const { requests } = pod;
  const { allocatable, requested } = node;
  const reasons: string[] = [];
  // What the node would not hold even when empty cannot be cured by removing pods.
  let hopeless = false;
  const check = (name: string, asked: number, capacity: number, used: number): void => {
    if (asked === 0 || asked <= capacity - used) return;
    reasons.push(`Insufficient ${name}`);
    if (asked > capacity) hopeless = true;
  };
  if (node.pods.size + 1 > node.allowedPods) reasons.push("Too many pods");
  check("cpu", requests.milliCpu, allocatable.milliCpu, requested.milliCpu);
  check("memory", requests.memory, allocatable.memory, requested.memory);
  check("ephemeral-storage", requests.ephemeralStorage, allocatable.ephemeralStorage, requested.ephemeralStorage);
  if (requests.extended !== undefined) {
    for (const [name, asked] of requests.extended)
      if (!isIgnored(name)) check(name, asked, resourceAmount(allocatable, name), resourceAmount(requested, name));
  }
  if (reasons.length === 0) return success;
  return hopeless ? unresolvable(...reasons) : unschedulable(...reasons);
}

/** Whether an empty node of this size would hold the pod. */
function couldHold(pod: PodInfo, node: Node, isIgnored: (name: string) => boolean): boolean {
  const allocatable = parseResources(node.status?.allocatable);
  if (quantityOf("pods", node.status?.allocatable?.["pods"] ?? 0) < 1) return false;
  const { milliCpu, memory, ephemeralStorage, extended } = pod.requests;
  if (milliCpu > allocatable.milliCpu || memory > allocatable.memory || ephemeralStorage > allocatable.ephemeralStorage)
    return false;
  for (const [name, asked] of extended ?? []) if (!isIgnored(name) && asked > resourceAmount(allocatable, name)) return false;
  return true;
}

/** A pod whose requests went down by an in-place resize. A pod that finished is an event of its own: Delete. */
const shrank = (before: Pod, after: Pod): boolean => {
  const was = podResources(before).requests;
  const is = podResources(after).requests;
  if (is.milliCpu < was.milliCpu || is.memory < was.memory || is.ephemeralStorage < was.ephemeralStorage) return true;
  return [...(was.extended ?? [])].some(([name, amount]) => resourceAmount(is, name) < amount);
};

type Ratio = (requested: number, capacity: number) => number;

function ratioScore(type: string, shape: readonly ShapePoint[]): Ratio {
  switch (type) {
    case "LeastAllocated":
      return (requested, capacity) => (requested > capacity ? 0 : Math.floor(((capacity - requested) * 100) / capacity));
    case "MostAllocated":
      return (requested, capacity) => Math.floor((Math.min(requested, capacity) * 100) / capacity);
    case "RequestedToCapacityRatio":
      if (shape.length === 0)
        throw new Error(
          'Cannot configure plugin "NodeResourcesFit": RequestedToCapacityRatio needs a shape of at least one point',
        );
      return (requested, capacity) => alongShape(shape, Math.floor((Math.min(requested, capacity) * 100) / capacity));
    default:
      throw new Error(
        `Cannot configure plugin "NodeResourcesFit": scoring strategy "${type}" is not LeastAllocated, MostAllocated or RequestedToCapacityRatio`,
      );
  }
}

/** Shape scores go from 0 to 10; between two points the line is straight. */
function alongShape(shape: readonly ShapePoint[], utilization: number): number {
  let before: ShapePoint | undefined;
  for (const point of shape) {
    if (utilization <= point.utilization) {
      if (before === undefined) return point.score * 10;
      const part = (utilization - before.utilization) / (point.utilization - before.utilization);
      return Math.floor((before.score + (point.score - before.score) * part) * 10);
    }
    before = point;
  }
  return (before?.score ?? 0) * 10;
}

function weightedScore(pod: PodInfo, node: NodeState, scored: readonly ScoredResource[], ratio: Ratio): number {
  let sum = 0;
  let weights = 0;
  for (const { name, weight } of scored) {
    const capacity = resourceAmount(node.allocatable, name);
    if (capacity === 0) continue;
    let requested: number;
    if (name === "cpu") requested = node.scoringMilliCpu + pod.scoringMilliCpu;
    else if (name === "memory") requested = node.scoringMemory + pod.scoringMemory;
    else {
      const asked = resourceAmount(pod.requests, name);
      if (asked === 0 && name !== "ephemeral-storage") continue; // an extended resource that this pod does not want says nothing about it
      requested = resourceAmount(node.requested, name) + asked;
    }
    sum += ratio(requested, capacity) * weight;
    weights += weight;
  }
  return weights === 0 ? 0 : Math.floor(sum / weights);
}
