// The scheduling cycle's core: filter the nodes, score those that fit, take the best.
import { type Random, randomInt } from "#base";
import type { ClusterCache } from "../cluster/cache.ts";
import type { NodeState } from "../cluster/node-state.ts";
import type { PodInfo } from "../cluster/pod-info.ts";
import type { CycleState } from "../framework/cycle-state.ts";
import type { Diagnosis, Plugin } from "../framework/plugin.ts";
import type { Profile } from "../framework/profile.ts";
import { by, isRejected, type Rejected, unresolvable, type Verdict, verdictText } from "../framework/verdict.ts";
import type { NominatedPods } from "../queue/nominated.ts";
import type { LocalResults, PodResults } from "./local-results.ts";
import { runFilters, runFiltersWithNominated } from "./run-filters.ts";
import { nodesToFind } from "./sampling.ts";

export interface PluginScores {
  readonly plugin: string;
  readonly weight: number;
  /** After normalizing, by index of `fitting`. */
  readonly scores: Float64Array;
}

/** Everything that was weighed: what `explain` shows. */
export interface Considered {
  readonly nodeCount: number;
  readonly fitting: readonly NodeState[];
  readonly diagnosis: Diagnosis;
  readonly scores: readonly PluginScores[];
  readonly totals: Float64Array;
}

export type Selection =
  | { readonly outcome: "node"; readonly node: NodeState; readonly considered: Considered }
  | { readonly outcome: "none"; readonly considered: Considered }
  | { readonly outcome: "error"; readonly message: string; readonly considered?: Considered };

export interface SelectDeps {
  readonly profile: Profile;
  readonly cluster: ClusterCache;
  readonly nominated: NominatedPods;
  readonly random: Random;
  /** Absent: the plain loop, which the fast path must agree with. */
  readonly local?: LocalResults;
  /** Where the search begins; it goes on from where the last one ended, so that all nodes are looked at in turn. */
  readonly rotation: { next: number };
}

const noScores = new Float64Array(0);

export function selectNode(deps: SelectDeps, pod: PodInfo, cycle: CycleState): Selection {
  const { profile, cluster } = deps;
  const preFiltered = runPreFilters(profile, cluster, pod, cycle);
  if (preFiltered.outcome === "error") return preFiltered;
  if (preFiltered.outcome === "rejected") {
    return {
      outcome: "none",
      considered: {
        nodeCount: cluster.nodes.length,
        fitting: [],
        diagnosis: preFiltered.diagnosis,
        scores: [],
        totals: noScores,
      },
    };
  }
  const results = deps.local?.forPod(pod, cluster.layout, cluster.nodes.length);
  const found = findFitting(deps, results, pod, cycle, preFiltered.nodes, preFiltered.absent);
  if ("outcome" in found) return found;
  const { fitting, diagnosis } = found;
  const base = { nodeCount: cluster.nodes.length, fitting, diagnosis };
  const [first] = fitting;
  if (first === undefined) return { outcome: "none", considered: { ...base, scores: [], totals: noScores } };
  if (fitting.length === 1) return { outcome: "node", node: first, considered: { ...base, scores: [], totals: noScores } };
  const scored = scoreNodes(deps, results, pod, cycle, fitting);
  if ("outcome" in scored) return scored;
  return { outcome: "node", node: best(fitting, scored.totals, deps.random), considered: { ...base, ...scored } };
}

type PreFiltered =
  | { readonly outcome: "nodes"; readonly nodes: readonly NodeState[]; readonly absent: Rejected | undefined }
  | { readonly outcome: "rejected"; readonly diagnosis: Diagnosis }
  | { readonly outcome: "error"; readonly message: string };

function runPreFilters(profile: Profile, cluster: ClusterCache, pod: PodInfo, cycle: CycleState): PreFiltered {
  let names: ReadonlySet<string> | undefined;
  const narrowedBy: string[] = [];
  for (const plugin of profile.preFilter) {
    const { verdict, nodeNames } = plugin.preFilter(pod, cycle, cluster.nodes);
    if (verdict.code === "Skip") {
      cycle.skipFilter.add(plugin.name);
      continue;
    }
    if (isRejected(verdict)) return rejectedByPreFilter(cluster, by(plugin.name, verdict) as Rejected);
    if (verdict.code === "Error")
      return { outcome: "error", message: `running PreFilter plugin "${plugin.name}": ${verdict.message}` };
    if (nodeNames === undefined) continue;
    narrowedBy.push(plugin.name);
    names = names === undefined ? nodeNames : names.intersection(nodeNames);
    if (names.size === 0) {
      const together = narrowedBy.length === 1 ? "" : " simultaneously";
      return rejectedByPreFilter(
        cluster,
        by(plugin.name, unresolvable(`node(s) didn't satisfy plugin(s) ${listed(narrowedBy)}${together}`)) as Rejected,
      );
    }
  }
  if (names === undefined) return { outcome: "nodes", nodes: cluster.nodes, absent: undefined };
  const nodes = [...names].map((name) => cluster.node(name)).filter((node) => node !== undefined);
  return {
    outcome: "nodes",
    nodes,
    absent: by(narrowedBy[0] as string, unresolvable(`node(s) didn't satisfy plugin(s) ${listed(narrowedBy)}`)) as Rejected,
  }; // names came from one
}

const listed = (names: readonly string[]): string => `[${[...names].sort().join(" ")}]`;

