// What a Job does next: which pods it counts, creates and deletes, and whether it is done. Pure.
import { type Job, type JobCondition, type JobStatus, jobs, type Pod, type Stored, semanticEqual } from "#api";
import { controllerReference, rfc3339 } from "#client";
import { podFromTemplate } from "../replicaset/plan.ts";
import { setCondition } from "../shared/conditions.ts";
import { isReady, isTerminating } from "../shared/pods.ts";
import { failureRule } from "./failure-policy.ts";
import { formatIndexes, parseIndexes } from "./indexes.ts";

export const trackingFinalizer = "batch.kubernetes.io/job-tracking";
const indexAnnotation = "batch.kubernetes.io/job-completion-index";
const indexFailuresAnnotation = "batch.kubernetes.io/job-index-failure-count";
const burst = 500;

export interface JobFacts {
  readonly job: Stored<Job>;
  /** Pods that the Job controls and that still live in the cache. */
  readonly pods: readonly Stored<Pod>[];
  readonly nowMs: number;
  /** Time since when creation is held back after failures. */
  readonly backoffUntilMs: number;
}

export interface JobPlan {
  /** Pods to create. */
  readonly create: readonly Pod[];
  readonly remove: readonly Stored<Pod>[];
  /** First write: counts with the uids of pods whose finalizer is about to go. Undefined when the stored one is right. */
  readonly status: JobStatus | undefined;
  /** Pods that are counted and may lose their finalizer once the status is stored. */
  readonly release: readonly Stored<Pod>[];
  /** Uids of newly failed pods, for the backoff. */
  readonly newlyFailed: number;
  readonly newlySucceeded: number;
  readonly finished: "Complete" | "Failed" | undefined;
  readonly event: { readonly type: "Normal" | "Warning"; readonly reason: string; readonly message: string } | undefined;
  readonly requeueAfterMs: number | undefined;
}

const isIndexed = (job: Job): boolean => job.spec.completionMode === "Indexed";

