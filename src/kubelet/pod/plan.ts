// The state machine of one pod: from what is wanted, what runs and what is remembered to what happens next. Pure.
import type { ContainerStatus, SandboxStatus } from "../runtime.ts";
import { containerStatuses, isStarted } from "./container-status.ts";
import { formatPod, goDuration, runtimeAnnotations } from "./names.ts";
import { podPhase } from "./phase.ts";
import { appliedResources, resizeOf } from "./resize.ts";
import { backoffUntil, containerHash, newestFirst, shouldRestart } from "./restart.ts";
import {
  type AnyContainer,
  ephemeralContainers,
  findContainer,
  initContainers,
  isSidecar,
  isTerminalPhase,
  type Role,
  sidecars,
} from "./spec.ts";
import { type Action, actionKey, type Ended, type PodPlan, type PodState } from "./state.ts";
import { podStatus } from "./status.ts";

/** A container that is asked to stop gets this many seconds at least. */
const shortestGraceSeconds = 2;

export function planPod(state: PodState, now: number): PodPlan {
  const draft = new Draft(state, now);
  const { pod, memory } = state;

  const isDeleted = state.removed || pod.metadata.deletionTimestamp !== undefined;
  const isAlive = state.containers.some(isRunning);
  if (memory.rejected !== undefined) {
    draft.stopping = true;
    planStop(draft, isDeleted, 0);
    return draft.finish(
      podStatus(state, { statuses: noStatuses, hasSandbox: false, isStopping: true, ended: undefined, isAlive, now }),
    );
  }

  // What the status will say decides whether the pod is finished, so it comes first; waiting reasons are added while planning.
  const waits = crashWaits(draft);
  const statuses = containerStatuses(state, waits);
  const hasFinished =
    isTerminalPhase(memory.published?.phase ?? pod.status?.phase) || isTerminalPhase(podPhase(pod, statuses, false));
  const ended: Ended | undefined = memory.ended ?? (isDeleted || hasFinished ? undefined : deadlineExceeded(draft));
  const isStopping = isDeleted || hasFinished || ended !== undefined;

  if (isStopping) {
    draft.stopping = true;
    draft.ended = memory.ended === undefined ? ended : undefined;
    const grace = graceSeconds(state, isDeleted);
    planStop(draft, isDeleted, Math.min(grace, ended?.graceSeconds ?? grace));
  } else {
    planRun(draft);
  }
  const sandbox = readySandbox(state);
  const hasSandbox = sandbox !== undefined && !(isStopping && !isAlive);
  // While it stops, a container that waits for its next start simply has ended.
  const shown = isStopping ? containerStatuses(state, new Map()) : statuses;
  return draft.finish(
    podStatus(state, { statuses: shown, hasSandbox, isStopping, ended, isAlive: isAlive || memory.busy.has("start"), now }),
  );
}

const noStatuses = { init: [], main: [], ephemeral: [] } as const;

/** Collects what the plan decides; one method per kind of decision keeps the rules below readable. */
class Draft {
  readonly state: PodState;
  readonly now: number;
  readonly actions: Action[] = [];
  readonly cancel: string[] = [];
  readonly crashLoops: { name: string; containerId: string }[] = [];
  stopping = false;
  ended: PodPlan["ended"];
  #wakeAtMs: number | undefined;

  constructor(state: PodState, now: number) {
    this.state = state;
    this.now = now;
  }

  isBusy(key: string): boolean {
    return this.state.memory.busy.has(key);
  }

  do(action: Action): void {
    const key = actionKey(action);
    if (!this.isBusy(key) && !this.actions.some((other) => actionKey(other) === key)) this.actions.push(action);
  }

  wakeAt(ms: number | undefined): void {
    if (ms !== undefined && ms > this.now) this.#wakeAtMs = Math.min(this.#wakeAtMs ?? ms, ms);
  }

