// When a CronJob starts its next Job, which running ones it stops, and which finished ones it forgets: pure.
import {
  apiVersionOf,
  type CronJob,
  type CronJobStatus,
  cronJobs,
  type Job,
  jobs as jobType,
  type ObjectReference,
  type Stored,
  semanticEqual,
} from "#api";
import { controllerReference, referenceTo, rfc3339 } from "#client";
import { parseSchedule, type Schedule } from "./schedule.ts";

export interface CronEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

export interface CronPlan {
  /** Running Jobs that make room (concurrencyPolicy Replace). */
  readonly replace: readonly Stored<Job>[];
  readonly create: Job | undefined;
  /** Finished Jobs beyond the history limits. */
  readonly forget: readonly Stored<Job>[];
  /** The status after these steps, without the Job to be created. Undefined when the stored one is right. */
  readonly status: CronJobStatus | undefined;
  /** Becomes lastScheduleTime once the Job exists. */
  readonly scheduledMs: number | undefined;
  readonly events: readonly CronEvent[];
  readonly requeueAfterMs: number | undefined;
}

const finishedType = (job: Job): "Complete" | "Failed" | undefined =>
  job.status?.conditions?.find(({ type, status }) => (type === "Complete" || type === "Failed") && status === "True")?.type as
    | "Complete"
    | "Failed"
    | undefined;

/** `children` are the Jobs that the CronJob controls. */
export function planCronJob(cronJob: Stored<CronJob>, children: readonly Stored<Job>[], nowMs: number): CronPlan {
  const events: CronEvent[] = [];
  const active = activeAfter(cronJob, children, events);
  const forget = history(cronJob, children);
  const running = children.filter((job) => finishedType(job) === undefined && active.some(({ uid }) => uid === job.metadata.uid));
  const result = (more: Partial<CronPlan> = {}): CronPlan => {
    const remaining = active.filter(({ uid }) => !(more.replace ?? []).some(({ metadata }) => metadata.uid === uid));
    const status = statusWith(cronJob, children, remaining);
    return {
      replace: [],
      create: undefined,
      forget,
      scheduledMs: undefined,
      requeueAfterMs: undefined,
      events,
      ...more,
      status: semanticEqual(status, cronJob.status ?? {}) ? undefined : status,
    };
  };
  if (cronJob.metadata.deletionTimestamp !== undefined || cronJob.spec.suspend === true) return result();

  let schedule: Schedule;
  try {
    schedule = parseSchedule(cronJob.spec.schedule, cronJob.spec.timeZone);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const zone = message.startsWith("unknown time zone");
    events.push({
      type: "Warning",
      reason: zone ? "UnknownTimeZone" : "UnparseableSchedule",
      message: zone
        ? `invalid timeZone: "${cronJob.spec.timeZone}": ${message}`
        : `unparseable schedule: "${cronJob.spec.schedule}" : ${message}`,
    });
    return result();
  }
  const next = schedule.next(nowMs);
  // 100 ms late: so that the clock of the server has passed it as well.
  const requeueAfterMs = next === undefined ? undefined : next - nowMs + 100;
  const { dueMs, tooMany } = lastDue(cronJob, schedule, nowMs);
  if (tooMany)
    events.push({
      type: "Warning",
      reason: "TooManyMissedTimes",
      message: "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew",
    });
  if (dueMs === undefined) return result({ requeueAfterMs });
  const deadline = cronJob.spec.startingDeadlineSeconds;
  if (deadline !== undefined && dueMs + deadline * 1000 < nowMs) {
    events.push({
      type: "Warning",
      reason: "MissSchedule",
      message: `Missed scheduled time to start a job: ${new Date(dueMs).toUTCString().replace("GMT", "+0000")}`,
    });
    return result({ requeueAfterMs });
  }
  const name = `${cronJob.metadata.name}-${Math.floor(dueMs / 60_000)}`;
  // It was started already; only our status does not say so yet.
  if (children.some(({ metadata }) => metadata.name === name) || cronJob.status?.lastScheduleTime === rfc3339(dueMs))
    return result({ requeueAfterMs });
  if (cronJob.spec.concurrencyPolicy === "Forbid" && running.length > 0) {
    events.push({
      type: "Normal",
      reason: "JobAlreadyActive",
      message: "Not starting job because prior execution is running and concurrency policy is Forbid",
    });
    return result({ requeueAfterMs });
  }
  const replace = cronJob.spec.concurrencyPolicy === "Replace" ? running : [];
  return result({ replace, create: newJob(cronJob, name, dueMs), scheduledMs: dueMs, requeueAfterMs });
}

