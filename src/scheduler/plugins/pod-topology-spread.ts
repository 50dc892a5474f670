// PodTopologySpread: pods that match a selector are spread over the domains of a topology key (KEP-895).
import {
  type LabelSelector,
  labelSelector,
  type Pod,
  podAllowsNode,
  replicaSets,
  replicationControllers,
  type Selector,
  selectorMatches,
  services,
  setSelector,
  statefulSets,
  type TopologySpreadConstraint,
} from "#api";
import { controllerOf } from "#client";
import type { NodeState } from "../cluster/node-state.ts";
import { type PodInfo, withLabelKeys } from "../cluster/pod-info.ts";
import type { Plugin, PluginFactory, PluginHandle } from "../framework/plugin.ts";
import { skip, success, unresolvable, unschedulable } from "../framework/verdict.ts";
import { firstUntolerated } from "./taints.ts";

const name = "PodTopologySpread";
const hostname = "kubernetes.io/hostname";
const uneven = unschedulable("node(s) didn't match pod topology spread constraints");
const noLabel = unresolvable("node(s) didn't match pod topology spread constraints (missing required label)");

interface Constraint {
  readonly maxSkew: number;
  readonly topologyKey: string;
  readonly selector: Selector;
  readonly minDomains: number;
  readonly honorAffinity: boolean;
  readonly honorTaints: boolean;
}

/** What every pod of a Service or a workload gets without asking (`defaultingType: System`). */
const systemDefaults: readonly TopologySpreadConstraint[] = [
  { topologyKey: hostname, whenUnsatisfiable: "ScheduleAnyway", maxSkew: 3 },
  { topologyKey: "topology.kubernetes.io/zone", whenUnsatisfiable: "ScheduleAnyway", maxSkew: 5 },
];

class FilterState {
  readonly constraints: readonly Constraint[];
  /** Matching pods by domain, one map per constraint; shared with the cluster's counts until `change`d. */
  #domains: readonly ReadonlyMap<string, number>[];
  #lowest: (number | undefined)[] = [];

  constructor(constraints: readonly Constraint[], domains: readonly ReadonlyMap<string, number>[]) {
    this.constraints = constraints;
    this.#domains = domains;
  }

  domain(index: number): ReadonlyMap<string, number> {
    return this.#domains[index] as ReadonlyMap<string, number>; // one per constraint
  }

  /** The smallest count of a domain; 0 while there are fewer domains than the constraint wants. */
  lowest(index: number): number {
    let lowest = this.#lowest[index];
    if (lowest === undefined) {
      const domain = this.domain(index);
      lowest = domain.size < (this.constraints[index] as Constraint).minDomains ? 0 : minOf(domain); // as domain
      this.#lowest[index] = lowest;
    }
    return lowest;
  }

  /** Only on a clone: the original shares its maps. */
  change(index: number, value: string, by: number): void {
    const domain = this.domain(index) as Map<string, number>; // a clone's own
    domain.set(value, (domain.get(value) ?? 0) + by);
    this.#lowest[index] = undefined;
  }

  clone(): FilterState {
    return new FilterState(
      this.constraints,
      this.#domains.map((domain) => new Map(domain)),
    );
  }
}

interface ScoreState {
  readonly constraints: readonly Constraint[];
  readonly weights: readonly number[];
  /** By domain; of the hostname the live counts by slot. */
  readonly domains: readonly (ReadonlyMap<string, number> | Int32Array)[];
  readonly ignored: ReadonlySet<string>;
}