  /** True when the time has come; otherwise the plan is looked at again then. */
  isDue(ms: number | undefined): boolean {
    this.wakeAt(ms);
    return ms === undefined || ms <= this.now;
  }

  finish(status: PodPlan["status"]): PodPlan {
    return {
      actions: this.actions,
      status,
      cancel: this.cancel,
      ...(this.#wakeAtMs === undefined ? {} : { wakeAtMs: this.#wakeAtMs }),
      stopping: this.stopping,
      ...(this.ended === undefined ? {} : { ended: this.ended }),
      crashLoops: this.crashLoops,
    };
  }
}

// ---------------------------------------------------------------- running

function planRun(draft: Draft): void {
  const { state } = draft;
  const { memory } = state;
  if (memory.volumes.phase !== "mounted") {
    if (draft.isDue(memory.volumes.phase === "none" ? memory.volumes.retryAtMs : undefined)) draft.do({ kind: "mountVolumes" });
    return;
  }
  const sandbox = readySandbox(state);
  for (const other of state.sandboxes) if (other.ready && other !== sandbox) draft.do({ kind: "stopSandbox", id: other.id });
  if (sandbox === undefined) {
    planSandbox(draft);
    return;
  }
  collectGarbage(draft, sandbox);
  planStops(draft, sandbox);
  planNextStart(draft, sandbox);
}

function planSandbox(draft: Draft): void {
  const { state } = draft;
  if (draft.isBusy("start")) {
    draft.cancel.push("start"); // it starts in a sandbox that is dead
    return;
  }
  // What still runs without its sandbox is stopped first: two generations of a pod never run side by side.
  const orphans = state.containers.filter(isRunning);
  for (const container of orphans) {
    draft.do({ kind: "stopContainer", id: container.id, name: container.name, graceSeconds: specGrace(state) });
  }
  if (orphans.length > 0 || !draft.isDue(state.memory.sandboxRetryAtMs)) return;
  for (const container of sandboxStartDelays(draft)) if (!draft.isDue(container)) return;
  const attempt = state.sandboxes.reduce((most, sandbox) => Math.max(most, sandbox.attempt + 1), 0);
  draft.do({ kind: "createSandbox", attempt, replaces: state.sandboxes.length > 0 });
}

/** A new sandbox is only made once the first container to run in it may start. */
function sandboxStartDelays(draft: Draft): readonly number[] {
  const times = draft.state.pod.spec.containers
    .map((container) => startDelay(draft, container))
    .filter((time) => time !== undefined);
  return times.length === draft.state.pod.spec.containers.length && initContainers(draft.state.pod).length === 0
    ? [Math.min(...times)]
    : [];
}

function startDelay(draft: Draft, container: AnyContainer): number | undefined {
  const newest = newestFirst(draft.state.containers, container.name)[0];
  if (newest?.state !== "exited") return undefined;
  return backoffUntil(draft.state.memory.crashBackoff.get(container.name), newest.finishedAtMs);
}

/** Containers that fail their liveness or startup probe, or whose image was changed. */
function planStops(draft: Draft, sandbox: SandboxStatus): void {
  const { pod, memory } = draft.state;
  for (const container of [...initContainers(pod).filter(isSidecar), ...pod.spec.containers]) {
    const current = currentOf(draft, container.name, sandbox);
    if (current?.state !== "running" || memory.starting === container.name) continue;
    const results = memory.probes.get(current.id);
    const failed = results?.startup === "failure" ? "startup" : results?.liveness === "failure" ? "liveness" : undefined;
    if (failed !== undefined) {
      const probe = failed === "startup" ? container.startupProbe : container.livenessProbe;
      const grace = probe?.terminationGracePeriodSeconds ?? specGrace(draft.state);
      stopForRestart(draft, container, current, grace, `Container ${container.name} failed ${failed} probe, will be restarted`);
      continue;
    }
    const hash = current.annotations[runtimeAnnotations.hash];
    if (hash !== undefined && hash !== containerHash(container)) {
      stopForRestart(
        draft,
        container,
        current,
        specGrace(draft.state),
        `Container ${container.name} definition changed, will be restarted`,
      );
    } else planResize(draft, container, current);
  }
}

function planResize(draft: Draft, container: AnyContainer, current: ContainerStatus): void {
  const resize = resizeOf(container, appliedResources(current, draft.state.memory.resized));
  if (resize === "in place") draft.do({ kind: "resizeContainer", id: current.id, name: container.name });
  else if (resize === "restart")
    stopForRestart(draft, container, current, specGrace(draft.state), `Container ${container.name} resize requires restart`);
}

/** preStop hook first, then the stop. */
function stopForRestart(draft: Draft, container: AnyContainer, current: ContainerStatus, grace: number, why: string): void {
  const { memory } = draft.state;
  if (container.lifecycle?.preStop !== undefined && grace > 0 && !memory.preStopDone.has(current.id)) {
    draft.do({ kind: "preStop", id: current.id, name: container.name, timeoutMs: grace * 1000 });
    return;
  }
  if (!memory.stops.has(current.id))
    draft.do({ kind: "stopContainer", id: current.id, name: container.name, graceSeconds: grace, why });
}

/** At most one container starts at a time, in order: a postStart hook holds up those that come after it, as upstream. */
function planNextStart(draft: Draft, sandbox: SandboxStatus): void {
  const { state } = draft;
  if (draft.isBusy("start")) return;
  for (const container of ephemeralContainers(state.pod)) {
    if (newestFirst(state.containers, container.name).length === 0 && tryStart(draft, container, sandbox)) return;
  }
  if (!planInit(draft, sandbox)) return;
  for (const container of state.pod.spec.containers) {
    if (needsStart(draft, container, "main", sandbox) && tryStart(draft, container, sandbox)) return;
  }
}

/** True when main containers may start. */
function planInit(draft: Draft, sandbox: SandboxStatus): boolean {
  const { pod } = draft.state;
  const hasMain = pod.spec.containers.some((container) => currentOf(draft, container.name, sandbox) !== undefined);
  for (const container of initContainers(pod)) {
    const current = currentOf(draft, container.name, sandbox);
    if (isSidecar(container)) {
      if (needsStart(draft, container, "init", sandbox)) {
        const begun = tryStart(draft, container, sandbox);
        if (begun || !hasMain) return false;
      } else if (!hasMain && (current === undefined || !isStarted(draft.state, container, current))) return false;
    } else if (!hasMain) {
      if (current?.state === "exited" && current.exitCode === 0) continue;
      if (needsStart(draft, container, "init", sandbox)) tryStart(draft, container, sandbox);
      return false;
    }
  }
  return true;
}

function needsStart(draft: Draft, container: AnyContainer, role: Role, sandbox: SandboxStatus): boolean {
  const current = currentOf(draft, container.name, sandbox);
  if (current === undefined) {
    // A new sandbox: what had ended for good in the one before stays ended.
    const before = newestFirst(draft.state.containers, container.name)[0];
    return role === "init" || before?.state !== "exited" || shouldRestart(draft.state.pod, container, role, before.exitCode);
  }
  if (current.state === "exited") return shouldRestart(draft.state.pod, container, role, current.exitCode);
  return current.state !== "running";
}

/** False while the container has to wait: back-off after a crash, or after a failed start. */
function tryStart(draft: Draft, container: AnyContainer, sandbox: SandboxStatus): boolean {
  const { memory } = draft.state;
  const newest = newestFirst(draft.state.containers, container.name)[0];
  const crashed = newest?.state === "exited" && newest.sandboxId === sandbox.id ? startDelay(draft, container) : undefined;
  const ready = draft.isDue(crashed);
  const retry = draft.isDue(memory.startFailures.get(container.name)?.retryAtMs);
  if (!ready || !retry) return false;
  draft.do({ kind: "startContainer", name: container.name, attempt: nextAttempt(draft, container.name), sandboxId: sandbox.id });
  return true;
}

/** The restart count of the next run; survives containers that the runtime has lost. */
function nextAttempt(draft: Draft, name: string): number {
  const newest = newestFirst(draft.state.containers, name)[0];
  if (newest !== undefined) return newest.attempt + 1;
  const status = draft.state.memory.published ?? draft.state.pod.status;
  const before = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].find(
    (item) => item.name === name,
  );
  if (before === undefined) return 0;
  const hasRun = before.state?.running !== undefined || before.state?.terminated !== undefined;
  return before.restartCount + (hasRun ? 1 : 0);
}

