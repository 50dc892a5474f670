// containerStatuses as the API shows them, from what the runtime says and what the kubelet remembers.
import type { ContainerStatus as ApiContainerStatus, ContainerState, VolumeMount } from "#api";
import type { ContainerStatus } from "../runtime.ts";
import { timestamp } from "./names.ts";
import { appliedResources, parse, resourcesText } from "./resize.ts";
import { newestFirst } from "./restart.ts";
import { type AnyContainer, ephemeralContainers, initContainers, isSidecar, type Role } from "./spec.ts";
import type { PodState } from "./state.ts";

export interface ContainerStatuses {
  readonly init: readonly ApiContainerStatus[];
  readonly main: readonly ApiContainerStatus[];
  readonly ephemeral: readonly ApiContainerStatus[];
}

/** `waiting` overrules: containers that wait before a restart. */
export function containerStatuses(
  state: PodState,
  waiting: ReadonlyMap<string, { reason: string; message: string }>,
): ContainerStatuses {
  const statusOf =
    (role: Role) =>
    (container: AnyContainer): ApiContainerStatus =>
      oneStatus(state, container, role, waiting.get(container.name));
  return {
    init: initContainers(state.pod).map(statusOf("init")),
    // Upstream sorts main containers by name, init containers by their order in the spec.
    main: state.pod.spec.containers.map(statusOf("main")).sort((a, b) => (a.name < b.name ? -1 : 1)),
    ephemeral: ephemeralContainers(state.pod).map(statusOf("ephemeral")),
  };
}

function oneStatus(
  state: PodState,
  container: AnyContainer,
  role: Role,
  waiting: { reason: string; message: string } | undefined,
): ApiContainerStatus {
  const before = previousStatus(state, container.name, role);
  const [newest, ...older] = newestFirst(state.containers, container.name);
  const failure = state.memory.startFailures.get(container.name);
  const override = waiting ?? (failure === undefined || newest?.state === "running" ? undefined : failure);
  if (newest === undefined || newest.state === "created")
    return withoutContainer(state, container, role, before, override, older[0]);
  // The last run has been removed already, an older one not yet (the pod is going): what was said last stays.
  if (before !== undefined && newest.state === "exited" && before.restartCount > newest.attempt)
    return { ...before, ready: false };

  const current = stateOf(state, newest);
  const isExited = newest.state === "exited" || newest.state === "unknown";
  const last = isExited && override !== undefined ? current : lastStateOf(state, older, before);
  const shown: ContainerState =
    isExited && override !== undefined ? { waiting: { reason: override.reason, message: override.message } } : current;
  const started = shown.running !== undefined && isStarted(state, container, newest);
  return {
    name: container.name,
    state: shown,
    ...(last === undefined ? { lastState: {} } : { lastState: last }),
    ready: isReady(state, container, role, newest, shown, started),
    restartCount: newest.attempt,
    image: newest.image === "" ? (container.image ?? "") : newest.image,
    imageID: newest.imageRef,
    containerID: idOf(state, newest),
    ...(role === "ephemeral" ? {} : { started }),
    ...resourcesOf(container, role, newest.state === "running" ? appliedResources(newest, state.memory.resized) : undefined),
    ...mountsOf(container.volumeMounts),
  };
}

/** No container in the runtime: it has not been made yet, or it is lost. */
function withoutContainer(
  state: PodState,
  container: AnyContainer,
  role: Role,
  before: ApiContainerStatus | undefined,
  override: { reason: string; message: string } | undefined,
  older: ContainerStatus | undefined,
): ApiContainerStatus {
  const base = {
    name: container.name,
    image: container.image ?? "",
    imageID: "",
    restartCount: before?.restartCount ?? older?.attempt ?? 0,
    ...(role === "ephemeral" ? {} : { started: false }),
    ready: false,
  };
  const last = older === undefined ? before?.lastState : stateOf(state, older);
  if (before?.state?.terminated !== undefined && override === undefined)
    return { ...before, ready: before.ready && role === "init" };
  if (before?.state?.running !== undefined && state.memory.stoppingSinceMs !== undefined) {
    return {
      ...base,
      lastState: before.lastState ?? {},
      state: { terminated: lost("The container could not be located when the pod was terminated") },
    };
  }
  if (before?.state?.running !== undefined && override === undefined && older === undefined) {
    const message = "The container could not be located when the pod was deleted.  The container used to be Running";
    return {
      ...base,
      restartCount: before.restartCount + 1,
      state: { waiting: { reason: defaultReason(state) } },
      lastState: { terminated: lost(message) },
    };
  }
  return {
    ...base,
    state: {
      waiting: override === undefined ? { reason: defaultReason(state) } : { reason: override.reason, message: override.message },
    },
    lastState: last ?? {},
    ...mountsOf(container.volumeMounts),
  };
}