export const podTopologySpread = {
  name,
  create: (args, handle): Plugin => {
    const { cluster } = handle;
    const listed = args["defaultingType"] === "List";
    const defaults = listed
      ? ((args["defaultConstraints"] as readonly TopologySpreadConstraint[] | undefined) ?? [])
      : systemDefaults;
    const defaultSelector = selectorFinder(handle);

    const constraintsOf = (
      pod: PodInfo,
      whenUnsatisfiable: string,
    ): { readonly constraints: readonly Constraint[]; readonly own: boolean } => {
      const own = pod.pod.spec?.topologySpreadConstraints ?? [];
      const wanted = (own.length > 0 ? own : defaults).filter((constraint) => constraint.whenUnsatisfiable === whenUnsatisfiable);
      if (wanted.length === 0) return { constraints: [], own: own.length > 0 };
      if (own.length > 0)
        return { constraints: wanted.map((constraint) => parse(constraint, selectorOf(pod.pod, constraint))), own: true };
      const selector = defaultSelector(pod);
      return { constraints: selector === undefined ? [] : wanted.map((constraint) => parse(constraint, selector)), own: false };
    };

    /** Matching pods by domain over the nodes that count for the constraint and have all of `keys`. */
    const domainsOf = (pod: PodInfo, constraint: Constraint, keys: readonly string[]): ReadonlyMap<string, number> => {
      if (countsEverywhere(constraint, pod.pod))
        return cluster.matchDomains(pod.namespace, constraint.selector, constraint.topologyKey, keys);
      const counts = cluster.matchCounts(pod.namespace, constraint.selector);
      const domains = new Map<string, number>();
      for (const node of cluster.nodes) {
        const value = node.labels[constraint.topologyKey];
        if (value === undefined || keys.some((key) => node.labels[key] === undefined) || !countsOn(constraint, pod.pod, node))
          continue;
        domains.set(value, (domains.get(value) ?? 0) + (counts[node.slot] ?? 0));
      }
      return domains;
    };

    const update = (pod: PodInfo, other: PodInfo, node: NodeState, state: FilterState | undefined, by: 1 | -1): void => {
      if (state === undefined || other.namespace !== pod.namespace || other.pod.metadata.deletionTimestamp !== undefined) return;
      state.constraints.forEach((constraint, index) => {
        const value = node.labels[constraint.topologyKey];
        if (value === undefined || !selectorMatches(constraint.selector, other.labels) || !countsOn(constraint, pod.pod, node))
          return;
        state.change(index, value, by);
      });
    };

    return {
      name,
      requeueOn: [
        { resource: "pods", action: "Add", when: (pod, { after }) => concerns(pod, after as Pod) },
        { resource: "pods", action: "Update", when: (pod, { after }) => concerns(pod, after as Pod) },
        { resource: "pods", action: "Delete", when: (pod, { before }) => concerns(pod, before as Pod) },
        { resource: "nodes", action: "Add" },
        { resource: "nodes", action: "Update" },
        { resource: "nodes", action: "Delete" },
      ],
      preFilter: (pod, cycle) => {
        const { constraints } = constraintsOf(pod, "DoNotSchedule");
        if (constraints.length === 0) return { verdict: skip };
        const keys = constraints.map(({ topologyKey }) => topologyKey);
        cycle.set(
          name,
          new FilterState(
            constraints,
            constraints.map((constraint) => domainsOf(pod, constraint, keys)),
          ),
        );
        return { verdict: success };
      },
      podAdded: (pod, other, node, cycle) => update(pod, other, node, cycle.get<FilterState>(name), 1),
      podRemoved: (pod, other, node, cycle) => update(pod, other, node, cycle.get<FilterState>(name), -1),
      filter: (pod, node, cycle) => {
        const state = cycle.get<FilterState>(name) as FilterState; // preFilter set it or said Skip
        for (let i = 0; i < state.constraints.length; i++) {
          const constraint = state.constraints[i] as Constraint; // i < length
          const value = node.labels[constraint.topologyKey];
          if (value === undefined) return noLabel;
          const self = selectorMatches(constraint.selector, pod.labels) ? 1 : 0;
          if ((state.domain(i).get(value) ?? 0) + self - state.lowest(i) > constraint.maxSkew) return uneven;
        }
        return success;
      },
      preScore: (pod, cycle, nodes) => {
        const { constraints, own } = constraintsOf(pod, "ScheduleAnyway");
        if (constraints.length === 0 || nodes.length === 0) return skip;
        const lacks = (node: NodeState): boolean => constraints.some(({ topologyKey }) => node.labels[topologyKey] === undefined);
        const needsAllKeys = own || listed;
        const ignored = new Set(needsAllKeys ? nodes.filter(lacks).map((node) => node.name) : []);
        const spread = nodes.filter((node) => !ignored.has(node.name));
        const keys = needsAllKeys ? constraints.map(({ topologyKey }) => topologyKey) : [];
        const domains = constraints.map((constraint) =>
          constraint.topologyKey === hostname
            ? cluster.matchCounts(pod.namespace, constraint.selector)
            : domainsOf(pod, constraint, keys),
        );
        // The more domains among the nodes in question, the more one pod more or less weighs.
        const weights = constraints.map(({ topologyKey }) => {
          const size =
            topologyKey === hostname
              ? spread.length
              : new Set(spread.map((node) => node.labels[topologyKey]).filter((value) => value !== undefined)).size;
          return Math.log(size + 2);
        });
        cycle.set(`${name}/score`, { constraints, weights, domains, ignored } satisfies ScoreState);
        return success;
      },
      score: (_pod, node, cycle) => {
        const state = cycle.get<ScoreState>(`${name}/score`) as ScoreState; // preScore set it or said Skip
        if (state.ignored.has(node.name)) return 0;
        let score = 0;
        for (let i = 0; i < state.constraints.length; i++) {
          const { topologyKey, maxSkew } = state.constraints[i] as Constraint; // i < length
          const value = node.labels[topologyKey];
          if (value === undefined) continue;
          const domain = state.domains[i] as ReadonlyMap<string, number> | Int32Array; // one per constraint
          const count = domain instanceof Int32Array ? (domain[node.slot] ?? 0) : (domain.get(value) ?? 0);
          score += count * (state.weights[i] as number) + (maxSkew - 1);
        }
        return Math.round(score);
      },
      normalize: (_pod, scores, nodes, cycle) => {
        const { ignored } = cycle.get<ScoreState>(`${name}/score`) as ScoreState; // as in score
        let min = Number.POSITIVE_INFINITY;
        let max = 0;
        for (let i = 0; i < scores.length; i++) {
          if (ignored.has((nodes[i] as NodeState).name)) continue; // i < length of both
          min = Math.min(min, scores[i] as number);
          max = Math.max(max, scores[i] as number);
        }
        for (let i = 0; i < scores.length; i++) {
          if (ignored.has((nodes[i] as NodeState).name)) scores[i] = 0;
          else scores[i] = max === 0 ? 100 : Math.floor((100 * (max + min - (scores[i] as number))) / max);
        }
      },
    };
  },
} as const satisfies PluginFactory;