/** Waiting reasons of containers that have crashed and may not start yet; also says which, for the BackOff event. */
function crashWaits(draft: Draft): Map<string, { reason: string; message: string }> {
  const { state, now } = draft;
  const waits = new Map<string, { reason: string; message: string }>();
  for (const { container, role } of restartable(state)) {
    const newest = newestFirst(state.containers, container.name)[0];
    const backoff = state.memory.crashBackoff.get(container.name);
    if (newest?.state !== "exited" || backoff === undefined || state.memory.starting === container.name) continue;
    if (!shouldRestart(state.pod, container, role, newest.exitCode) || backoffUntil(backoff, newest.finishedAtMs) <= now)
      continue;
    waits.set(container.name, {
      reason: "CrashLoopBackOff",
      message: `back-off ${goDuration(backoff.delayMs)} restarting failed container=${container.name} pod=${formatPod(state.pod)}`,
    });
    draft.crashLoops.push({ name: container.name, containerId: newest.id });
  }
  return waits;
}

function restartable(state: PodState): readonly { container: AnyContainer; role: Role }[] {
  return [
    ...initContainers(state.pod).map((container) => ({ container, role: "init" as const })),
    ...state.pod.spec.containers.map((container) => ({ container, role: "main" as const })),
  ];
}

/** Of each container name the newest two runs stay (state and lastState); of sandboxes the newest. */
function collectGarbage(draft: Draft, sandbox: SandboxStatus): void {
  const { containers, sandboxes } = draft.state;
  for (const name of new Set(containers.map((container) => container.name))) {
    for (const old of newestFirst(containers, name).slice(2))
      if (!isRunning(old)) draft.do({ kind: "removeContainer", id: old.id });
  }
  for (const old of sandboxes) {
    if (old === sandbox || old.ready || containers.some((container) => container.sandboxId === old.id)) continue;
    draft.do({ kind: "removeSandbox", id: old.id });
  }
}

