// DefaultPreemption: when no node fits, find the node where removing the least pods of lower priority makes room, and remove them.
import {
  isConflict,
  isNotFound,
  labelSelector,
  type PodDisruptionBudget,
  podDisruptionBudgets,
  pods,
  type Selector,
  selectorMatches,
} from "#api";
import { randomInt } from "#base";
import { rfc3339 } from "#client";
import type { NodeState } from "../cluster/node-state.ts";
import type { PodInfo } from "../cluster/pod-info.ts";
import { fitErrorMessage } from "../cycle/message.ts";
import type { CycleState } from "../framework/cycle-state.ts";
import type { Diagnosis, Plugin, PluginFactory, PluginHandle } from "../framework/plugin.ts";
import { isRejected, type Rejected, success, unresolvable, unschedulable } from "../framework/verdict.ts";
import { type Candidate, pickCandidate } from "./preemption-candidates.ts";

const notHelpful = unresolvable("Preemption is not helpful for scheduling") as Rejected;
const noVictims = unresolvable("No preemption victims found for incoming pod") as Rejected;

interface Budget {
  readonly namespace: string;
  readonly selector: Selector;
  readonly allowed: number;
  readonly alreadyDisrupted: ReadonlySet<string>;
}

export const defaultPreemption = {
  name: "DefaultPreemption",
  create: (args, handle): Plugin => {
    const minPercent = (args["minCandidateNodesPercentage"] as number | undefined) ?? 10;
    const minAbsolute = (args["minCandidateNodesAbsolute"] as number | undefined) ?? 100;
    const { cluster, random } = handle;
    const budgets = handle.watch(podDisruptionBudgets);
    /** Pods whose victims are being told: they are not tried again before that is done (KEP-4832). */
    const preempting = new Set<string>();

    const dryRuns = (
      pod: PodInfo,
      cycle: CycleState,
      diagnosis: Diagnosis,
    ): { readonly candidates: readonly Candidate[]; readonly refused: Map<string, Rejected> } => {
      const refused = new Map<string, Rejected>();
      const helpful: NodeState[] = [];
      for (const [nodeName, verdict] of diagnosis.rejections) {
        const node = cluster.node(nodeName);
        if (verdict.code === "Unschedulable" && node !== undefined) helpful.push(node);
        else refused.set(nodeName, notHelpful);
      }
      const wanted = Math.max(Math.floor((helpful.length * minPercent) / 100), minAbsolute);
      const start = helpful.length === 0 ? 0 : randomInt(random, helpful.length);
      const current = budgets.list().map(parseBudget);
      const candidates: Candidate[] = [];
      for (let i = 0; i < helpful.length && candidates.length < wanted; i++) {
        const node = helpful[(start + i) % helpful.length] as NodeState; // inside
        const result = victimsOn(handle, pod, node, cycle, current);
        if ("code" in result) refused.set(node.name, result);
        else candidates.push(result);
      }
      return { candidates, refused };
    };

    return {
      name: "DefaultPreemption",
      requeueOn: [{ resource: "pods", action: "Delete" }],
      preEnqueue: (pod) =>
        preempting.has(pod.uid) ? unschedulable("waiting for the preemption for this pod to be finished") : success,
      postFilter: (pod, cycle, diagnosis) => {
        const ineligible = whyNot(handle, pod, diagnosis);
        if (ineligible !== undefined) return { verdict: unschedulable(`preemption: ${ineligible}`) };
        const { candidates, refused } = dryRuns(pod, cycle, diagnosis);
        if (candidates.length === 0) {
          const message = fitErrorMessage(
            {
              nodeCount: diagnosis.nodeCount,
              rejections: refused,
              absent: notHelpful,
              preFilterMessage: "",
              rejectedBy: new Set(),
            },
            "",
          );
          return { verdict: unschedulable(`preemption: ${message}`), nominatedNodeName: "" };
        }
        const chosen = pickCandidate(candidates);
        void evict(handle, preempting, pod, chosen);
        return { verdict: { code: "Success" }, nominatedNodeName: chosen.node.name };
      },
    };
  },
} as const satisfies PluginFactory;

/** A pod may not preempt when its policy forbids it, or while victims of its earlier preemption are still going. */
function whyNot({ cluster, nominated }: PluginHandle, pod: PodInfo, diagnosis: Diagnosis): string | undefined {
  if (pod.pod.spec?.preemptionPolicy === "Never") return "not eligible due to preemptionPolicy=Never.";
  const nominatedNode = cluster.node(nominated.nodeOf(pod.uid) ?? pod.pod.status?.nominatedNodeName ?? "");
  // The node that it was promised has become impossible: it may look for another.
  if (nominatedNode !== undefined && diagnosis.rejections.get(nominatedNode.name)?.code === "UnschedulableAndUnresolvable")
    return undefined;
  for (const other of nominatedNode?.pods.values() ?? []) {
    const preempted = other.pod.status?.conditions?.some(
      (condition) =>
        condition.type === "DisruptionTarget" && condition.status === "True" && condition.reason === "PreemptionByScheduler",
    );
    if (other.priority < pod.priority && other.pod.metadata.deletionTimestamp !== undefined && preempted === true) {
      return "not eligible due to a terminating pod on the nominated node.";
    }
  }
  return undefined;
}