/** Whether pods on this node count for the constraint (nodeAffinityPolicy, nodeTaintsPolicy; KEP-3094). */
const countsOn = (constraint: Constraint, pod: Pod, node: NodeState): boolean =>
  (!constraint.honorAffinity || podAllowsNode(pod.spec, node)) &&
  (!constraint.honorTaints || firstUntolerated(node.node?.spec?.taints, pod.spec?.tolerations) === undefined);

/** Whether all nodes do: then the cluster's own sums serve. */
const countsEverywhere = ({ honorAffinity, honorTaints }: Constraint, pod: Pod): boolean =>
  !honorTaints &&
  (!honorAffinity ||
    (pod.spec?.nodeSelector === undefined &&
      pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution === undefined));

const parse = (constraint: TopologySpreadConstraint, selector: Selector): Constraint => ({
  maxSkew: constraint.maxSkew,
  topologyKey: constraint.topologyKey,
  selector,
  minDomains: constraint.minDomains ?? 1,
  honorAffinity: (constraint.nodeAffinityPolicy ?? "Honor") === "Honor",
  honorTaints: constraint.nodeTaintsPolicy === "Honor",
});

const selectorOf = (pod: Pod, constraint: TopologySpreadConstraint): Selector =>
  labelSelector(withLabelKeys(pod, constraint.labelSelector, constraint.matchLabelKeys) as LabelSelector | undefined);

function minOf(domain: ReadonlyMap<string, number>): number {
  let min = Number.POSITIVE_INFINITY;
  for (const count of domain.values()) if (count < min) min = count;
  return min === Number.POSITIVE_INFINITY ? 0 : min;
}

const concerns = (pod: PodInfo, other: Pod): boolean =>
  (other.metadata.namespace ?? "") === pod.namespace &&
  (pod.pod.spec?.topologySpreadConstraints ?? []).some((constraint) =>
    selectorMatches(selectorOf(pod.pod, constraint), other.metadata.labels),
  );

/** What spreads a pod that does not say: the Services that select it and the workload that owns it, together. */
function selectorFinder({ watch }: PluginHandle): (pod: PodInfo) => Selector | undefined {
  const serviceInformer = watch(services);
  const owners = {
    ReplicaSet: watch(replicaSets),
    StatefulSet: watch(statefulSets),
    ReplicationController: watch(replicationControllers),
  };
  return (pod) => {
    const requirements: Exclude<Selector, "nothing">[number][] = [];
    const take = (selector: Selector): void => {
      if (selector !== "nothing") requirements.push(...selector);
    };
    for (const service of serviceInformer.byIndex("namespace", pod.namespace)) {
      const wanted = service.spec?.selector;
      if (wanted === undefined || Object.keys(wanted).length === 0) continue;
      const selector = setSelector(wanted);
      if (selectorMatches(selector, pod.labels)) take(selector);
    }
    const owner = controllerOf(pod.pod);
    if (owner !== undefined && Object.hasOwn(owners, owner.kind)) {
      const workload = owners[owner.kind as keyof typeof owners].get(`${pod.namespace}/${owner.name}`);
      const wanted = workload?.spec?.selector as LabelSelector | Readonly<Record<string, string>> | undefined;
      if (wanted !== undefined)
        take(
          owner.kind === "ReplicationController"
            ? setSelector(wanted as Readonly<Record<string, string>>)
            : labelSelector(wanted as LabelSelector),
        );
    }
    return requirements.length === 0 ? undefined : requirements;
  };
}
