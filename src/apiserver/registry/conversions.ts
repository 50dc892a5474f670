// The two built-in kinds that are served in two versions and stored in one: Events (stored as core v1) and HorizontalPodAutoscalers (stored as v2).
import { type ApiObject, type KindRules, kindRules, type ResourceType } from "#api";
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

/** What is stored has the defaults of its own version, as upstream gives them whenever it reads. */
const defaultedAutoscalers: Conversion = {
  toStored: (object) => {
    const stored = autoscalers.toStored(object);
    return kindRules["autoscaling/HorizontalPodAutoscaler"]?.default?.(stored) ?? stored;
  },
  toServed: autoscalers.toServed,
};

/** The rules of a kind for a version of it: they look at the object in the version of which they know the fields. */
function convertedRules(rules: KindRules, { toStored, toServed }: Conversion): KindRules {
  const { prepareForCreate, prepareForUpdate, prepareForStatusUpdate, validate, validateUpdate, validateStatusUpdate } = rules;
  return {
    ...rules,
    ...(prepareForCreate && { prepareForCreate: (object) => toServed(prepareForCreate(toStored(object))) }),
    ...(prepareForUpdate && {
      prepareForUpdate: (next, old) => toServed(prepareForUpdate(toStored(next), toStored(old))),
    }),
    ...(prepareForStatusUpdate && {
      prepareForStatusUpdate: (next, old) => toServed(prepareForStatusUpdate(toStored(next), toStored(old))),
    }),
    ...(validate && { validate: (object) => validate(toStored(object)) }),
    ...(validateUpdate && { validateUpdate: (next, old) => validateUpdate(toStored(next), toStored(old)) }),
    ...(validateStatusUpdate && {
      validateStatusUpdate: (next, old) => validateStatusUpdate(toStored(next), toStored(old)),
    }),
  };
}

/** The rules of built-in kinds that are checked in another version than they are served in. */
export const rulesInVersion = (type: ResourceType): KindRules | undefined => {
  const rules = kindRules[`${type.group}/${type.kind}`];
  return rules !== undefined && isAutoscalerV1(type) ? convertedRules(rules, autoscalers) : rules;
};

const isAutoscalerV1 = (type: ResourceType): boolean => type.kind === "HorizontalPodAutoscaler" && type.version === "v1";

/** Undefined when the kind is stored as it is served. */
export function conversionOf(
  type: ResourceType,
): { readonly stored: { readonly group: string; readonly version: string }; readonly conversion: Conversion } | undefined {
  if (type.kind === "Event" && type.group === "events.k8s.io")
    return { stored: { group: "", version: "v1" }, conversion: events };
  if (isAutoscalerV1(type)) return { stored: { group: "autoscaling", version: "v2" }, conversion: defaultedAutoscalers };
  return undefined;
}
