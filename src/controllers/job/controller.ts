// Jobs: run pods until enough of them succeeded, and count each exactly once, by a finalizer on the pod.
import {
  isNotFound,
  jobs as jobType,
  labelSelector,
  type ObjectReference,
  objectKey,
  type Pod,
  pods as podType,
  type Stored,
} from "#api";
import { type Controller, controllerOf, isControlledBy, type Requeue, referenceTo, watchFor, watchMapped } from "#client";
import type { ControllerContext } from "../context.ts";
import { claim, planClaims } from "../shared/claim.ts";
import { indexOrphans } from "../shared/orphans.ts";
import { isNamespaceTerminating, OwnWrites } from "../shared/own-writes.ts";
import { ownersOfPods, PodWrites, watchPods } from "../shared/owned-pods.ts";
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
  const podWrites = new PodWrites({ informer: pods, client, events });
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
    const { living, leaving } = podWrites.split(key, claimed);
    const backoff = backoffs.get(key);
    const plan = planJob({ job, pods: [...living, ...leaving], nowMs: clock.now(), backoffUntilMs: backoff?.untilMs ?? 0 });
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
    await Promise.all(plan.remove.map((pod) => remove(key, pod, about, signal)));
    // After new failures the pause begins first.
    const create = plan.newlyFailed > 0 ? [] : plan.create;
    const { error } = await slowStart(
      create.length,
      (index) => podWrites.create(key, create[index] as Pod, about, signal), // index < create.length
    );
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

  const remove = async (key: string, pod: Stored<Pod>, about: ObjectReference, signal: AbortSignal): Promise<void> => {
    // A pod that we delete ourselves is no failure: without the finalizer it is not counted.
    if (isTracked(pod)) await release(key, pod, signal);
    await podWrites.remove(key, pod, about, signal);
  };

  /** Also a pod whose Job is gone: its finalizer must not hold it for ever. */
  const releaseAbandoned = async (key: string, signal: AbortSignal): Promise<void> => {
    const pod = pods.get(key);
    if (pod === undefined || !isTracked(pod)) return;
    const owner = controllerOf(pod);
    const job = owner === undefined ? undefined : jobs.get(`${pod.metadata.namespace}/${owner.name}`);
    if (job !== undefined && isControlledBy(pod, job)) return;
    await release(key, pod, signal);
  };

  const jobsOf = ownersOfPods(jobs, (job) => labelSelector(job.spec.selector));
  const ownersOf = (pod: Stored<Pod>): readonly string[] => {
    const owner = controllerOf(pod);
    if (!isTracked(pod)) return jobsOf(pod);
    if (owner === undefined) return [`${abandoned}${objectKey(pod)}`];
    const keys = jobsOf(pod);
    return keys.length === 0 && owner.kind === "Job" ? [`${abandoned}${objectKey(pod)}`] : keys;
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
      watchPods(pods, ownersOf),
    ],
    reconcile: (key, signal) =>
      key.startsWith(abandoned) ? releaseAbandoned(key.slice(abandoned.length), signal) : reconcile(key, signal),
  };
}

/** Before the key of a pod whose Job is gone. */
const abandoned = "pod:";

const isTracked = (pod: Pod): boolean => pod.metadata.finalizers?.includes(trackingFinalizer) === true;