// ---------------------------------------------------------------- stopping

function planStop(draft: Draft, isDeleted: boolean, grace: number): void {
  const { state, now } = draft;
  const { memory } = state;
  for (const key of ["start", "sandbox"]) if (draft.isBusy(key)) draft.cancel.push(key);
  if (memory.volumes.phase === "none" && draft.isBusy("volumes")) draft.cancel.push("volumes");

  const deadlineMs = (memory.stoppingSinceMs ?? now) + grace * 1000;
  const running = state.containers.filter(isRunning);
  const order = sidecars(state.pod).map((container) => container.name);
  for (const container of running) {
    const place = order.indexOf(container.name);
    const hasTurn =
      place < 0 ||
      now >= deadlineMs ||
      !running.some((other) => order.indexOf(other.name) < 0 || order.indexOf(other.name) > place);
    planStopOf(draft, container, deadlineMs, hasTurn, grace);
  }
  const isBusy = ["start", "sandbox", "volumes"].some((key) => draft.isBusy(key));
  if (running.length > 0 || isBusy) {
    draft.wakeAt(deadlineMs);
    return;
  }
  for (const sandbox of state.sandboxes) {
    if (sandbox.ready && (isDeleted || !state.node.keepTerminalSandbox)) draft.do({ kind: "stopSandbox", id: sandbox.id });
  }
  if (draft.actions.length > 0 || state.sandboxes.some((sandbox) => draft.isBusy(`end:${sandbox.id}`))) return;
  if (memory.volumes.phase !== "gone") {
    draft.do({ kind: "unmountVolumes" }); // also where none is known: a kubelet before this one may have mounted them
    return;
  }
  if (isDeleted) planRemoval(draft);
}

