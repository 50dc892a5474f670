// Deletes bootstrap tokens when their time is over.
import { bootstrapToken, isConflict, isNotFound, secrets as secretType } from "#api";
import { type Controller, watchFor } from "#client";
import type { ControllerContext } from "../context.ts";

export function tokenCleanerController({ client, clock, informers }: ControllerContext): Controller {
  const tokens = informers.informer(secretType, {
    namespace: bootstrapToken.namespace,
    fieldSelector: `type=${bootstrapToken.type}`,
  });
  return {
    name: "token-cleaner-controller",
    workers: 1,
    sources: [watchFor(tokens)],
    reconcile: async (key, signal) => {
      const token = tokens.get(key);
      const at = token === undefined ? undefined : bootstrapToken.endMs(token);
      if (token === undefined || at === undefined) return;
      if (at > clock.now()) return { requeueAfterMs: at - clock.now() };
      const { uid, resourceVersion } = token.metadata;
      try {
        // with the resourceVersion: somebody may just have given it more time
        await client.delete(secretType, token.metadata, { preconditions: { uid, resourceVersion }, signal });
      } catch (error) {
        if (!isNotFound(error) && !isConflict(error)) throw error;
      }
    },
  };
}
