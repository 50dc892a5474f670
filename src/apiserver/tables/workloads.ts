// Tables of workloads: deployments, replica sets, stateful sets, daemon sets, jobs, cron jobs, replication controllers, revisions.
import { age, humanDuration } from "#api";
import { type Any, ageOf, containerCells, goBool, mapText, nameOf, orNone, selectorCell } from "./cells.ts";
import { ageColumn, column, nameColumn, wide } from "./column.ts";
import type { TableKind } from "./table.ts";

const containerColumns = [wide("Containers"), wide("Images"), wide("Selector")];

const replicated = (selector: (object: Any) => string): TableKind => ({
  columns: [
    nameColumn,
    column("Desired", "integer"),
    column("Current", "integer"),
    column("Ready", "integer"),
    ageColumn,
    ...containerColumns,
  ],
  cells: (object: Any, nowMs) => [
    nameOf(object),
    object.spec?.replicas ?? 0,
    object.status?.replicas ?? 0,
    object.status?.readyReplicas ?? 0,
    ageOf(object, nowMs),
    ...containerCells(object.spec?.template?.spec),
    selector(object),
  ],
});

const hasCondition = (job: Any, type: string): boolean =>
  (job.status?.conditions ?? []).some((condition: Any) => condition.type === type && condition.status === "True");

function jobStatus(job: Any): string {
  if (hasCondition(job, "Complete")) return "Complete";
  if (hasCondition(job, "Failed")) return "Failed";
  if (job.metadata.deletionTimestamp !== undefined) return "Terminating";
  if (hasCondition(job, "Suspended")) return "Suspended";
  if (hasCondition(job, "FailureTarget")) return "FailureTarget";
  if (hasCondition(job, "SuccessCriteriaMet")) return "SuccessCriteriaMet";
  return "Running";
}

function jobCompletions(job: Any): string {
  const done = job.status?.succeeded ?? 0;
  if (job.spec?.completions !== undefined) return `${done}/${job.spec.completions}`;
  const parallelism = job.spec?.parallelism ?? 0;
  return parallelism > 1 ? `${done}/1 of ${parallelism}` : `${done}/1`;
}

function jobDuration(job: Any, nowMs: number): string {
  const { startTime, completionTime } = job.status ?? {};
  if (startTime === undefined) return "";
  return humanDuration((completionTime === undefined ? nowMs : Date.parse(completionTime)) - Date.parse(startTime));
}

export const workloadTables: Readonly<Record<string, TableKind>> = {
  "/ReplicationController": replicated((object) => mapText(object.spec?.selector)),
  "apps/ReplicaSet": replicated((object) => selectorCell(object.spec?.selector)),
  "apps/Deployment": {
    columns: [nameColumn, column("Ready"), column("Up-to-date"), column("Available"), ageColumn, ...containerColumns],
    cells: (object: Any, nowMs) => [
      nameOf(object),
      `${object.status?.readyReplicas ?? 0}/${object.spec?.replicas ?? 0}`,
      object.status?.updatedReplicas ?? 0,
      object.status?.availableReplicas ?? 0,
      ageOf(object, nowMs),
      ...containerCells(object.spec?.template?.spec),
      selectorCell(object.spec?.selector),
    ],
  },
  "apps/StatefulSet": {
    columns: [nameColumn, column("Ready"), ageColumn, wide("Containers"), wide("Images")],
    cells: (object: Any, nowMs) => [
      nameOf(object),
      `${object.status?.readyReplicas ?? 0}/${object.spec?.replicas ?? 0}`,
      ageOf(object, nowMs),
      ...containerCells(object.spec?.template?.spec),
    ],
  },
  "apps/DaemonSet": {
    columns: [
      nameColumn,
      column("Desired", "integer"),
      column("Current", "integer"),
      column("Ready", "integer"),
      column("Up-to-date", "integer"),
      column("Available", "integer"),
      column("Node Selector"),
      ageColumn,
      ...containerColumns,
    ],
    cells: (object: Any, nowMs) => {
      const { status = {}, spec = {} } = object;
      return [
        nameOf(object),
        status.desiredNumberScheduled ?? 0,
        status.currentNumberScheduled ?? 0,
        status.numberReady ?? 0,
        status.updatedNumberScheduled ?? 0,
        status.numberAvailable ?? 0,
        mapText(spec.template?.spec?.nodeSelector),
        ageOf(object, nowMs),
        ...containerCells(spec.template?.spec),
        selectorCell(spec.selector),
      ];
    },
  },
  "apps/ControllerRevision": {
    columns: [nameColumn, column("Controller"), column("Revision"), ageColumn],
    cells: (object: Any, nowMs) => {
      const owner = (object.metadata.ownerReferences ?? []).find((reference: Any) => reference.controller === true);
      const [group = ""] = owner?.apiVersion.includes("/") ? owner.apiVersion.split("/") : [""];
      const kind = owner === undefined ? "" : `${owner.kind.toLowerCase()}${group === "" ? "" : `.${group}`}/${owner.name}`;
      return [nameOf(object), orNone(kind), object.revision ?? 0, ageOf(object, nowMs)];
    },
  },
  "batch/Job": {
    columns: [nameColumn, column("Status"), column("Completions"), column("Duration"), ageColumn, ...containerColumns],
    cells: (object: Any, nowMs) => [
      nameOf(object),
      jobStatus(object),
      jobCompletions(object),
      jobDuration(object, nowMs),
      ageOf(object, nowMs),
      ...containerCells(object.spec?.template?.spec),
      selectorCell(object.spec?.selector),
    ],
  },
  "batch/CronJob": {
    columns: [
      nameColumn,
      column("Schedule"),
      column("Timezone"),
      column("Suspend", "boolean"),
      column("Active", "integer"),
      column("Last Schedule"),
      ageColumn,
      ...containerColumns,
    ],
    cells: (object: Any, nowMs) => {
      const { spec = {}, status = {} } = object;
      const last = status.lastScheduleTime;
      return [
        nameOf(object),
        spec.schedule ?? "",
        spec.timeZone ?? "<none>",
        goBool(spec.suspend),
        (status.active ?? []).length,
        last === undefined ? "<none>" : age(last, nowMs),
        ageOf(object, nowMs),
        ...containerCells(spec.jobTemplate?.spec?.template?.spec),
        selectorCell(spec.jobTemplate?.spec?.selector),
      ];
    },
  },
};
