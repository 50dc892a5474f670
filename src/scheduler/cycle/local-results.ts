// The fast path: pods of one signature share what node-local plugins said of a node until that node changes.
import type { NodeState } from "../cluster/node-state.ts";
import type { PodInfo } from "../cluster/pod-info.ts";
import type { CycleState } from "../framework/cycle-state.ts";
import type { Plugin } from "../framework/plugin.ts";
import type { Profile } from "../framework/profile.ts";
import type { Verdict } from "../framework/verdict.ts";
import { runFilters } from "./run-filters.ts";

/** So many signatures are remembered per profile; the one not used the longest goes first. */
const maxSignatures = 128;

/** What is known for one signature, by slot of the node. `versions` tell of which version of the node. */
interface Known {
  layout: number;
  verdicts: Verdict[];
  verdictVersions: Float64Array;
  scores: Float64Array[];
  scoreVersions: Float64Array;
}

export class LocalResults {
  /** The leading filters that are node-local; those after the first that is not always run. */
  readonly filters: Profile["filter"];
  readonly #scorers: Profile["score"];
  readonly #signers: readonly Required<Pick<Plugin, "signature">>[];
  readonly #known = new Map<string, Known>();

  constructor(profile: Profile) {
    const firstOther = profile.filter.findIndex((plugin) => plugin.signature === undefined);
    this.filters = firstOther < 0 ? profile.filter : profile.filter.slice(0, firstOther);
    this.#scorers = profile.score.filter(({ plugin }) => plugin.signature !== undefined);
    const local = new Set<Plugin>([...this.filters, ...this.#scorers.map(({ plugin }) => plugin)]);
    this.#signers = [...local] as unknown as Required<Pick<Plugin, "signature">>[]; // chosen for having one
  }

  forPod(pod: PodInfo, layout: number, nodeCount: number): PodResults {
    let signature = "";
    for (const plugin of this.#signers) signature += `${plugin.signature(pod)}\n`;
    let known = this.#known.get(signature);
    if (known !== undefined) this.#known.delete(signature);
    else if (this.#known.size >= maxSignatures)
      for (const [oldest] of this.#known) {
        this.#known.delete(oldest);
        break;
      }
    if (known === undefined || known.layout !== layout) known = newKnown(layout, nodeCount, this.#scorers.length);
    this.#known.set(signature, known);
    return new PodResults(pod, known, this.filters, this.#scorers);
  }
}

export class PodResults {
  readonly #pod: PodInfo;
  readonly #known: Known;
  readonly #filters: Profile["filter"];
  readonly #scorers: Profile["score"];

  constructor(pod: PodInfo, known: Known, filters: Profile["filter"], scorers: Profile["score"]) {
    this.#pod = pod;
    this.#known = known;
    this.#filters = filters;
    this.#scorers = scorers;
  }

  /** The first refusal of the local filters, or success. */
  filter(node: NodeState, cycle: CycleState): Verdict {
    const { verdicts, verdictVersions } = this.#known;
    const { slot, version } = node;
    if (verdictVersions[slot] === version) return verdicts[slot] as Verdict; // set with the version
    const verdict = runFilters(this.#filters, this.#pod, node, cycle);
    verdicts[slot] = verdict;
    verdictVersions[slot] = version;
    return verdict;
  }

  /** The raw scores of one local plugin for these nodes, or undefined when the plugin is not local. */
  scores(plugin: Plugin, nodes: readonly NodeState[], cycle: CycleState): Float64Array | undefined {
    const index = this.#scorers.findIndex((scorer) => scorer.plugin === plugin);
    if (index < 0) return undefined;
    const known = this.#known.scores[index] as Float64Array; // one per scorer
    const result = new Float64Array(nodes.length);
    for (let i = 0; i < nodes.length; i++) {
      const node = nodes[i] as NodeState; // i < length
      if (this.#known.scoreVersions[node.slot] !== node.version) this.#scoreNode(node, cycle);
      result[i] = known[node.slot] as number;
    }
    return result;
  }

  #scoreNode(node: NodeState, cycle: CycleState): void {
    for (let i = 0; i < this.#scorers.length; i++) {
      const { plugin } = this.#scorers[i] as Profile["score"][number]; // i < length
      (this.#known.scores[i] as Float64Array)[node.slot] = cycle.skipScore.has(plugin.name)
        ? 0
        : plugin.score(this.#pod, node, cycle);
    }
    this.#known.scoreVersions[node.slot] = node.version;
  }
}

function newKnown(layout: number, nodeCount: number, scorers: number): Known {
  return {
    layout,
    verdicts: new Array<Verdict>(nodeCount),
    verdictVersions: new Float64Array(nodeCount).fill(-1),
    scores: Array.from({ length: scorers }, () => new Float64Array(nodeCount)),
    scoreVersions: new Float64Array(nodeCount).fill(-1),
  };
}