export function indexOf(pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[indexAnnotation];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

const finishedCondition = (job: Job): JobCondition | undefined =>
  job.status?.conditions?.find(({ type, status }) => (type === "Complete" || type === "Failed") && status === "True");

const hasFinalizer = (pod: Pod): boolean => pod.metadata.finalizers?.includes(trackingFinalizer) === true;

export function planJob(facts: JobFacts): JobPlan {
  const { job, pods, nowMs } = facts;
  if (finishedCondition(job) !== undefined || job.metadata.deletionTimestamp !== undefined)
    return nothing(pods.filter(hasFinalizer));
  const count = countPods(facts);
  const verdict = decide(facts, count);
  const suspended = job.spec.suspend === true;
  const active = count.active;

  let create: readonly Pod[] = [];
  let remove: readonly Stored<Pod>[] = [];
  let requeueAfterMs: number | undefined;
  if (verdict !== undefined || suspended) remove = active;
  else {
    const wanted = wantedActive(job, count);
    const occupied = active.length + (replacesOnlyFailed(job) ? count.terminating.length : 0);
    if (occupied > wanted) remove = surplus(job, active, count, active.length - Math.max(0, wanted - (occupied - active.length)));
    else if (occupied < wanted) {
      if (facts.backoffUntilMs > nowMs) requeueAfterMs = facts.backoffUntilMs - nowMs;
      else create = newPods(job, Math.min(wanted - occupied, burst), count);
    }
    if (isIndexed(job)) remove = [...remove, ...duplicates(job, active, count).filter((pod) => !remove.includes(pod))];
  }

  const deadlineMs = deadlineOf(job);
  if (deadlineMs !== undefined && verdict === undefined)
    requeueAfterMs = Math.min(requeueAfterMs ?? Number.POSITIVE_INFINITY, Math.max(1, deadlineMs - nowMs));
  // A Job is not finished before all its pods are gone or done (upstream 1.31: no success or failure while pods still terminate).
  const pending = remove.length + count.terminating.length;
  const finished = verdict !== undefined && pending === 0 ? (verdict.success ? "Complete" : "Failed") : undefined;
  const status = statusAfter(facts, count, verdict, { finished, removing: remove.length, creating: create.length });
  return {
    create,
    remove,
    release: count.counted,
    status: semanticEqual(status, job.status ?? {}) ? undefined : status,
    newlyFailed: count.newlyFailed.length,
    newlySucceeded: count.newlySucceeded.length,
    finished,
    event:
      finished === undefined || verdict === undefined
        ? suspendEvent(job)
        : {
            type: verdict.success ? "Normal" : "Warning",
            reason: verdict.success ? "Completed" : verdict.reason,
            message: verdict.success ? "Job completed" : verdict.message,
          },
    requeueAfterMs,
  };
}

const nothing = (release: readonly Stored<Pod>[]): JobPlan => ({
  create: [],
  remove: [],
  status: undefined,
  release,
  newlyFailed: 0,
  newlySucceeded: 0,
  finished: undefined,
  event: undefined,
  requeueAfterMs: undefined,
});

interface Count {
  readonly active: readonly Stored<Pod>[];
  readonly terminating: readonly Stored<Pod>[];
  /** Finished pods that still carry the finalizer. */
  readonly counted: readonly Stored<Pod>[];
  readonly newlySucceeded: readonly Stored<Pod>[];
  readonly newlyFailed: readonly Stored<Pod>[];
  readonly succeeded: number;
  readonly failed: number;
  readonly completedIndexes: ReadonlySet<number>;
  readonly failedIndexes: ReadonlySet<number>;
  /** Failures by index under backoffLimitPerIndex. */
  readonly failuresByIndex: ReadonlyMap<number, number>;
  readonly failJob: string | undefined;
  readonly restarts: number;
}

/** Every finished pod is counted once: those whose uid is noted were counted before (I24). */
function countPods({ job, pods }: JobFacts): Count {
  const noted = job.status?.uncountedTerminatedPods;
  const notedSucceeded = new Set(noted?.succeeded ?? []);
  const notedFailed = new Set(noted?.failed ?? []);
  const active: Stored<Pod>[] = [];
  const terminating: Stored<Pod>[] = [];
  const counted: Stored<Pod>[] = [];
  const newlySucceeded: Stored<Pod>[] = [];
  const newlyFailed: Stored<Pod>[] = [];
  const completedIndexes = new Set(parseIndexes(job.status?.completedIndexes));
  const failedIndexes = new Set(parseIndexes(job.status?.failedIndexes));
  const failuresByIndex = new Map<number, number>();
  const completions = job.spec.completions ?? Number.POSITIVE_INFINITY;
  let failJob: string | undefined;
  let restarts = 0;
  for (const pod of pods) {
    const phase = pod.status?.phase;
    const index = indexOf(pod);
    for (const { restartCount } of [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])])
      if (phase === "Running" || phase === "Pending") restarts += restartCount;
    const failed =
      phase === "Failed" ||
      (isTerminating(pod) && phase !== "Succeeded" && !replacesOnlyFailed(job) && job.spec.podFailurePolicy === undefined);
    if (phase === "Succeeded") {
      if (!hasFinalizer(pod)) continue;
      counted.push(pod);
      if (notedSucceeded.has(pod.metadata.uid)) continue;
      if (isIndexed(job)) {
        // Only the first success of an index counts; an index beyond completions (after scaling down) does not.
        if (index === undefined || index >= completions || completedIndexes.has(index)) continue;
        completedIndexes.add(index);
      }
      newlySucceeded.push(pod);
    } else if (failed) {
      if (isTerminating(pod) && phase !== "Failed") terminating.push(pod);
      if (!hasFinalizer(pod)) continue;
      counted.push(pod);
      if (notedFailed.has(pod.metadata.uid)) continue;
      const rule = failureRule(job, pod);
      if (rule?.action === "FailJob") failJob ??= rule.message;
      if (rule?.action === "Ignore") continue;
      newlyFailed.push(pod);
      if (isIndexed(job) && index !== undefined && job.spec.backoffLimitPerIndex !== undefined) {
        const failures = Number(pod.metadata.annotations?.[indexFailuresAnnotation] ?? 0) + 1;
        failuresByIndex.set(index, Math.max(failures, failuresByIndex.get(index) ?? 0));
        if (failures > job.spec.backoffLimitPerIndex || rule?.action === "FailIndex") failedIndexes.add(index);
      }
    } else if (isTerminating(pod)) terminating.push(pod);
    else active.push(pod);
  }
  return {
    active,
    terminating,
    counted,
    newlySucceeded,
    newlyFailed,
    completedIndexes,
    failedIndexes,
    failuresByIndex,
    failJob,
    restarts,
    succeeded: isIndexed(job) ? completedIndexes.size : (job.status?.succeeded ?? 0) + newlySucceeded.length,
    failed: (job.status?.failed ?? 0) + newlyFailed.length,
  };
}

