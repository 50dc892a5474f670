// Deletes finished Jobs when their ttlSecondsAfterFinished is over.
import { isConflict, isNotFound, type Job, jobs as jobType } from "#api";
import { type Controller, watchFor } from "#client";
import type { ControllerContext } from "../context.ts";

/** Milliseconds since 1970 at which the Job is to go; undefined: never, or not finished. */
function expiryMs(job: Job): number | undefined {
  const ttl = job.spec.ttlSecondsAfterFinished;
  const finished = job.status?.conditions?.find(
    ({ type, status }) => (type === "Complete" || type === "Failed") && status === "True",
  );
  if (ttl === undefined || finished?.lastTransitionTime === undefined || job.metadata.deletionTimestamp !== undefined)
    return undefined;
  return Date.parse(finished.lastTransitionTime) + ttl * 1000;
}

export function ttlAfterFinishedController({ client, clock, informers }: ControllerContext): Controller {
  const jobs = informers.informer(jobType);
  return {
    name: "ttl-after-finished-controller",
    sources: [watchFor(jobs)],
    reconcile: async (key, signal) => {
      const job = jobs.get(key);
      const at = job === undefined ? undefined : expiryMs(job);
      if (job === undefined || at === undefined) return;
      if (at > clock.now()) return { requeueAfterMs: at - clock.now() };
      const { uid, resourceVersion } = job.metadata;
      try {
        // With the resourceVersion: somebody may just have given it more time.
        await client.delete(jobType, job.metadata, {
          propagationPolicy: "Foreground",
          preconditions: { uid, resourceVersion },
          signal,
        });
      } catch (error) {
        if (!isNotFound(error) && !isConflict(error)) throw error;
      }
    },
  };
}