/** The latest time that was due since the last start. Looking back is bounded: 100 missed times are enough to know that something is wrong. */
function lastDue(
  cronJob: Stored<CronJob>,
  schedule: Schedule,
  nowMs: number,
): { readonly dueMs: number | undefined; readonly tooMany: boolean } {
  let from = Date.parse(cronJob.status?.lastScheduleTime ?? cronJob.metadata.creationTimestamp);
  const deadline = cronJob.spec.startingDeadlineSeconds;
  if (deadline !== undefined) from = Math.max(from, nowMs - deadline * 1000);
  let dueMs: number | undefined;
  let missed = 0;
  for (let at = schedule.next(from); at !== undefined && at <= nowMs; at = schedule.next(at)) {
    dueMs = at;
    if (++missed > 100) {
      // Regular enough: jump close to now instead of walking through years of minutes.
      const period = (schedule.next(at) ?? at) - at;
      if (period > 0 && nowMs - at > 2 * period) at += Math.floor((nowMs - at) / period - 1) * period;
    }
  }
  return { dueMs, tooMany: missed > 100 };
}

function activeAfter(
  cronJob: Stored<CronJob>,
  children: readonly Stored<Job>[],
  events: CronEvent[],
): readonly ObjectReference[] {
  const active: ObjectReference[] = [];
  for (const reference of cronJob.status?.active ?? []) {
    const job = children.find(({ metadata }) => metadata.uid === reference.uid);
    if (job === undefined) {
      events.push({ type: "Normal", reason: "MissingJob", message: `Active job went missing: ${reference.name}` });
      continue;
    }
    const finished = finishedType(job);
    if (finished === undefined) active.push(reference);
    else
      events.push({
        type: "Normal",
        reason: "SawCompletedJob",
        message: `Saw completed job: ${reference.name}, condition: ${finished}`,
      });
  }
  for (const job of children) {
    if (finishedType(job) !== undefined || active.some(({ uid }) => uid === job.metadata.uid)) continue;
    active.push(referenceTo(jobType, job));
    events.push({
      type: "Warning",
      reason: "UnexpectedJob",
      message: `Saw a job that the controller did not create or forgot: ${job.metadata.name}`,
    });
  }
  return active;
}

function statusWith(cronJob: CronJob, children: readonly Job[], active: readonly ObjectReference[]): CronJobStatus {
  const successes = children.flatMap((job) =>
    finishedType(job) === "Complete" && job.status?.completionTime !== undefined ? [job.status.completionTime] : [],
  );
  const last = [...successes, ...(cronJob.status?.lastSuccessfulTime === undefined ? [] : [cronJob.status.lastSuccessfulTime])]
    .sort()
    .at(-1);
  return {
    ...(active.length === 0 ? {} : { active }),
    ...(cronJob.status?.lastScheduleTime === undefined ? {} : { lastScheduleTime: cronJob.status.lastScheduleTime }),
    ...(last === undefined ? {} : { lastSuccessfulTime: last }),
  };
}

function history(cronJob: CronJob, children: readonly Stored<Job>[]): readonly Stored<Job>[] {
  const surplus = (type: "Complete" | "Failed", limit: number): readonly Stored<Job>[] => {
    const finished = children.filter((job) => finishedType(job) === type && job.metadata.deletionTimestamp === undefined);
    return [...finished]
      .sort((a, b) => order(a.status?.startTime ?? "", b.status?.startTime ?? "") || order(a.metadata.name, b.metadata.name))
      .slice(0, Math.max(0, finished.length - limit));
  };
  return [
    ...surplus("Complete", cronJob.spec.successfulJobsHistoryLimit ?? 3),
    ...surplus("Failed", cronJob.spec.failedJobsHistoryLimit ?? 1),
  ];
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const newJob = (cronJob: Stored<CronJob>, name: string, dueMs: number): Job => ({
  apiVersion: apiVersionOf(jobType),
  kind: jobType.kind,
  metadata: {
    namespace: cronJob.metadata.namespace,
    name,
    ...(cronJob.spec.jobTemplate.metadata?.labels === undefined ? {} : { labels: cronJob.spec.jobTemplate.metadata.labels }),
    annotations: {
      ...cronJob.spec.jobTemplate.metadata?.annotations,
      "batch.kubernetes.io/cronjob-scheduled-timestamp": rfc3339(dueMs),
    },
    ownerReferences: [controllerReference(cronJobs, cronJob)],
  },
  // The template was validated with the CronJob, which demands a spec.
  spec: cronJob.spec.jobTemplate.spec as Job["spec"],
});