interface Verdict {
  readonly success: boolean;
  readonly reason: string;
  readonly message: string;
}

function decide({ job, nowMs }: JobFacts, count: Count): Verdict | undefined {
  const fail = (reason: string, message: string): Verdict => ({ success: false, reason, message });
  // A verdict once spoken stands.
  const target = job.status?.conditions?.find(
    ({ type, status }) => (type === "FailureTarget" || type === "SuccessCriteriaMet") && status === "True",
  );
  if (target !== undefined)
    return { success: target.type === "SuccessCriteriaMet", reason: target.reason ?? "", message: target.message ?? "" };
  if (count.failJob !== undefined) return fail("PodFailurePolicy", count.failJob);
  const { spec } = job;
  const limit = spec.backoffLimit ?? (spec.backoffLimitPerIndex === undefined ? 6 : Number.POSITIVE_INFINITY);
  const restartsExceeded =
    spec.template.spec?.restartPolicy === "OnFailure" &&
    (limit === 0 ? count.restarts > 0 : count.restarts >= limit && count.restarts > 0);
  if (count.failed > limit || restartsExceeded)
    return fail("BackoffLimitExceeded", "Job has reached the specified backoff limit");
  const deadline = deadlineOf(job);
  if (deadline !== undefined && deadline <= nowMs)
    return fail("DeadlineExceeded", "Job was active longer than specified deadline");
  if (isIndexed(job) && spec.backoffLimitPerIndex !== undefined) {
    if (spec.maxFailedIndexes !== undefined && count.failedIndexes.size > spec.maxFailedIndexes)
      return fail("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes");
    const done = new Set([...count.completedIndexes, ...count.failedIndexes]).size;
    if (count.failedIndexes.size > 0 && done >= (spec.completions ?? 0)) return fail("FailedIndexes", "Job has failed indexes");
  }
  const rule = successRule(job, count);
  if (rule !== undefined) return { success: true, reason: "SuccessPolicy", message: rule };
  if (spec.suspend === true && (spec.completions ?? 1) > 0) return undefined;
  const complete =
    spec.completions === undefined ? count.succeeded > 0 && count.active.length === 0 : count.succeeded >= spec.completions;
  return complete
    ? { success: true, reason: "CompletionsReached", message: "Reached expected number of succeeded pods" }
    : undefined;
}

function successRule(job: Job, count: Count): string | undefined {
  for (const [position, rule] of (job.spec.successPolicy?.rules ?? []).entries()) {
    const wanted = rule.succeededIndexes === undefined ? undefined : parseIndexes(rule.succeededIndexes);
    const matching =
      wanted === undefined
        ? count.completedIndexes.size
        : [...wanted].filter((index) => count.completedIndexes.has(index)).length;
    const needed = rule.succeededCount ?? wanted?.size ?? Number.POSITIVE_INFINITY;
    if (matching >= needed) return `Matched rules at index ${position}`;
  }
  return undefined;
}

