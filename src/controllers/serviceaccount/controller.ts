// Every active namespace has a ServiceAccount "default".
import { isAlreadyExists, namespaces as namespaceType, serviceAccounts } from "#api";
import { type Controller, watchFor, watchMapped } from "#client";
import type { ControllerContext } from "../context.ts";
import { isNamespaceTerminating } from "../shared/own-writes.ts";

export function serviceAccountController({ client, informers }: ControllerContext): Controller {
  const namespaces = informers.informer(namespaceType);
  const accounts = informers.informer(serviceAccounts);
  return {
    name: "serviceaccount-controller",
    workers: 1,
    sources: [
      watchFor(namespaces),
      watchMapped(accounts, ({ metadata }) =>
        metadata.name === "default" && metadata.namespace !== undefined ? [metadata.namespace] : [],
      ),
    ],
    reconcile: async (name, signal) => {
      const namespace = namespaces.get(name);
      if (
        namespace === undefined ||
        namespace.metadata.deletionTimestamp !== undefined ||
        namespace.status?.phase === "Terminating"
      )
        return;
      if (accounts.get(`${name}/default`) !== undefined) return;
      try {
        await client.create(serviceAccounts, { metadata: { namespace: name, name: "default" } }, { signal });
      } catch (error) {
        if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error;
      }
    },
  };
}
