// Deletes certificate requests that were answered, or that nobody answered, long ago.
import { certificateSigningRequests, isConflict, isNotFound } from "#api";
import { type Controller, watchFor } from "#client";
import type { ControllerContext } from "../context.ts";
import { planRemoval } from "./plan.ts";

export function requestCleanerController({ client, clock, informers }: ControllerContext): Controller {
  const requests = informers.informer(certificateSigningRequests);
  return {
    name: "certificatesigningrequest-cleaner-controller",
    workers: 1,
    sources: [watchFor(requests)],
    reconcile: async (name, signal) => {
      const request = requests.get(name);
      const at = request === undefined ? undefined : planRemoval(request);
      if (request === undefined || at === undefined) return;
      if (at >= clock.now()) return { requeueAfterMs: at - clock.now() + 1 };
      const { uid, resourceVersion } = request.metadata;
      try {
        await client.delete(certificateSigningRequests, { name }, { preconditions: { uid, resourceVersion }, signal });
      } catch (error) {
        if (!isNotFound(error) && !isConflict(error)) throw error;
      }
    },
  };
}
