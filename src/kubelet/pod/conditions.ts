// The conditions that the kubelet owns, with upstream's reasons and messages.
import type { Pod, PodCondition, PodStatus } from "#api";
import type { ContainerStatuses } from "./container-status.ts";
import { goList, timestamp } from "./names.ts";
import type { Phase } from "./phase.ts";
import { initContainers, isSidecar } from "./spec.ts";

export interface ConditionFacts {
  readonly pod: Pod;
  readonly statuses: ContainerStatuses;
  readonly phase: Phase;
  readonly hasSandbox: boolean;
  readonly previous: PodStatus | undefined;
  readonly now: number;
}

interface Verdict {
  readonly status: "True" | "False";
  readonly reason?: string;
  readonly message?: string;
}

/** The kubelet's five first, in upstream's order, then those of others as they are. */
export function podConditions(facts: ConditionFacts): readonly PodCondition[] {
  const containersReady = containersReadyVerdict(facts);
  const own: readonly (readonly [string, Verdict])[] = [
    ["PodReadyToStartContainers", { status: facts.hasSandbox ? "True" : "False" }],
    ["Initialized", initializedVerdict(facts)],
    ["Ready", readyVerdict(facts, containersReady)],
    ["ContainersReady", containersReady],
    ["PodScheduled", { status: "True" }],
  ];
  const previous = facts.previous?.conditions ?? facts.pod.status?.conditions ?? [];
  const names = new Set(own.map(([type]) => type));
  const others = (facts.pod.status?.conditions ?? []).filter((condition) => !names.has(condition.type));
  return [...own.map(([type, verdict]) => condition(type, verdict, previous, facts)), ...others];
}

function condition(type: string, verdict: Verdict, previous: readonly PodCondition[], facts: ConditionFacts): PodCondition {
  const before = previous.find((item) => item.type === type);
  const generation = facts.pod.metadata.generation;
  return {
    type,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    status: verdict.status,
    lastTransitionTime:
      before?.status === verdict.status && before.lastTransitionTime !== undefined
        ? before.lastTransitionTime
        : timestamp(facts.now),
    ...(verdict.reason === undefined ? {} : { reason: verdict.reason }),
    ...(verdict.message === undefined ? {} : { message: verdict.message }),
  };
}

const ofPhase = (phase: Phase): Verdict | undefined =>
  phase === "Succeeded"
    ? { status: "False", reason: "PodCompleted" }
    : phase === "Failed"
      ? { status: "False", reason: "PodFailed" }
      : undefined;

function initializedVerdict({ pod, statuses, phase }: ConditionFacts): Verdict {
  const incomplete = initContainers(pod).filter((container, index) => {
    const status = statuses.init[index];
    return isSidecar(container) ? status?.started !== true : status?.ready !== true;
  });
  if (phase === "Succeeded") return { status: "True", reason: "PodCompleted" };
  const hasStarted = statuses.main.some(
    (status) =>
      status.state?.running !== undefined || status.state?.terminated !== undefined || status.lastState?.terminated !== undefined,
  );
  if (hasStarted || incomplete.length === 0) return { status: "True" };
  return {
    status: "False",
    reason: "ContainersNotInitialized",
    message: `containers with incomplete status: ${goList(incomplete.map((container) => container.name))}`,
  };
}

function containersReadyVerdict({ pod, statuses, phase }: ConditionFacts): Verdict {
  const terminal = ofPhase(phase);
  if (terminal !== undefined) return terminal;
  const unready: string[] = [];
  initContainers(pod).forEach((container, index) => {
    if (isSidecar(container) && statuses.init[index]?.ready !== true) unready.push(container.name);
  });
  for (const container of pod.spec.containers) {
    if (statuses.main.find((status) => status.name === container.name)?.ready !== true) unready.push(container.name);
  }
  if (unready.length === 0) return { status: "True" };
  return { status: "False", reason: "ContainersNotReady", message: `containers with unready status: ${goList(unready)}` };
}

function readyVerdict({ pod }: ConditionFacts, containersReady: Verdict): Verdict {
  if (containersReady.status !== "True") return containersReady;
  const problems: string[] = [];
  for (const gate of pod.spec.readinessGates ?? []) {
    const found = pod.status?.conditions?.find((item) => item.type === gate.conditionType);
    if (found === undefined)
      problems.push(`corresponding condition of pod readiness gate "${gate.conditionType}" does not exist.`);
    else if (found.status !== "True")
      problems.push(`the status of pod readiness gate "${gate.conditionType}" is not "True", but ${found.status}`);
  }
  return problems.length === 0
    ? { status: "True" }
    : { status: "False", reason: "ReadinessGatesNotReady", message: problems.join(", ") };
}
