// Which services a change of a pod concerns.
import { objectKey, type Pod, type Service, type Stored } from "#api";
import type { Informer } from "#client";
import { hasEndpoints, selects } from "./endpoints.ts";

/** Keys of the services that select the pod, now or before the change. */
export const servicesOfPod =
  (services: Informer<Service>) =>
  (pod: Stored<Pod>, before?: Stored<Pod>): readonly string[] =>
    services
      .list(pod.metadata.namespace)
      .filter((service) => hasEndpoints(service) && (selects(service, pod) || (before !== undefined && selects(service, before))))
      .map(objectKey);
