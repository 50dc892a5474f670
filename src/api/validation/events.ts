// Events of both groups: the new one is strict, the old one almost free.
import { semanticEqual } from "../deep-equal.ts";
import { type FieldError, invalidValue, required } from "../errors.ts";
import { byteLength, isLabelKey } from "../names.ts";
import type { AnyObject } from "../rules.ts";
import { immutableText, invalids, subdomainName, validateObjectMeta, validateObjectMetaUpdate } from "./meta.ts";

/** Events of objects without a namespace live in "default". */
function legacy(event: AnyObject): FieldError[] {
  const about = event.involvedObject ?? event.regarding ?? {};
  const namespace = event.metadata?.namespace ?? "";
  const errors: FieldError[] = [];
  if (!about.namespace) {
    if (namespace !== "" && namespace !== "default")
      errors.push(invalidValue("involvedObject.namespace", "", "does not match event.namespace"));
  } else if (about.namespace !== namespace)
    errors.push(invalidValue("involvedObject.namespace", about.namespace, "does not match event.namespace"));
  return errors;
}

const limit = (value: string | undefined, max: number, path: string): FieldError[] =>
  byteLength(value ?? "") > max ? [invalidValue(path, "", `can have at most ${max} characters`)] : [];
const isZeroTime = (time: string | undefined | null): boolean => time === undefined || time === null || time === "";

/** An event as the events.k8s.io group wants it. */
function strict(event: AnyObject, modern: boolean): FieldError[] {
  const errors: FieldError[] = [];
  const controller = (modern ? event.reportingController : event.reportingComponent) ?? "";
  const path = "reportingController";
  if (isZeroTime(event.eventTime)) errors.push(required("eventTime"));
  if (event.series !== undefined) {
    if ((event.series.count ?? 0) < 2) errors.push(invalidValue("series.count", "", "should be at least 2"));
    if (isZeroTime(event.series.lastObservedTime)) errors.push(required("series.lastObservedTime"));
  }
  if (controller === "") errors.push(required(path));
  errors.push(...invalids(path, controller, isLabelKey(controller)));
  if (!event.reportingInstance) errors.push(required("reportingInstance"));
  errors.push(...limit(event.reportingInstance, 128, "reportingInstance"));
  if (!event.action) errors.push(required("action"));
  errors.push(...limit(event.action, 128, "action"));
  if (!event.reason) errors.push(required("reason"));
  errors.push(...limit(event.reason, 128, "reason"), ...limit(modern ? event.note : event.message, 1024, "message"));
  if (event.type !== "Normal" && event.type !== "Warning")
    errors.push(invalidValue("type", "", `has invalid value: ${event.type ?? ""}`));
  return errors;
}

export function validateEventV1(event: AnyObject): FieldError[] {
  const errors = [...validateObjectMeta(event.metadata, true, subdomainName), ...strict(event, true)];
  if (!isZeroTime(event.deprecatedFirstTimestamp)) errors.push(invalidValue("firstTimestamp", "", "needs to be unset"));
  if (!isZeroTime(event.deprecatedLastTimestamp)) errors.push(invalidValue("lastTimestamp", "", "needs to be unset"));
  if (event.deprecatedCount) errors.push(invalidValue("count", "", "needs to be unset"));
  if (event.deprecatedSource?.component || event.deprecatedSource?.host)
    errors.push(invalidValue("source", "", "needs to be unset"));
  return [...errors, ...legacy(event)];
}

export function validateEvent(event: AnyObject): FieldError[] {
  const errors = legacy(event);
  const hasNew = !isZeroTime(event.eventTime);
  if (!hasNew) return [...errors, ...validateObjectMeta(event.metadata, true, subdomainName)];
  const controller = event.reportingComponent ?? "";
  if (controller === "") errors.push(required("reportingComponent"));
  errors.push(...invalids("reportingComponent", controller, isLabelKey(controller)));
  if (!event.reportingInstance) errors.push(required("reportingInstance"));
  errors.push(...limit(event.reportingInstance, 128, "reportingInstance"));
  if (!event.action) errors.push(required("action"));
  errors.push(...limit(event.action, 128, "action"));
  if (!event.reason) errors.push(required("reason"));
  errors.push(...limit(event.reason, 128, "reason"), ...limit(event.message, 1024, "message"));
  return [...errors, ...validateObjectMeta(event.metadata, true, subdomainName)];
}
export const validateEventUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...validateEvent(next),
  ...validateObjectMetaUpdate(next.metadata, old.metadata),
];
export const validateEventV1Update = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...validateEventV1(next),
  ...validateObjectMetaUpdate(next.metadata, old.metadata),
  ...fixedFields(next, old),
];

/** An event of the newer group says what happened once; only its series goes on. The names are those of the core group. */
function fixedFields(next: AnyObject, old: AnyObject): FieldError[] {
  const fields: readonly (readonly [string, string])[] = [
    ["regarding", "involvedObject"],
    ["reason", "reason"],
    ["note", "message"],
    ["deprecatedSource", "source"],
    ["deprecatedFirstTimestamp", "firstTimestamp"],
    ["deprecatedLastTimestamp", "lastTimestamp"],
    ["deprecatedCount", "count"],
    ["type", "type"],
    ["eventTime", "eventTime"],
    ["action", "action"],
    ["related", "related"],
    ["reportingController", "reportingController"],
    ["reportingInstance", "reportingInstance"],
  ];
  return fields.flatMap(([field, shown]) =>
    semanticEqual(next[field], old[field]) ? [] : [invalidValue(shown, next[field] ?? null, immutableText)],
  );
}
