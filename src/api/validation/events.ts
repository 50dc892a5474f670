// Events of both groups: the new one is strict, the old one almost free.
import { semanticEqual } from "../deep-equal.ts";
import { type FieldError, invalidValue, required } from "../errors.ts";
import { byteLength, isLabelKey } from "../names.ts";
import type { AnyObject } from "../rules.ts";
import { immutableText, invalids, subdomainName, validateObjectMeta, validateObjectMetaUpdate } from "./meta.ts";

/** Events of objects without a namespace live in "default"; those with an eventTime in "kube-system" too, and anywhere about others. */
function whereItLives(event: AnyObject): FieldError[] {
  const about: string = (event.involvedObject ?? event.regarding)?.namespace ?? "";
  const namespace: string = event.metadata?.namespace ?? "";
  const isModern = !isZeroTime(event.eventTime);
  const fits =
    about === "" ? ["", "default", ...(isModern ? ["kube-system"] : [])].includes(namespace) : isModern || about === namespace;
  return fits ? [] : [invalidValue("involvedObject.namespace", about, "does not match event.namespace")];
}

/** What both groups want of an event with an eventTime. */
function reporting(event: AnyObject, controllerPath: "reportingController" | "reportingComponent"): FieldError[] {
  const errors: FieldError[] = [];
  const controller = event[controllerPath] ?? "";
  if (controller === "") errors.push(required(controllerPath));
  errors.push(...invalids(controllerPath, controller, isLabelKey(controller)));
  if (!event.reportingInstance) errors.push(required("reportingInstance"));
  errors.push(...limit(event.reportingInstance, 128, "reportingInstance"));
  if (!event.action) errors.push(required("action"));
  errors.push(...limit(event.action, 128, "action"));
  if (!event.reason) errors.push(required("reason"));
  errors.push(...limit(event.reason, 128, "reason"), ...limit(event.note ?? event.message, 1024, "message"));
  return errors;
}

const limit = (value: string | undefined, max: number, path: string): FieldError[] =>
  byteLength(value ?? "") > max ? [invalidValue(path, "", `can have at most ${max} characters`)] : [];
const isZeroTime = (time: string | undefined | null): boolean => time === undefined || time === null || time === "";

function seriesErrors(series: AnyObject): FieldError[] {
  if (series === undefined || series === null) return [];
  return [
    ...((series.count ?? 0) < 2 ? [invalidValue("series.count", "", "should be at least 2")] : []),
    ...(isZeroTime(series.lastObservedTime) ? [required("series.lastObservedTime")] : []),
  ];
}

export function validateEventV1(event: AnyObject): FieldError[] {
  const errors = [
    ...validateObjectMeta(event.metadata, true, subdomainName),
    ...whereItLives(event),
    ...(isZeroTime(event.eventTime) ? [required("eventTime")] : reporting(event, "reportingController")),
  ];
  errors.push(...seriesErrors(event.series));
  if (event.type !== "Normal" && event.type !== "Warning")
    errors.push(invalidValue("type", "", `has invalid value: ${event.type ?? ""}`));
  if (!isZeroTime(event.deprecatedFirstTimestamp)) errors.push(invalidValue("firstTimestamp", "", "needs to be unset"));
  if (!isZeroTime(event.deprecatedLastTimestamp)) errors.push(invalidValue("lastTimestamp", "", "needs to be unset"));
  if (event.deprecatedCount) errors.push(invalidValue("count", "", "needs to be unset"));
  if (event.deprecatedSource?.component || event.deprecatedSource?.host)
    errors.push(invalidValue("source", "", "needs to be unset"));
  return errors;
}

export function validateEvent(event: AnyObject): FieldError[] {
  return [
    ...whereItLives(event),
    ...(isZeroTime(event.eventTime) ? [] : reporting(event, "reportingComponent")),
    ...validateObjectMeta(event.metadata, true, subdomainName),
  ];
}
export const validateEventUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...validateEvent(next),
  ...validateObjectMetaUpdate(next.metadata, old.metadata),
];
export const validateEventV1Update = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...whereItLives(next),
  ...(isZeroTime(next.eventTime) ? [] : reporting(next, "reportingController")),
  ...validateObjectMetaUpdate(next.metadata, old.metadata),
  ...(semanticEqual(next.series, old.series) ? [] : seriesErrors(next.series)),
  ...fixedFields(next, old),
];

/** References and sources as Go prints them. */
function asGo(field: string, value: AnyObject): unknown {
  if (value === undefined || value === null) return null;
  if (field === "deprecatedSource") return { Component: value.component ?? "", Host: value.host ?? "" };
  if (field !== "regarding" && field !== "related") return value;
  return {
    Kind: value.kind ?? "",
    Namespace: value.namespace ?? "",
    Name: value.name ?? "",
    UID: value.uid ?? "",
    APIVersion: value.apiVersion ?? "",
    ResourceVersion: value.resourceVersion ?? "",
    FieldPath: value.fieldPath ?? "",
  };
}

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
    semanticEqual(next[field], old[field]) ? [] : [invalidValue(shown, asGo(field, next[field]), immutableText)],
  );
}
