// Endpoints (core/v1) of services with a selector.
import { endpoints as endpointsType, isNotFound, pods as podType, services as serviceType } from "#api";
import { type Controller, watchFor, watchMapped } from "#client";
import type { ControllerContext } from "../context.ts";
import { hasEndpoints } from "../shared/endpoints.ts";
import { isNamespaceTerminating, OwnWrites } from "../shared/own-writes.ts";
import { servicesOfPod } from "../shared/services-of-pod.ts";
import { planEndpoints } from "./plan.ts";

export function endpointsController({ client, informers }: ControllerContext): Controller {
  const services = informers.informer(serviceType);
  const pods = informers.informer(podType);
  const endpoints = informers.informer(endpointsType);
  const writes = new OwnWrites({ informer: endpoints, client, type: endpointsType });
  return {
    name: "endpoints-controller",
    sources: [watchFor(services), watchMapped(pods, servicesOfPod(services)), watchFor(endpoints)],
    reconcile: async (key, signal) => {
      await writes.settled(key, signal);
      const service = services.get(key);
      const current = endpoints.get(key);
      if (service === undefined) {
        writes.forget(key);
        // Endpoints that users wrote for services without a selector, or as a lock, are not ours to delete.
        if (current?.metadata.labels?.["endpoints.kubernetes.io/managed-by"] !== "endpoint-controller") return;
        await client
          .delete(endpointsType, current.metadata, { preconditions: { uid: current.metadata.uid }, signal })
          .catch(ignoreNotFound);
        return;
      }
      if (!hasEndpoints(service) || service.metadata.deletionTimestamp !== undefined) return;
      const wanted = planEndpoints(service, pods.list(service.metadata.namespace), current);
      if (wanted === undefined) return;
      try {
        writes.wrote(
          key,
          await (current === undefined
            ? client.create(endpointsType, wanted, { signal })
            : client.update(endpointsType, wanted, { signal })),
        );
      } catch (error) {
        if (!isNamespaceTerminating(error)) throw error;
      }
    },
  };
}

function ignoreNotFound(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
