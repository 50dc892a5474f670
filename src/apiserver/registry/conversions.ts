// The two built-in kinds that are served in two versions and stored in one: Events (stored as core v1) and HorizontalPodAutoscalers (stored as v2).
import type { ApiObject, ResourceType } from "#api";
import { autoscalers } from "./autoscaler-conversion.ts";

interface Conversion {
  readonly toStored: (object: ApiObject) => ApiObject;
  readonly toServed: (object: ApiObject) => ApiObject;
}

type Fields = Record<string, unknown>;

function renamed(object: ApiObject, names: Readonly<Record<string, string>>, apiVersion: string): ApiObject {
  const result: Fields = {};
  for (const [key, value] of Object.entries(object)) result[names[key] ?? key] = value;
  return { ...result, apiVersion, metadata: object.metadata } as ApiObject;
}

export const coreToEventFields: Readonly<Record<string, string>> = {
  involvedObject: "regarding",
  message: "note",
  reportingComponent: "reportingController",
  source: "deprecatedSource",
  firstTimestamp: "deprecatedFirstTimestamp",
  lastTimestamp: "deprecatedLastTimestamp",
  count: "deprecatedCount",
};
const eventsToCore = Object.fromEntries(Object.entries(coreToEventFields).map(([core, newer]) => [newer, core]));

const events: Conversion = {
  toStored: (object) => renamed(object, eventsToCore, "v1"),
  // core writes both names even when they are empty, events.k8s.io does not
  toServed: (object) => {
    const { reportingController, reportingInstance, ...rest } = renamed(object, coreToEventFields, "events.k8s.io/v1") as Fields &
      ApiObject;
    return {
      ...rest,
      ...(reportingController === "" ? {} : { reportingController }),
      ...(reportingInstance === "" ? {} : { reportingInstance }),
    } as ApiObject;
  },
};

/** Undefined when the kind is stored as it is served. */
export function conversionOf(
  type: ResourceType,
): { readonly stored: { readonly group: string; readonly version: string }; readonly conversion: Conversion } | undefined {
  if (type.kind === "Event" && type.group === "events.k8s.io")
    return { stored: { group: "", version: "v1" }, conversion: events };
  if (type.kind === "HorizontalPodAutoscaler" && type.version === "v1")
    return { stored: { group: "autoscaling", version: "v2" }, conversion: autoscalers };
  return undefined;
}
