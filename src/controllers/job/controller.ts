// Jobs: run pods until enough of them succeeded, and count each exactly once, by a finalizer on the pod.
import {
  isNotFound,
  type Job,
  jobs as jobType,
  labelSelector,
  objectKey,
  type Pod,
  pods as podType,
  type Stored,
  selectorMatches,
} from "#api";
import { type Controller, controllerOf, isControlledBy, type Requeue, referenceTo, watchFor, watchMapped } from "#client";
import type { ControllerContext } from "../context.ts";
import { claim, planClaims } from "../shared/claim.ts";
import { indexOrphans } from "../shared/orphans.ts";
import { isNamespaceTerminating, OwnWrites, wasRefused } from "../shared/own-writes.ts";
import { slowStart } from "../shared/slow-start.ts";
import { planJob, trackingFinalizer } from "./plan.ts";

/** Pause before a failed pod is replaced: 10 s, doubling to 10 minutes; a success forgets it. */
const firstPauseMs = 10_000;
const longestPauseMs = 600_000;

interface Backoff {
  failures: number;
  untilMs: number;
}

export function jobController(context: ControllerContext): Controller {
  const { client, clock, events, informers } = context;
  const jobs = informers.informer(jobType);
  const pods = informers.informer(podType);
  const orphansOf = indexOrphans(pods);
  const ownWrites = new OwnWrites({ informer: jobs, client, type: jobType });
  const podWrites = new OwnWrites({ informer: pods, client, type: podType });
  const backoffs = new Map<string, Backoff>();

  const reconcile = async (key: string, signal: AbortSignal): Promise<Requeue | void> => {
    await ownWrites.settled(key, signal);
    await podWrites.settled(key, signal);
    const job = jobs.get(key);
    if (job === undefined) {
      backoffs.delete(key);
      podWrites.forget(key);
      return;
    }
    if (job.spec.managedBy !== undefined && job.spec.managedBy !== "kubernetes.io/job-controller") return;
    const candidates = [...pods.byIndex("owner", job.metadata.uid), ...orphansOf(job.metadata.namespace ?? "")];
    const claims = planClaims(job, labelSelector(job.spec.selector), candidates);
    const claimed = await claim(client, jobType, job, podType, claims);
    if (claims.adopt.length > 0) for (const pod of claimed) podWrites.wrote(key, pod);
    const { living, dying } = podWrites.living(key, claimed);
    const asTerminating = dying.map(
      (pod): Stored<Pod> => ({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: pod.metadata.creationTimestamp } }),
    );
    const backoff = backoffs.get(key);
    const plan = planJob({ job, pods: [...living, ...asTerminating], nowMs: clock.now(), backoffUntilMs: backoff?.untilMs ?? 0 });
    const about = referenceTo(jobType, job);

    // The count is stored before a finalizer goes: whatever happens in between, no pod is counted twice or not at all.
    if (plan.status !== undefined) {
      ownWrites.wrote(key, await client.update(jobType, { ...job, status: plan.status }, { subresource: "status", signal }));
      if (plan.event !== undefined) events.event(about, plan.event);
    }
    if (plan.newlySucceeded > 0) backoffs.delete(key);
    if (plan.newlyFailed > 0) {
      const failures = (plan.newlySucceeded > 0 ? 0 : (backoff?.failures ?? 0)) + plan.newlyFailed;
      backoffs.set(key, { failures, untilMs: clock.now() + Math.min(firstPauseMs * 2 ** (failures - 1), longestPauseMs) });
    }
    await Promise.all(plan.release.map((pod) => release(key, pod, signal)));
    await Promise.all(plan.remove.map((pod) => remove(key, job, pod, signal)));
    // After new failures the pause begins first.
    const create = plan.newlyFailed > 0 ? [] : plan.create;
    const { error } = await slowStart(create.length, async (index) => {
      try {
        const created = await client.create(podType, create[index] as Pod, { signal }); // index < create.length
        podWrites.wrote(key, created);
        events.event(about, { type: "Normal", reason: "SuccessfulCreate", message: `Created pod: ${created.metadata.name}` });
      } catch (failure) {
        if (!wasRefused(failure)) podWrites.unsure(key);
        if (!isNamespaceTerminating(failure))
          events.event(about, {
            type: "Warning",
            reason: "FailedCreate",
            message: `Error creating: ${failure instanceof Error ? failure.message : String(failure)}`,
          });
        throw failure;
      }
    });
    if (error !== undefined && !isNamespaceTerminating(error)) throw error;
    const pauseMs = plan.newlyFailed > 0 ? (backoffs.get(key)?.untilMs ?? 0) - clock.now() : undefined;
    const waits = [plan.requeueAfterMs, pauseMs].filter((wait) => wait !== undefined);
    if (waits.length > 0) return { requeueAfterMs: Math.min(...waits) };
  };

  const release = async (key: string, pod: Stored<Pod>, signal: AbortSignal): Promise<void> => {
    const { namespace, name, uid, resourceVersion } = pod.metadata;
    const finalizers = (pod.metadata.finalizers ?? []).filter((finalizer) => finalizer !== trackingFinalizer);
    try {
      podWrites.wrote(
        key,
        await client.patch(
          podType,
          { namespace, name },
          { type: "merge", body: { metadata: { uid, resourceVersion, finalizers } } },
          { signal },
        ),
      );
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  };

  const remove = async (key: string, job: Stored<Job>, pod: Stored<Pod>, signal: AbortSignal): Promise<void> => {
    const { namespace, name, uid } = pod.metadata;
    // A pod that we delete ourselves is no failure: without the finalizer it is not counted.
    if (pod.metadata.finalizers?.includes(trackingFinalizer) === true) await release(key, pod, signal);
    podWrites.deleted(key, uid);
    try {
      await client.delete(podType, { namespace, name }, { preconditions: { uid }, signal });
      events.event(referenceTo(jobType, job), { type: "Normal", reason: "SuccessfulDelete", message: `Deleted pod: ${name}` });
    } catch (error) {
      if (isNotFound(error)) return;
      if (wasRefused(error)) podWrites.notDeleted(key, uid);
      else podWrites.unsure(key);
      throw error;
    }
  };

  /** Also a pod whose Job is gone: its finalizer must not hold it for ever. */
  const releaseAbandoned = async (key: string, signal: AbortSignal): Promise<void> => {
    const pod = pods.get(key);
    if (pod?.metadata.finalizers?.includes(trackingFinalizer) !== true) return;
    const owner = controllerOf(pod);
    const job = owner === undefined ? undefined : jobs.get(`${pod.metadata.namespace}/${owner.name}`);
    if (job !== undefined && isControlledBy(pod, job)) return;
    await release(key, pod, signal);
  };

  const ownersOf = (pod: Stored<Pod>): readonly string[] => {
    const owner = controllerOf(pod);
    const namespace = pod.metadata.namespace ?? "";
    if (owner !== undefined) {
      if (owner.kind !== "Job") return [];
      const job = jobs.get(`${namespace}/${owner.name}`);
      return job !== undefined && isControlledBy(pod, job)
        ? [objectKey(job)]
        : pod.metadata.finalizers?.includes(trackingFinalizer) === true
          ? [`${abandoned}${objectKey(pod)}`]
          : [];
    }
    if (pod.metadata.finalizers?.includes(trackingFinalizer) === true) return [`${abandoned}${objectKey(pod)}`];
    if (pod.metadata.labels === undefined || pod.metadata.deletionTimestamp !== undefined) return [];
    return jobs
      .list(namespace)
      .filter((job) => selectorMatches(labelSelector(job.spec.selector), pod.metadata.labels))
      .map(objectKey);
  };

  return {
    name: "job-controller",
    sources: [
      watchFor(jobs),
      watchMapped(jobs, (job) =>
        jobs.get(objectKey(job)) === undefined
          ? pods.byIndex("owner", job.metadata.uid).map((pod) => `${abandoned}${objectKey(pod)}`)
          : [],
      ),
      watchMapped(pods, (pod, before) => [...new Set([...ownersOf(pod), ...(before === undefined ? [] : ownersOf(before))])]),
    ],
    reconcile: (key, signal) =>
      key.startsWith(abandoned) ? releaseAbandoned(key.slice(abandoned.length), signal) : reconcile(key, signal),
  };
}

/** Before the key of a pod whose Job is gone. */
const abandoned = "pod:";