function planStopOf(draft: Draft, container: ContainerStatus, deadlineMs: number, hasTurn: boolean, grace: number): void {
  const { state, now } = draft;
  const spec = findContainer(state.pod, container.name)?.container;
  const hasHook = spec?.lifecycle?.preStop !== undefined && grace > 0 && !state.memory.preStopDone.has(container.id);
  if (hasHook && now < deadlineMs) {
    draft.do({ kind: "preStop", id: container.id, name: container.name, timeoutMs: deadlineMs - now });
    return;
  }
  if (!hasTurn) return;
  const left = Math.ceil((deadlineMs - now) / 1000);
  const graceSeconds = grace < shortestGraceSeconds ? Math.max(grace, 0) : Math.max(left, shortestGraceSeconds);
  const order = state.memory.stops.get(container.id);
  if (order === undefined) {
    draft.do({ kind: "stopContainer", id: container.id, name: container.name, graceSeconds });
  } else if (order.deadlineMs > now + graceSeconds * 1000 + 500) {
    // The grace period was shortened meanwhile: the order under way is given up for a harsher one.
    draft.cancel.push(`end:${container.id}`);
    draft.actions.push({ kind: "stopContainer", id: container.id, name: container.name, graceSeconds });
  }
}

/** Containers, then sandboxes, then the object: the API keeps the pod until nothing of it is left here (I39). */
function planRemoval(draft: Draft): void {
  const { state } = draft;
  for (const container of state.containers) draft.do({ kind: "removeContainer", id: container.id });
  if (state.containers.length > 0) return;
  for (const sandbox of state.sandboxes) draft.do({ kind: "removeSandbox", id: sandbox.id });
  if (state.sandboxes.length > 0) return;
  draft.do(state.removed || state.memory.objectGone ? { kind: "forget" } : { kind: "deleteObject" });
}

// ---------------------------------------------------------------- questions

const isRunning = (container: ContainerStatus): boolean => container.state === "running" || container.state === "unknown";

export const readySandbox = (state: PodState): SandboxStatus | undefined =>
  state.sandboxes
    .filter((sandbox) => sandbox.ready)
    .reduce<SandboxStatus | undefined>(
      (best, sandbox) => (best === undefined || sandbox.attempt > best.attempt ? sandbox : best),
      undefined,
    );

/** The newest run of a container in this sandbox. */
const currentOf = (draft: Draft, name: string, sandbox: SandboxStatus): ContainerStatus | undefined =>
  newestFirst(draft.state.containers, name).find((container) => container.sandboxId === sandbox.id);

const specGrace = (state: PodState): number => state.pod.spec.terminationGracePeriodSeconds ?? 30;

function graceSeconds(state: PodState, isDeleted: boolean): number {
  const { pod } = state;
  if (!isDeleted) return specGrace(state);
  const grace =
    pod.metadata.deletionGracePeriodSeconds ??
    (state.removed && pod.metadata.deletionTimestamp === undefined ? specGrace(state) : 0);
  return Math.max(grace, 1);
}

function deadlineExceeded(draft: Draft): { reason: string; message: string } | undefined {
  const seconds = draft.state.pod.spec.activeDeadlineSeconds;
  if (seconds === undefined) return undefined;
  if (!draft.isDue(draft.state.memory.startedAtMs + seconds * 1000)) return undefined;
  return { reason: "DeadlineExceeded", message: "Pod was active on the node longer than the specified deadline" };
}