/** The least pods that must go: all of lower priority are taken away, then put back, the most important first, as long as the pod still fits. */
function victimsOn(
  handle: PluginHandle,
  pod: PodInfo,
  node: NodeState,
  cycle: CycleState,
  budgets: readonly Budget[],
): Candidate | Rejected {
  const tried = node.clone();
  const state = cycle.clone();
  const lower = [...node.pods.values()].filter((other) => other.priority < pod.priority);
  if (lower.length === 0) return noVictims;
  const remove = (other: PodInfo): void => {
    tried.removePod(other.uid);
    handle.podRemoved(pod, other, tried, state);
  };
  const add = (other: PodInfo): void => {
    tried.addPod(other);
    handle.podAdded(pod, other, tried, state);
  };
  for (const other of lower) remove(other);
  const empty = handle.runFilters(pod, tried, state);
  if (empty.code !== "Success") return isRejected(empty) ? empty : notHelpful;
  const { violating, others } = splitByBudgets(lower.sort(moreImportant), budgets);
  const victims: PodInfo[] = [];
  let violations = 0;
  const reprieve = (other: PodInfo): boolean => {
    add(other);
    if (handle.runFilters(pod, tried, state).code === "Success") return true;
    remove(other);
    victims.push(other);
    return false;
  };
  for (const other of violating) if (!reprieve(other)) violations++;
  for (const other of others) reprieve(other);
  return { node, victims: victims.sort(moreImportant), violations };
}

const startOf = (pod: PodInfo): string => pod.pod.status?.startTime ?? "9";
const moreImportant = (a: PodInfo, b: PodInfo): number =>
  b.priority - a.priority || (startOf(a) < startOf(b) ? -1 : startOf(a) > startOf(b) ? 1 : 0);

function splitByBudgets(
  sorted: readonly PodInfo[],
  budgets: readonly Budget[],
): { readonly violating: readonly PodInfo[]; readonly others: readonly PodInfo[] } {
  const left = budgets.map(({ allowed }) => allowed);
  const violating: PodInfo[] = [];
  const others: PodInfo[] = [];
  for (const pod of sorted) {
    let violates = false;
    budgets.forEach((budget, index) => {
      if (
        budget.namespace !== pod.namespace ||
        budget.alreadyDisrupted.has(pod.pod.metadata.name) ||
        !selectorMatches(budget.selector, pod.labels)
      )
        return;
      left[index] = (left[index] as number) - 1; // one per budget
      if ((left[index] as number) < 0) violates = true;
    });
    (violates ? violating : others).push(pod);
  }
  return { violating, others };
}

const parseBudget = (budget: PodDisruptionBudget): Budget => {
  const selector = budget.spec?.selector;
  const empty =
    selector === undefined ||
    ((selector.matchExpressions ?? []).length === 0 && Object.keys(selector.matchLabels ?? {}).length === 0);
  return {
    namespace: budget.metadata.namespace ?? "",
    selector: empty ? "nothing" : labelSelector(selector),
    allowed: budget.status?.disruptionsAllowed ?? 0,
    alreadyDisrupted: new Set(Object.keys(budget.status?.disruptedPods ?? {})),
  };
};

/** Marks and deletes the victims; lower pods nominated to the node lose their nomination. A failure gives the nomination back. */
async function evict(handle: PluginHandle, preempting: Set<string>, pod: PodInfo, { node, victims }: Candidate): Promise<void> {
  for (const other of handle.nominated.on(node.name))
    if (other.priority < pod.priority && other.uid !== pod.uid) handle.nominate(other, "");
  preempting.add(pod.uid);
  try {
    await Promise.all(victims.map((victim) => remove(handle, victim, pod, node.name)));
    preempting.delete(pod.uid);
    handle.ungated(pod.uid);
  } catch (error) {
    preempting.delete(pod.uid);
    handle.log.warn("cannot preempt", { pod: pod.key, node: node.name, error: String(error) });
    handle.nominate(pod, "");
    handle.retry(pod.uid);
  }
}

async function remove(handle: PluginHandle, victim: PodInfo, pod: PodInfo, nodeName: string): Promise<void> {
  const waiting = handle.waitingPods().find((entry) => entry.pod.uid === victim.uid);
  if (waiting !== undefined) {
    waiting.reject("DefaultPreemption", "preempted");
    return;
  }
  const { client, clock } = handle;
  const { namespace, uid } = victim;
  const { name } = victim.pod.metadata;
  try {
    if (victim.pod.metadata.deletionTimestamp === undefined) {
      const status = { conditions: [disruption(handle, victim, rfc3339(clock.now()))] };
      await client.patch(
        pods,
        { namespace, name },
        { type: "strategic", body: { metadata: { uid }, status } },
        { subresource: "status" },
      );
      await client.delete(pods, { namespace, name }, { preconditions: { uid } });
    }
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
  handle.event(victim.pod, "Normal", "Preempted", "Preempting", `Preempted by pod ${pod.uid} on node ${nodeName}`);
}

const disruption = ({ profileName }: PluginHandle, victim: PodInfo, now: string) => ({
  type: "DisruptionTarget",
  status: "True",
  reason: "PreemptionByScheduler",
  message: `${profileName}: preempting to accommodate a higher priority pod`,
  observedGeneration: victim.pod.metadata.generation,
  lastTransitionTime: now,
});
