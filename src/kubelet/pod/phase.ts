// The phase of a pod, from the states of its containers.
import type { ContainerStatus, Pod } from "#api";
import type { ContainerStatuses } from "./container-status.ts";
import { shouldRestart } from "./restart.ts";
import { initContainers, isSidecar } from "./spec.ts";

export type Phase = "Pending" | "Running" | "Succeeded" | "Failed";

/** `isOver`: no container will start again, whatever the restart policy (the pod is being deleted). */
export function podPhase(pod: Pod, statuses: ContainerStatuses, isOver: boolean): Phase {
  let pendingInit = 0;
  let failedForGood = 0;
  let pendingSidecars = 0;
  initContainers(pod).forEach((container, index) => {
    const status = statuses.init[index];
    const ended = endOf(status);
    if (isSidecar(container)) {
      if (status?.state?.running !== undefined ? status.started !== true : ended === undefined) pendingSidecars++;
    } else if (ended === undefined) pendingInit++;
    else if (ended !== 0) {
      if (shouldRestart(pod, container, "init", ended)) pendingInit++;
      else failedForGood++;
    }
  });

  let waiting = 0;
  let running = 0;
  let failed = 0;
  let restarting = 0;
  for (const status of statuses.main) {
    const ended = endOf(status);
    if (status.state?.running !== undefined) running++;
    else if (ended === undefined) waiting++;
    else {
      if (ended !== 0) failed++;
      const container = pod.spec.containers.find((item) => item.name === status.name);
      if (container !== undefined && shouldRestart(pod, container, "main", ended)) restarting++;
    }
  }
  const hasInitialized = running > 0 || statuses.main.some((status) => endOf(status) !== undefined);

  if (failedForGood > 0) return "Failed";
  if (isOver && running === 0) return waiting > 0 || failed > 0 || pendingInit > 0 ? "Failed" : "Succeeded";
  if (pendingInit > 0 && !hasInitialized) return "Pending";
  if (pendingSidecars > 0 && !hasInitialized) return "Pending";
  if (waiting > 0) return "Pending";
  if (running > 0 || restarting > 0) return "Running";
  return failed > 0 ? "Failed" : "Succeeded";
}

/** The exit code, of the current run or of the one before a container that waits. */
function endOf(status: ContainerStatus | undefined): number | undefined {
  if (status?.state?.terminated !== undefined) return status.state.terminated.exitCode;
  return status?.state?.waiting === undefined ? undefined : status.lastState?.terminated?.exitCode;
}
