// The last decision on a pod, node by node: what `tiphys explain pod` shows.
import type { Considered } from "./cycle/select-node.ts";

export interface NodeExplanation {
  readonly node: string;
  /** Empty when the node fits. */
  readonly reasons: readonly string[];
  /** The plugin that refused the node. */
  readonly refusedBy?: string;
  /** Normalized score and weight by plugin; empty when scoring was not needed (one node fits, or none). */
  readonly scores: Readonly<Record<string, { readonly score: number; readonly weight: number }>>;
  readonly total: number;
}

export interface Explanation {
  readonly pod: string;
  readonly profile: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly attempts: number;
  /** The chosen node; absent when there was none. */
  readonly node?: string;
  /** Why not, as in the event. */
  readonly message?: string;
  /** Nodes in the cluster; those neither fitting nor refused were not looked at (percentageOfNodesToScore). */
  readonly nodeCount: number;
  readonly nodes: readonly NodeExplanation[];
}

export interface Decision extends Omit<Explanation, "nodes" | "nodeCount"> {
  readonly considered: Considered | undefined;
}

/** Keeps the last decisions of so many pods; texts are made when somebody asks. */
export class Decisions {
  readonly #kept = new Map<string, Decision>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  record(decision: Decision): void {
    this.#kept.delete(decision.pod);
    this.#kept.set(decision.pod, decision);
    if (this.#kept.size > this.#limit)
      for (const [oldest] of this.#kept) {
        this.#kept.delete(oldest);
        break;
      }
  }

  explain(key: string): Explanation | undefined {
    const decision = this.#kept.get(key);
    if (decision === undefined) return undefined;
    const { considered, ...rest } = decision;
    return { ...rest, nodeCount: considered?.nodeCount ?? 0, nodes: considered === undefined ? [] : nodesOf(considered) };
  }
}

function nodesOf({ fitting, diagnosis, scores, totals }: Considered): readonly NodeExplanation[] {
  const fit = fitting.map(
    (node, index): NodeExplanation => ({
      node: node.name,
      reasons: [],
      scores: Object.fromEntries(scores.map(({ plugin, weight, scores: own }) => [plugin, { score: own[index] ?? 0, weight }])),
      total: totals[index] ?? 0,
    }),
  );
  fit.sort((a, b) => b.total - a.total);
  const refused = [...diagnosis.rejections].map(
    ([node, { reasons, plugin }]): NodeExplanation => ({ node, reasons, refusedBy: plugin, scores: {}, total: 0 }),
  );
  return [...fit, ...refused];
}