function wantedActive(job: Job, count: Count): number {
  const parallelism = job.spec.parallelism ?? 1;
  if (job.spec.completions === undefined) return count.succeeded > 0 ? Math.min(count.active.length, parallelism) : parallelism;
  const left = isIndexed(job)
    ? job.spec.completions - new Set([...count.completedIndexes, ...count.failedIndexes]).size
    : job.spec.completions - count.succeeded;
  return Math.max(0, Math.min(parallelism, left));
}

/** Under podReplacementPolicy Failed (the default with a failure policy) a terminating pod still takes its place. */
const replacesOnlyFailed = (job: Job): boolean =>
  (job.spec.podReplacementPolicy ?? (job.spec.podFailurePolicy === undefined ? "TerminatingOrFailed" : "Failed")) === "Failed";

function newPods(job: Stored<Job>, wanted: number, count: Count): readonly Pod[] {
  if (!isIndexed(job)) return Array.from({ length: wanted }, () => newPod(job, undefined, 0));
  const busy = new Set([...count.completedIndexes, ...count.failedIndexes]);
  for (const pod of [...count.active, ...(replacesOnlyFailed(job) ? count.terminating : [])]) busy.add(indexOf(pod) ?? -1);
  const pods: Pod[] = [];
  for (let index = 0; index < (job.spec.completions ?? 0) && pods.length < wanted; index++) {
    if (!busy.has(index)) pods.push(newPod(job, index, count.failuresByIndex.get(index) ?? 0));
  }
  return pods;
}

function newPod(job: Stored<Job>, index: number | undefined, failures: number): Pod {
  const pod = podFromTemplate(job.spec.template, { namespace: job.metadata.namespace ?? "", name: job.metadata.name });
  const finalizers = [...(pod.metadata.finalizers ?? []), trackingFinalizer];
  const ownerReferences = [controllerReference(jobs, job)];
  if (index === undefined) return { ...pod, metadata: { ...pod.metadata, finalizers, ownerReferences } };
  const annotations = {
    ...pod.metadata.annotations,
    [indexAnnotation]: String(index),
    ...(job.spec.backoffLimitPerIndex === undefined ? {} : { [indexFailuresAnnotation]: String(failures) }),
  };
  const labels = { ...pod.metadata.labels, [indexAnnotation]: String(index) };
  const env = { name: "JOB_COMPLETION_INDEX", valueFrom: { fieldRef: { fieldPath: `metadata.labels['${indexAnnotation}']` } } };
  const withEnv = <C extends { readonly name: string; readonly env?: readonly { readonly name: string }[] }>(container: C): C =>
    container.env?.some(({ name }) => name === env.name) === true
      ? container
      : { ...container, env: [...(container.env ?? []), env] };
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      generateName: `${job.metadata.name}-${index}-`,
      annotations,
      labels,
      finalizers,
      ownerReferences,
    },
    spec: {
      ...pod.spec,
      hostname: pod.spec.hostname ?? `${job.metadata.name}-${index}`,
      containers: pod.spec.containers.map(withEnv),
      ...(pod.spec.initContainers === undefined ? {} : { initContainers: pod.spec.initContainers.map(withEnv) }),
    },
  };
}

/** Pods that are least far along go first. */
function surplus(job: Job, active: readonly Stored<Pod>[], count: Count, number: number): readonly Stored<Pod>[] {
  const extra = isIndexed(job) ? duplicates(job, active, count) : [];
  const rank = (pod: Pod): number =>
    extra.includes(pod as Stored<Pod>)
      ? 0
      : (pod.spec.nodeName ?? "") === ""
        ? 1
        : pod.status?.phase === "Pending"
          ? 2
          : isReady(pod)
            ? 4
            : 3;
  return [...active]
    .sort((a, b) => rank(a) - rank(b) || (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? 1 : -1))
    .slice(0, number);
}

/** Second pods of an index, and pods of indexes that are done or out of range. */
function duplicates(job: Job, active: readonly Stored<Pod>[], count: Count): readonly Stored<Pod>[] {
  const seen = new Set<number>();
  return active.filter((pod) => {
    const index = indexOf(pod);
    if (index === undefined || index >= (job.spec.completions ?? 0) || count.completedIndexes.has(index) || seen.has(index))
      return true;
    seen.add(index);
    return false;
  });
}

