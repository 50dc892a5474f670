// CronJobs: start Jobs when they are due.
import {
  type CronJobStatus,
  cronJobs as cronJobType,
  isAlreadyExists,
  isNotFound,
  type Job,
  jobs as jobType,
  type Stored,
} from "#api";
import { type Controller, isControlledBy, type Requeue, referenceTo, rfc3339, watchFor, watchOwned } from "#client";
import type { ControllerContext } from "../context.ts";
import { isNamespaceTerminating, OwnWrites } from "../shared/own-writes.ts";
import { planCronJob } from "./plan.ts";

export function cronJobController({ client, clock, events, informers }: ControllerContext): Controller {
  const cronJobs = informers.informer(cronJobType);
  const jobs = informers.informer(jobType);
  const ownWrites = new OwnWrites({ informer: cronJobs, client, type: cronJobType });
  const jobWrites = new OwnWrites({ informer: jobs, client, type: jobType });

  const reconcile = async (key: string, signal: AbortSignal): Promise<Requeue | void> => {
    await ownWrites.settled(key, signal);
    await jobWrites.settled(key, signal);
    const cronJob = cronJobs.get(key);
    if (cronJob === undefined) return jobWrites.forget(key);
    const { living } = jobWrites.living(key, jobs.byIndex("owner", cronJob.metadata.uid));
    const plan = planCronJob(cronJob, living, clock.now());
    const about = referenceTo(cronJobType, cronJob);
    for (const event of plan.events) events.event(about, event);

    let status: CronJobStatus | undefined = plan.status;
    for (const job of [...plan.replace, ...plan.forget]) {
      jobWrites.deleted(key, job.metadata.uid);
      await client
        .delete(jobType, job.metadata, { propagationPolicy: "Background", preconditions: { uid: job.metadata.uid }, signal })
        .catch((error: unknown) => {
          if (isNotFound(error)) return;
          jobWrites.unsure(key);
          throw error;
        });
      events.event(about, { type: "Normal", reason: "SuccessfulDelete", message: `Deleted job ${job.metadata.name}` });
    }
    if (plan.create !== undefined && plan.scheduledMs !== undefined) {
      const job = await create(key, plan.create, signal);
      if (job === undefined) return;
      if (!isControlledBy(job, cronJob)) throw new Error(`Cannot start Job "${job.metadata.name}": another one has its name`);
      events.event(about, { type: "Normal", reason: "SuccessfulCreate", message: `Created job ${job.metadata.name}` });
      const base = status ?? cronJob.status ?? {};
      status = {
        ...base,
        active: [...(base.active ?? []), referenceTo(jobType, job)],
        lastScheduleTime: rfc3339(plan.scheduledMs),
      };
    }
    if (status !== undefined)
      ownWrites.wrote(key, await client.update(cronJobType, { ...cronJob, status }, { subresource: "status", signal }));
    if (plan.requeueAfterMs !== undefined) return { requeueAfterMs: plan.requeueAfterMs };
  };

  /** The name says which scheduled time it is for: creating it twice is impossible (I25). */
  const create = async (key: string, job: Job, signal: AbortSignal): Promise<Stored<Job> | undefined> => {
    try {
      const created = await client.create(jobType, job, { signal });
      jobWrites.wrote(key, created);
      return created;
    } catch (error) {
      if (isNamespaceTerminating(error)) return undefined;
      if (!isAlreadyExists(error)) throw error;
      const existing = await client.get(
        jobType,
        { namespace: job.metadata.namespace, name: job.metadata.name ?? "" },
        { signal },
      );
      jobWrites.wrote(key, existing);
      return existing;
    }
  };

  return { name: "cronjob-controller", sources: [watchFor(cronJobs), watchOwned(jobs, cronJobType)], reconcile };
}
