// The status of a pod as the API shows it.
import type { PodStatus } from "#api";
import { podConditions } from "./conditions.ts";
import type { ContainerStatuses } from "./container-status.ts";
import { timestamp } from "./names.ts";
import { type Phase, podPhase } from "./phase.ts";
import { qosClass } from "./qos.ts";
import { isHostNetwork, isTerminalPhase } from "./spec.ts";
import type { PodState } from "./state.ts";

export interface StatusFacts {
  readonly statuses: ContainerStatuses;
  /** A sandbox is there and ready. */
  readonly hasSandbox: boolean;
  readonly isStopping: boolean;
  readonly ended: { readonly reason: string; readonly message: string } | undefined;
  /** Some container may still be running. */
  readonly isAlive: boolean;
  readonly now: number;
}

export function podStatus(state: PodState, facts: StatusFacts): PodStatus {
  const { pod, memory } = state;
  const previous = memory.published ?? pod.status;
  if (memory.rejected !== undefined) return rejectedStatus(state, memory.rejected);

  const phase = phaseOf(state, facts, previous?.phase);
  const verdict = facts.ended !== undefined && phase === "Failed" ? facts.ended : undefined;
  const reason = verdict?.reason ?? (isTerminalPhase(previous?.phase) ? previous?.reason : undefined);
  const message = verdict?.message ?? (isTerminalPhase(previous?.phase) ? previous?.message : undefined);
  const podIps = addressesOf(state, previous);
  const { statuses } = facts;
  return {
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    phase,
    conditions: podConditions({ pod, statuses, phase, hasSandbox: facts.hasSandbox, previous, now: facts.now }),
    ...(message === undefined ? {} : { message }),
    ...(reason === undefined ? {} : { reason }),
    ...(state.node.hostIps[0] === undefined
      ? {}
      : { hostIP: state.node.hostIps[0], hostIPs: state.node.hostIps.map((ip) => ({ ip })) }),
    ...(podIps[0] === undefined ? {} : { podIP: podIps[0], podIPs: podIps.map((ip) => ({ ip })) }),
    startTime: timestamp(memory.startedAtMs),
    ...(statuses.init.length === 0 ? {} : { initContainerStatuses: statuses.init }),
    containerStatuses: statuses.main,
    qosClass: qosClass(pod),
    ...(statuses.ephemeral.length === 0 ? {} : { ephemeralContainerStatuses: statuses.ephemeral }),
  };
}

/** Terminal is final, and is not said before every container has stopped (I36). */
function phaseOf(state: PodState, facts: StatusFacts, before: string | undefined): Phase {
  if (before === "Succeeded" || before === "Failed") return before;
  const current: Phase = before === "Running" ? "Running" : "Pending";
  const computed = podPhase(state.pod, facts.statuses, facts.isStopping && !facts.isAlive);
  const phase = facts.ended !== undefined ? "Failed" : computed;
  if (isTerminalPhase(phase)) return facts.isAlive ? current : phase;
  return current === "Running" && phase === "Pending" ? "Running" : phase;
}

function addressesOf(state: PodState, previous: PodStatus | undefined): readonly string[] {
  if (isHostNetwork(state.pod)) return state.sandboxes.length > 0 || previous?.podIP !== undefined ? state.node.hostIps : [];
  const newest = [...state.sandboxes].sort((a, b) => b.attempt - a.attempt)[0];
  if (newest !== undefined && newest.ips.length > 0) return newest.ips;
  // A finished pod keeps the address it had.
  return previous?.podIPs?.map((item) => item.ip) ?? (previous?.podIP === undefined ? [] : [previous.podIP]);
}

/** What a pod shows that the node refused: no container statuses, no addresses of the pod. */
const rejectedStatus = (state: PodState, rejected: { reason: string; message: string }): PodStatus => ({
  ...(state.pod.metadata.generation === undefined ? {} : { observedGeneration: state.pod.metadata.generation }),
  phase: "Failed",
  conditions: state.pod.status?.conditions ?? [],
  reason: rejected.reason,
  message: rejected.message,
  startTime: timestamp(state.memory.startedAtMs),
  qosClass: qosClass(state.pod),
});
