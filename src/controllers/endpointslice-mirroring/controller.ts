// Mirrors Endpoints without a controller behind them into EndpointSlices.
import { endpointSlices, endpoints as endpointsType, services as serviceType } from "#api";
import { type Controller, watchFor, watchMapped } from "#client";
import type { ControllerContext } from "../context.ts";
import { OwnWrites } from "../shared/own-writes.ts";
import { writeSlices } from "../shared/write-slices.ts";
import { mirroredBy, planMirror, shouldMirror } from "./plan.ts";

export function endpointSliceMirroringController({ client, informers }: ControllerContext): Controller {
  const endpoints = informers.informer(endpointsType);
  const services = informers.informer(serviceType);
  const slices = informers.informer(endpointSlices);
  const writes = new OwnWrites({ informer: slices, client, type: endpointSlices });
  const keysOf = ({
    metadata,
  }: {
    readonly metadata: { readonly namespace?: string; readonly labels?: Readonly<Record<string, string>> };
  }): readonly string[] => {
    const service = metadata.labels?.["kubernetes.io/service-name"];
    return service === undefined || metadata.labels?.["endpointslice.kubernetes.io/managed-by"] !== mirroredBy
      ? []
      : [`${metadata.namespace}/${service}`];
  };
  slices.addIndex("mirrored", keysOf);
  return {
    name: "endpointslice-mirroring-controller",
    sources: [watchFor(endpoints), watchFor(services), watchMapped(slices, keysOf)],
    reconcile: async (key, signal) => {
      await writes.settled(key, signal);
      const source = endpoints.get(key);
      const { living } = writes.living(
        key,
        slices.byIndex("mirrored", key).filter(({ metadata }) => metadata.deletionTimestamp === undefined),
      );
      const plan = planMirror(shouldMirror(source, services.get(key)) ? source : undefined, living);
      await writeSlices(key, plan, { client, writes, signal });
    },
  };
}