const rejectedByPreFilter = (cluster: ClusterCache, verdict: Rejected): PreFiltered => ({
  outcome: "rejected",
  diagnosis: {
    nodeCount: cluster.nodes.length,
    rejections: new Map(),
    absent: verdict,
    preFilterMessage: verdictText(verdict),
    rejectedBy: new Set([verdict.plugin ?? ""]),
  },
});

function findFitting(
  deps: SelectDeps,
  results: PodResults | undefined,
  pod: PodInfo,
  cycle: CycleState,
  nodes: readonly NodeState[],
  absent: Rejected | undefined,
):
  | { readonly fitting: readonly NodeState[]; readonly diagnosis: Diagnosis }
  | { readonly outcome: "error"; readonly message: string } {
  const { profile, cluster, nominated, local, rotation } = deps;
  const rejections = new Map<string, Rejected>();
  const rejectedBy = new Set<string>();
  const fitting: NodeState[] = [];
  const others =
    results === undefined
      ? profile.filter
      : profile.filter.slice(local?.filters.length).filter(({ name }) => !cycle.skipFilter.has(name));
  const check = (node: NodeState): Verdict => {
    if (results === undefined || (nominated.any && nominated.ahead(node.name, pod).length > 0)) {
      return runFiltersWithNominated(profile, nominated, pod, node, cycle);
    }
    const verdict = results.filter(node, cycle);
    return verdict.code !== "Success" || others.length === 0 ? verdict : runFilters(others, pod, node, cycle);
  };
  const diagnosis: Diagnosis = { nodeCount: cluster.nodes.length, rejections, absent, preFilterMessage: "", rejectedBy };
  if (absent?.plugin !== undefined && nodes.length < cluster.nodes.length) rejectedBy.add(absent.plugin);

  // A pod that preemption has made room for goes there if it can, without a look at the others.
  const nominatedNode = pod.pod.status?.nominatedNodeName ?? nominated.nodeOf(pod.uid);
  if (nominatedNode !== undefined && nominatedNode !== "") {
    const node = cluster.node(nominatedNode);
    if (node !== undefined && nodes.includes(node) && check(node).code === "Success") return { fitting: [node], diagnosis };
  }

  const enough = profile.score.length === 0 ? 1 : nodesToFind(nodes.length, profile.percentageOfNodesToScore);
  const start = nodes.length === 0 ? 0 : rotation.next % nodes.length;
  let looked = 0;
  for (; looked < nodes.length && fitting.length < enough; looked++) {
    const at = start + looked;
    const node = nodes[at < nodes.length ? at : at - nodes.length] as NodeState; // at < 2 * length
    const verdict = check(node);
    if (verdict.code === "Success") fitting.push(node);
    else if (isRejected(verdict)) {
      rejections.set(node.name, verdict);
      if (verdict.plugin !== undefined) rejectedBy.add(verdict.plugin);
    } else
      return {
        outcome: "error",
        message: `running "${verdict.code === "Error" ? verdict.plugin : ""}" filter plugin: ${verdictText(verdict) || verdict.code}`,
      };
  }
  if (nodes.length > 0) rotation.next = (start + looked) % nodes.length;
  return { fitting, diagnosis };
}

function scoreNodes(
  deps: SelectDeps,
  results: PodResults | undefined,
  pod: PodInfo,
  cycle: CycleState,
  nodes: readonly NodeState[],
):
  | { readonly scores: readonly PluginScores[]; readonly totals: Float64Array }
  | { readonly outcome: "error"; readonly message: string } {
  for (const plugin of deps.profile.preScore) {
    const verdict = plugin.preScore(pod, cycle, nodes);
    if (verdict.code === "Skip") cycle.skipScore.add(plugin.name);
    else if (verdict.code !== "Success")
      return { outcome: "error", message: `running PreScore plugin "${plugin.name}": ${verdictText(verdict)}` };
  }
  const totals = new Float64Array(nodes.length);
  const scores: PluginScores[] = [];
  for (const { plugin, weight } of deps.profile.score) {
    if (cycle.skipScore.has(plugin.name)) continue;
    const own = results?.scores(plugin, nodes, cycle) ?? scoreEach(plugin, pod, nodes, cycle);
    plugin.normalize?.(pod, own, nodes, cycle);
    for (let i = 0; i < nodes.length; i++) {
      const score = own[i] as number; // i < length
      if (!(score >= 0 && score <= 100)) {
        return {
          outcome: "error",
          message: `plugin "${plugin.name}" returns an invalid score ${score}, it should in the range of [0, 100] after normalizing`,
        };
      }
      totals[i] = (totals[i] as number) + score * weight;
    }
    scores.push({ plugin: plugin.name, weight, scores: own });
  }
  return { scores, totals };
}

function scoreEach(
  plugin: Plugin & Required<Pick<Plugin, "score">>,
  pod: PodInfo,
  nodes: readonly NodeState[],
  cycle: CycleState,
): Float64Array {
  const scores = new Float64Array(nodes.length);
  for (let i = 0; i < nodes.length; i++) scores[i] = plugin.score(pod, nodes[i] as NodeState, cycle); // i < length
  return scores;
}

/** The highest total; among equals each is as likely. */
function best(nodes: readonly NodeState[], totals: Float64Array, random: Random): NodeState {
  let max = Number.NEGATIVE_INFINITY;
  const top: number[] = [];
  for (let i = 0; i < totals.length; i++) {
    const total = totals[i] as number; // i < length
    if (total > max) {
      max = total;
      top.length = 0;
    }
    if (total === max) top.push(i);
  }
  const chosen = top.length === 1 ? top[0] : top[randomInt(random, top.length)];
  return nodes[chosen as number] as NodeState; // at least two nodes come here
}