const lost = (message: string) => ({ reason: "ContainerStatusUnknown", message, exitCode: 137 });

const defaultReason = (state: PodState): string =>
  initContainers(state.pod).length > 0 ? "PodInitializing" : "ContainerCreating";

const idOf = (state: PodState, container: ContainerStatus): string => `${state.node.runtimeName}://${container.id}`;

function previousStatus(state: PodState, name: string, role: Role): ApiContainerStatus | undefined {
  const status = state.memory.published ?? state.pod.status;
  const list =
    role === "init"
      ? status?.initContainerStatuses
      : role === "main"
        ? status?.containerStatuses
        : status?.ephemeralContainerStatuses;
  return list?.find((item) => item.name === name);
}

function stateOf(state: PodState, container: ContainerStatus): ContainerState {
  if (container.state === "running") return { running: { startedAt: timestamp(container.startedAtMs) } };
  if (container.state === "created") return { waiting: { reason: defaultReason(state) } };
  const message = state.memory.terminationMessages.get(container.id) ?? container.message;
  return {
    terminated: {
      exitCode: container.state === "unknown" ? 137 : container.exitCode,
      reason:
        container.state === "unknown"
          ? "ContainerStatusUnknown"
          : container.reason === ""
            ? container.exitCode === 0
              ? "Completed"
              : "Error"
            : container.reason,
      ...(message === "" ? {} : { message }),
      startedAt: timestamp(container.startedAtMs),
      finishedAt: timestamp(container.finishedAtMs), // 1970 for what never started, as upstream
      containerID: idOf(state, container),
    },
  };
}

function lastStateOf(
  state: PodState,
  older: readonly ContainerStatus[],
  before: ApiContainerStatus | undefined,
): ContainerState | undefined {
  const previous = older.find((container) => container.state === "exited");
  if (previous !== undefined) return stateOf(state, previous);
  // Collected from the runtime, or lost with it: the API still remembers.
  return before?.lastState?.terminated === undefined ? undefined : before.lastState;
}

export function isStarted(state: PodState, container: AnyContainer, current: ContainerStatus): boolean {
  if (current.state !== "running") return false;
  if (state.memory.starting === container.name) return false; // its postStart hook has not returned
  return container.startupProbe === undefined || state.memory.probes.get(current.id)?.startup === "success";
}

function isReady(
  state: PodState,
  container: AnyContainer,
  role: Role,
  current: ContainerStatus,
  shown: ContainerState,
  started: boolean,
): boolean {
  if (role === "ephemeral") return false;
  if (role === "init" && !isSidecar(container)) return shown.terminated?.exitCode === 0;
  if (!started || shown.running === undefined) return false;
  return container.readinessProbe === undefined || state.memory.probes.get(current.id)?.readiness === "success";
}

/** A running container shows what it has, which may not yet be what it should have. */
function resourcesOf(container: AnyContainer, role: Role, applied: string | undefined): Partial<ApiContainerStatus> {
  if (role === "ephemeral" || container.resources === undefined) return {};
  const { requests, limits } = container.resources;
  const resources = { ...(limits === undefined ? {} : { limits }), ...(requests === undefined ? {} : { requests }) };
  return {
    ...(requests === undefined ? {} : { allocatedResources: requests }),
    resources: applied === undefined || applied === resourcesText(container) ? resources : parse(applied),
  };
}

const mountsOf = (mounts: readonly VolumeMount[] | undefined): Partial<ApiContainerStatus> =>
  mounts === undefined || mounts.length === 0
    ? {}
    : {
        volumeMounts: mounts.map((mount) => ({
          name: mount.name,
          mountPath: mount.mountPath,
          ...(mount.readOnly
            ? { readOnly: true, recursiveReadOnly: mount.recursiveReadOnly === "Enabled" ? "Enabled" : "Disabled" }
            : {}),
        })),
      };
