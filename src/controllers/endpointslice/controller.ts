// EndpointSlices of services with a selector.
import { endpointSlices, nodes as nodeType, objectKey, pods as podType, services as serviceType } from "#api";
import { type Controller, watchFor, watchMapped } from "#client";
import type { ControllerContext } from "../context.ts";
import { hasEndpoints } from "../shared/endpoints.ts";
import { OwnWrites } from "../shared/own-writes.ts";
import { servicesOfPod } from "../shared/services-of-pod.ts";
import { writeSlices } from "../shared/write-slices.ts";
import { isManaged, planSlices, serviceOf } from "./plan.ts";

export function endpointSliceController({ client, informers }: ControllerContext): Controller {
  const services = informers.informer(serviceType);
  const pods = informers.informer(podType);
  const nodes = informers.informer(nodeType);
  const slices = informers.informer(endpointSlices);
  const writes = new OwnWrites({ informer: slices, client, type: endpointSlices });
  slices.addIndex("service", (slice) => (isManaged(slice) ? [`${slice.metadata.namespace}/${serviceOf(slice)}`] : []));
  return {
    name: "endpointslice-controller",
    sources: [
      watchFor(services),
      watchMapped(pods, servicesOfPod(services)),
      watchMapped(slices, (slice) =>
        isManaged(slice) && serviceOf(slice) !== undefined ? [`${slice.metadata.namespace}/${serviceOf(slice)}`] : [],
      ),
      // Zones: only a changed label of a node matters here, and only to services that have endpoints on it.
      watchMapped(nodes, (node, before) => {
        const zone = (labels: Readonly<Record<string, string>> | undefined): string =>
          labels?.["topology.kubernetes.io/zone"] ?? "";
        const was = before === undefined ? "" : zone(before.metadata.labels);
        return zone(node.metadata.labels) === was ? [] : services.list().filter(hasEndpoints).map(objectKey);
      }),
    ],
    reconcile: async (key, signal) => {
      await writes.settled(key, signal);
      const service = services.get(key);
      // The slices of a deleted service go with it: they are owned by it.
      if (service === undefined) return writes.forget(key);
      if (!hasEndpoints(service) || service.metadata.deletionTimestamp !== undefined) return;
      const owned = slices.byIndex("service", key).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      const { living } = writes.living(key, owned);
      const plan = planSlices({
        service,
        pods: pods.list(service.metadata.namespace),
        slices: living,
        node: (name) => nodes.get(name),
      });
      await writeSlices(key, plan, { client, writes, signal });
    },
  };
}
