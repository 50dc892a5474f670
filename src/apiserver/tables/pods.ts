// The table of pods: what kubectl shows as READY, STATUS and RESTARTS is computed from the container states.
import { type ApiObject, humanDuration } from "#api";
import { type Any, ageOf, nameOf, orNone } from "./cells.ts";
import { ageColumn, column, nameColumn, wide } from "./column.ts";
import type { TableKind } from "./table.ts";

interface Totals {
  readonly reason: string;
  readonly restarts: number;
  readonly lastRestart: string | undefined;
  readonly ready: number;
  readonly total: number;
}

const isSidecar = (container: Any): boolean => container.restartPolicy === "Always";
const latest = (a: string | undefined, b: string | undefined): string | undefined =>
  a === undefined ? b : b === undefined || b < a ? a : b;
const hasCondition = (pod: Any, type: string): boolean =>
  (pod.status?.conditions ?? []).some((condition: Any) => condition.type === type && condition.status === "True");

function totalsOf(pod: Any): Totals {
  const { spec = {}, status = {} } = pod;
  let reason: string = status.reason ? status.reason : (status.phase ?? "");
  if (
    (status.conditions ?? []).some(
      (condition: Any) => condition.type === "PodScheduled" && condition.reason === "SchedulingGated",
    )
  )
    reason = "SchedulingGated";
  const initContainers: Any[] = spec.initContainers ?? [];
  let total = (spec.containers ?? []).length + initContainers.filter(isSidecar).length;
  let restarts = 0;
  let ready = 0;
  let lastRestart: string | undefined;
  let sidecarRestarts = 0;
  let lastSidecar: string | undefined;
  let initializing = false;
  for (const [index, container] of (status.initContainerStatuses ?? []).entries()) {
    restarts += container.restartCount ?? 0;
    lastRestart = latest(lastRestart, container.lastState?.terminated?.finishedAt);
    const spec = initContainers.find((other) => other.name === container.name) ?? {};
    if (isSidecar(spec)) {
      sidecarRestarts += container.restartCount ?? 0;
      lastSidecar = latest(lastSidecar, container.lastState?.terminated?.finishedAt);
    }
    const { terminated, waiting } = container.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (isSidecar(spec) && container.started === true) {
      if (container.ready) ready++;
      continue;
    }
    if (terminated !== undefined) {
      if ((terminated.reason ?? "") !== "") reason = `Init:${terminated.reason}`;
      else
        reason =
          (terminated.signal ?? 0) !== 0 ? `Init:Signal:${terminated.signal}` : `Init:ExitCode:${terminated.exitCode ?? 0}`;
    } else if ((waiting?.reason ?? "") !== "" && waiting.reason !== "PodInitializing") reason = `Init:${waiting.reason}`;
    else reason = `Init:${index}/${initContainers.length}`;
    initializing = true;
    break;
  }
  if (!initializing || hasCondition(pod, "Initialized")) {
    restarts = sidecarRestarts;
    lastRestart = lastSidecar;
    let running = false;
    for (const container of [...(status.containerStatuses ?? [])].reverse()) {
      restarts += container.restartCount ?? 0;
      lastRestart = latest(lastRestart, container.lastState?.terminated?.finishedAt);
      const { waiting, terminated, running: runs } = container.state ?? {};
      if ((waiting?.reason ?? "") !== "") reason = waiting.reason;
      else if ((terminated?.reason ?? "") !== "") reason = terminated.reason;
      else if (terminated !== undefined)
        reason = (terminated.signal ?? 0) !== 0 ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode ?? 0}`;
      else if (container.ready && runs !== undefined) {
        running = true;
        ready++;
      }
    }
    if (reason === "Completed" && running) reason = hasCondition(pod, "Ready") ? "Running" : "NotReady";
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (status.reason === "NodeLost") reason = "Unknown";
    else if (status.phase !== "Failed" && status.phase !== "Succeeded") reason = "Terminating";
  }
  total = Math.max(total, 0);
  return { reason, restarts, lastRestart, ready, total };
}

function podCells(object: ApiObject, nowMs: number): unknown[] {
  const pod = object as Any;
  const { reason, restarts, lastRestart, ready, total } = totalsOf(pod);
  const ip = pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? "";
  const gates: Any[] = pod.spec?.readinessGates ?? [];
  const trueGates = gates.filter((gate) => hasCondition(pod, gate.conditionType)).length;
  return [
    nameOf(pod),
    `${ready}/${total}`,
    reason,
    restarts > 0 && lastRestart !== undefined
      ? `${restarts} (${humanDuration(nowMs - Date.parse(lastRestart))} ago)`
      : String(restarts),
    ageOf(pod, nowMs),
    orNone(ip),
    orNone(pod.spec?.nodeName ?? ""),
    orNone(pod.status?.nominatedNodeName ?? ""),
    gates.length === 0 ? "<none>" : `${trueGates}/${gates.length}`,
  ];
}

const completed = (reason: string, message: string): readonly object[] => [
  { type: "Completed", status: "True", reason, message },
];
const finished: Readonly<Record<string, readonly object[]>> = {
  Succeeded: completed("Succeeded", "The pod has completed successfully."),
  Failed: completed("Failed", "The pod failed."),
};

export const podTable: TableKind = {
  columns: [
    nameColumn,
    column("Ready"),
    column("Status"),
    column("Restarts"),
    ageColumn,
    wide("IP"),
    wide("Node"),
    wide("Nominated Node"),
    wide("Readiness Gates"),
  ],
  cells: podCells,
  rowConditions: (object) => finished[(object as Any).status?.phase as string],
};