function deadlineOf(job: Job): number | undefined {
  const { activeDeadlineSeconds, suspend } = job.spec;
  if (activeDeadlineSeconds === undefined || suspend === true || job.status?.startTime === undefined) return undefined;
  return Date.parse(job.status.startTime) + activeDeadlineSeconds * 1000;
}

function statusAfter(
  { job, nowMs }: JobFacts,
  count: Count,
  verdict: Verdict | undefined,
  doing: { readonly finished: JobPlan["finished"]; readonly removing: number; readonly creating: number },
): JobStatus {
  const now = rfc3339(nowMs);
  const suspended = job.spec.suspend === true;
  const removing = verdict !== undefined || suspended ? doing.removing : 0;
  let conditions: readonly JobCondition[] = job.status?.conditions ?? [];
  const add = (type: string, status: string, reason: string, message: string): void => {
    conditions = setCondition(conditions, { type, status, reason, message, lastProbeTime: now, lastTransitionTime: now });
  };
  const wasSuspended = conditions.find(({ type }) => type === "Suspended");
  if (suspended && verdict === undefined) {
    if (wasSuspended?.status !== "True") add("Suspended", "True", "JobSuspended", "Job suspended");
  } else if (wasSuspended?.status === "True" && !suspended) add("Suspended", "False", "JobResumed", "Job resumed");
  if (verdict !== undefined) {
    add(verdict.success ? "SuccessCriteriaMet" : "FailureTarget", "True", verdict.reason, verdict.message);
    if (doing.finished !== undefined) add(doing.finished, "True", verdict.reason, verdict.message);
  }
  const startTime =
    suspended && wasSuspended?.status !== "True" ? undefined : (job.status?.startTime ?? (suspended ? undefined : now));
  const resumed = !suspended && wasSuspended?.status === "True";
  const active = count.active.length - removing;
  const uncounted = {
    ...nonEmpty(
      "succeeded",
      count.counted.filter((pod) => pod.status?.phase === "Succeeded"),
    ),
    ...nonEmpty(
      "failed",
      count.counted.filter((pod) => pod.status?.phase !== "Succeeded"),
    ),
  };
  return {
    ...(startTime === undefined ? {} : { startTime: resumed ? now : startTime }),
    ...(active === 0 ? {} : { active }),
    ...(count.succeeded === 0 ? {} : { succeeded: count.succeeded }),
    ...(count.failed === 0 ? {} : { failed: count.failed }),
    ready: count.active.filter(isReady).length,
    terminating: count.terminating.length + removing,
    ...(isIndexed(job) && count.completedIndexes.size > 0 ? { completedIndexes: formatIndexes(count.completedIndexes) } : {}),
    ...(isIndexed(job) && job.spec.backoffLimitPerIndex !== undefined
      ? { failedIndexes: formatIndexes(count.failedIndexes) }
      : {}),
    uncountedTerminatedPods: doing.finished === undefined ? uncounted : {},
    ...(conditions.length === 0 ? {} : { conditions }),
    ...(doing.finished === "Complete" ? { completionTime: now } : {}),
  };
}

/** Uids of pods that are in the counts and still carry the finalizer: a restart must not count them again. */
const nonEmpty = (key: "succeeded" | "failed", pods: readonly Stored<Pod>[]) =>
  pods.length === 0 ? {} : { [key]: pods.map(({ metadata }) => metadata.uid) };

function suspendEvent(job: Job): JobPlan["event"] {
  const was = job.status?.conditions?.find(({ type }) => type === "Suspended")?.status === "True";
  if (job.spec.suspend === true && !was) return { type: "Normal", reason: "Suspended", message: "Job suspended" };
  return job.spec.suspend !== true && was ? { type: "Normal", reason: "Resumed", message: "Job resumed" } : undefined;
}
