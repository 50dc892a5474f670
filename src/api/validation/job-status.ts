// What a status update of a Job may say: counters that only grow, conditions that agree with each other.
import { duplicate, type FieldError, invalidValue, noValue, required } from "../errors.ts";
import type { AnyObject } from "../rules.ts";
import { parseIndexes } from "./completion-indexes.ts";
import { immutableText, validateObjectMetaUpdate } from "./meta.ts";
import { nonNegativeFields } from "./workloads.ts";

const isTrue = (status: AnyObject, type: string): boolean =>
  (status.conditions ?? []).some((condition: AnyObject) => condition.type === type && condition.status === "True");
const bare = (field: string, detail: string): FieldError => ({ type: "FieldValueInvalid", field, value: noValue, detail });

export function validateJobStatusUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const status = next.status ?? {};
  const before = old.status ?? {};
  const errors = validateObjectMetaUpdate(next.metadata, old.metadata);
  errors.push(...jobStatus(next));
  for (const field of ["failed", "succeeded"]) {
    // The counters fall only when the pods they count go uncounted again.
    if ((status[field] ?? 0) < (before[field] ?? 0) && !(field === "succeeded" && next.spec?.completionMode === "Indexed"))
      errors.push(invalidValue(`status.${field}`, status[field] ?? 0, `cannot decrease the ${field} counter`));
  }
  for (const type of ["Complete", "Failed", "SuccessCriteriaMet", "FailureTarget"])
    if (isTrue(before, type) && !isTrue(status, type))
      errors.push(bare("status.conditions", `cannot disable the terminal ${type}=True condition`));
  if (before.completionTime !== undefined && status.completionTime !== before.completionTime)
    errors.push(invalidValue("status.completionTime", status.completionTime ?? null, immutableText));
  if (before.startTime !== undefined && next.spec?.suspend !== true && status.startTime !== before.startTime)
    errors.push(invalidValue("status.startTime", status.startTime ?? null, "field is immutable for unsuspended job once set"));
  return errors;
}

function jobStatus(job: AnyObject): FieldError[] {
  const { status = {}, spec = {} } = job;
  const finished = isTrue(status, "Complete") || isTrue(status, "Failed");
  const errors = nonNegativeFields(status, "status", "active", "succeeded", "failed", "ready", "terminating");
  const uncounted = status.uncountedTerminatedPods;
  if (uncounted !== undefined) {
    const seen = new Set<string>();
    for (const list of ["succeeded", "failed"])
      for (const [i, uid] of (uncounted[list] ?? []).entries()) {
        const at = `status.uncountedTerminatedPods.${list}[${i}]`;
        if (uid === "") errors.push(invalidValue(at, uid, "must not be empty"));
        else if (seen.has(uid)) errors.push(duplicate(at, uid));
        seen.add(uid);
      }
  }
  if (status.ready !== undefined && status.ready > (status.active ?? 0))
    errors.push(invalidValue("status.ready", status.ready ?? 0, "cannot set more ready pods than active"));
  if (isTrue(status, "Complete") && isTrue(status, "Failed"))
    errors.push(bare("status.conditions", "cannot set Complete=True and Failed=true conditions"));
  if (isTrue(status, "SuccessCriteriaMet") && isTrue(status, "Failed"))
    errors.push(bare("status.conditions", "cannot set SuccessCriteriaMet=True and Failed=true conditions"));
  if (isTrue(status, "SuccessCriteriaMet") && isTrue(status, "FailureTarget"))
    errors.push(bare("status.conditions", "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"));
  if (status.completionTime !== undefined && !isTrue(status, "Complete"))
    errors.push(
      invalidValue(
        "status.completionTime",
        status.completionTime,
        "cannot set completionTime when there is no Complete=True condition",
      ),
    );
  if (isTrue(status, "Complete") && status.completionTime === undefined)
    errors.push(required("status.completionTime", "completionTime is required for Complete jobs"));
  if (isTrue(status, "Failed") && !isTrue(status, "FailureTarget"))
    errors.push(bare("status.conditions", "cannot set Failed=True condition without the FailureTarget=true condition"));
  if (isTrue(status, "Complete") && !isTrue(status, "SuccessCriteriaMet"))
    errors.push(bare("status.conditions", "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"));
  if (finished && status.startTime === undefined)
    errors.push(required("status.startTime", "startTime is required for finished job"));
  if (
    status.completionTime !== undefined &&
    status.startTime !== undefined &&
    Date.parse(status.completionTime) < Date.parse(status.startTime)
  )
    errors.push(invalidValue("status.completionTime", status.completionTime, "must be equal to or after `startTime`"));
  if (finished && (status.active ?? 0) > 0)
    errors.push(invalidValue("status.active", status.active, "active>0 is invalid for finished job"));
  if (finished && ((uncounted?.succeeded?.length ?? 0) > 0 || (uncounted?.failed?.length ?? 0) > 0))
    errors.push(
      invalidValue(
        "status.uncountedTerminatedPods",
        { Succeeded: uncounted.succeeded ?? null, Failed: uncounted.failed ?? null },
        "must be empty for finished job",
      ),
    );
  errors.push(...indexStatus(status, spec));
  return errors;
}

function indexStatus(status: AnyObject, spec: AnyObject): FieldError[] {
  const errors: FieldError[] = [];
  const indexed = spec.completionMode === "Indexed";
  const bad = (field: "completedIndexes" | "failedIndexes"): void => {
    if (spec.completions === undefined) return;
    const parsed = parseIndexes(status[field], spec.completions);
    if ("problem" in parsed)
      errors.push(invalidValue(`status.${field}`, status[field], `error parsing ${field}: ${parsed.problem}`));
  };
  if (status.completedIndexes) {
    bad("completedIndexes");
    if (!indexed)
      errors.push(
        invalidValue(
          "status.completedIndexes",
          status.completedIndexes,
          "cannot set non-empty completedIndexes when non-indexed completion mode",
        ),
      );
  }
  if (status.failedIndexes !== undefined) {
    if (spec.backoffLimitPerIndex === undefined)
      errors.push(
        invalidValue(
          "status.failedIndexes",
          status.failedIndexes,
          "cannot set non-null failedIndexes when backoffLimitPerIndex is null",
        ),
      );
    else bad("failedIndexes");
  }
  return errors;
}
