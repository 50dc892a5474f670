// Jobs and CronJobs.
import { semanticEqual } from "../deep-equal.ts";
import { duplicate, type FieldError, invalidValue, notSupported, noValue, required, tooLong, tooMany } from "../errors.ts";
import { byteLength, isDns1123Label, isDomainPrefixedPath, isLabelKey } from "../names.ts";
import type { AnyObject } from "../rules.ts";
import { labelSelector, selectorMatches } from "../selectors.ts";
import { nonNegative, validateLabelSelector } from "./basics.ts";
import { parseIndexes } from "./completion-indexes.ts";
import { cronProblem } from "./cron.ts";
import { podSpecAsGo, podTemplateAsGo } from "./go-shapes.ts";
import { mapList, without } from "./helpers.ts";
import { immutableText, invalids, subdomainName, validateObjectMeta, validateObjectMetaUpdate } from "./meta.ts";
import { nonNegativeFields, shownSelector, sortedMap, usableSelector, validatePodTemplate } from "./workloads.ts";

const maxIndexed = 100_000;
const maxPolicyRules = 20;

// The spec, also within a CronJob's template.

function validateJobTemplateSpec(spec: AnyObject, path: string): FieldError[] {
  const errors = nonNegativeFields(
    spec,
    path,
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
  );
  const indexed = spec.completionMode === "Indexed";
  const { maxFailedIndexes } = spec;
  if (maxFailedIndexes !== undefined) {
    errors.push(...nonNegative(maxFailedIndexes, `${path}.maxFailedIndexes`));
    if (spec.backoffLimitPerIndex === undefined)
      errors.push(required(`${path}.backoffLimitPerIndex`, "when maxFailedIndexes is specified"));
  }
  if (spec.managedBy !== undefined) {
    errors.push(...invalids(`${path}.managedBy`, spec.managedBy, isDomainPrefixedPath(spec.managedBy)));
    if (byteLength(spec.managedBy) > 63) errors.push(tooLong(`${path}.managedBy`, 63));
  }
  if (spec.completionMode !== undefined) {
    if (spec.completionMode !== "NonIndexed" && !indexed)
      errors.push(notSupported(`${path}.completionMode`, spec.completionMode, ["NonIndexed", "Indexed"]));
    if (indexed) errors.push(...validateIndexed(spec, path));
  }
  const nonIndexed = spec.completionMode === undefined || spec.completionMode === "NonIndexed";
  if (nonIndexed && maxFailedIndexes !== undefined)
    errors.push(invalidValue(`${path}.maxFailedIndexes`, maxFailedIndexes, "requires indexed completion mode"));
  if (nonIndexed && spec.backoffLimitPerIndex !== undefined)
    errors.push(invalidValue(`${path}.backoffLimitPerIndex`, spec.backoffLimitPerIndex, "requires indexed completion mode"));
  if (spec.podFailurePolicy !== undefined) errors.push(...validateFailurePolicy(spec, `${path}.podFailurePolicy`));
  if (spec.successPolicy !== undefined) {
    if (indexed) errors.push(...validateSuccessPolicy(spec, `${path}.successPolicy`));
    else
      errors.push(
        invalidValue(`${path}.successPolicy`, shownSuccessPolicy(spec.successPolicy), "requires indexed completion mode"),
      );
  }
  errors.push(...validateReplacementPolicy(spec, `${path}.podReplacementPolicy`));
  errors.push(...validatePodTemplate(spec.template ?? {}, `${path}.template`));
  const policy = spec.template?.spec?.restartPolicy ?? "";
  const at = `${path}.template.spec.restartPolicy`;
  if (policy === "" || policy === "Always") errors.push(required(at, 'valid values: "OnFailure", "Never"'));
  else if (policy !== "OnFailure" && policy !== "Never") errors.push(notSupported(at, policy, ["OnFailure", "Never"]));
  else if (spec.podFailurePolicy !== undefined && policy !== "Never")
    errors.push(invalidValue(at, policy, 'only "Never" is supported when podFailurePolicy is specified'));
  return errors;
}

function validateIndexed(spec: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { completions, parallelism, maxFailedIndexes } = spec;
  if (completions === undefined) errors.push(required(`${path}.completions`, "when completion mode is Indexed"));
  if (parallelism > maxIndexed)
    errors.push(
      invalidValue(
        `${path}.parallelism`,
        parallelism,
        `must be less than or equal to ${maxIndexed} when completion mode is Indexed`,
      ),
    );
  if (completions !== undefined && maxFailedIndexes !== undefined && maxFailedIndexes > completions)
    errors.push(invalidValue(`${path}.maxFailedIndexes`, maxFailedIndexes, "must be less than or equal to completions"));
  if (maxFailedIndexes > maxIndexed)
    errors.push(invalidValue(`${path}.maxFailedIndexes`, maxFailedIndexes, `must be less than or equal to ${maxIndexed}`));
  if (completions > maxIndexed && spec.backoffLimitPerIndex !== undefined) {
    const limit = "must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index";
    if (parallelism > 10_000) errors.push(invalidValue(`${path}.parallelism`, parallelism, limit));
    if (maxFailedIndexes === undefined)
      errors.push(required(`${path}.maxFailedIndexes`, "must be specified when completions is above 100000"));
    else if (maxFailedIndexes > 10_000) errors.push(invalidValue(`${path}.maxFailedIndexes`, maxFailedIndexes, limit));
  }
  return errors;
}

const failureActions = ["Count", "FailIndex", "FailJob", "Ignore"];
const quotedList = (values: readonly string[]): string => `[${values.map((value) => JSON.stringify(value)).join(" ")}]`;

function validateFailurePolicy(spec: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const rules: readonly AnyObject[] = spec.podFailurePolicy.rules ?? [];
  if (rules.length > maxPolicyRules) return [tooMany(`${path}.rules`, rules.length, maxPolicyRules)];
  const names = new Set(
    [...(spec.template?.spec?.containers ?? []), ...(spec.template?.spec?.initContainers ?? [])].map(
      (container: AnyObject) => container.name,
    ),
  );
  for (const [i, rule] of rules.entries()) {
    const at = `${path}.rules[${i}]`;
    const action = rule.action ?? "";
    if (action === "") errors.push(required(`${at}.action`, `valid values: ${quotedList(failureActions)}`));
    else if (action === "FailIndex") {
      if (spec.backoffLimitPerIndex === undefined)
        errors.push(invalidValue(`${at}.action`, action, "requires the backoffLimitPerIndex to be set"));
    } else if (!failureActions.includes(action)) errors.push(notSupported(`${at}.action`, action, failureActions));
    if (rule.onExitCodes) errors.push(...validateExitCodes(rule.onExitCodes, names, `${at}.onExitCodes`));
    if ((rule.onPodConditions?.length ?? 0) > 0) errors.push(...validatePatterns(rule.onPodConditions, `${at}.onPodConditions`));
    if (rule.onExitCodes && (rule.onPodConditions?.length ?? 0) > 0)
      errors.push(bare(at, "specifying both OnExitCodes and OnPodConditions is not supported"));
    if (!rule.onExitCodes && (rule.onPodConditions?.length ?? 0) === 0)
      errors.push(bare(at, "specifying one of OnExitCodes and OnPodConditions is required"));
  }
  return errors;
}

/** Upstream prints no value here. */
const bare = (field: string, detail: string): FieldError => ({ type: "FieldValueInvalid", field, value: noValue, detail });

function validateExitCodes(requirement: AnyObject, names: ReadonlySet<string>, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const operator = requirement.operator ?? "";
  if (operator === "") errors.push(required(`${path}.operator`, `valid values: ${quotedList(["In", "NotIn"])}`));
  else if (operator !== "In" && operator !== "NotIn") errors.push(notSupported(`${path}.operator`, operator, ["In", "NotIn"]));
  if (requirement.containerName !== undefined && !names.has(requirement.containerName))
    errors.push(
      invalidValue(
        `${path}.containerName`,
        requirement.containerName,
        "must be one of the container or initContainer names in the pod template",
      ),
    );
  const values: readonly number[] = requirement.values ?? [];
  const at = `${path}.values`;
  if (values.length === 0) errors.push(invalidValue(at, requirement.values ?? null, "at least one value is required"));
  else if (values.length > 255) errors.push(tooMany(at, values.length, 255));
  const seen = new Set<number>();
  let ordered = true;
  let previous: number | undefined;
  for (const [i, value] of values.entries()) {
    if (operator === "In" && value === 0) errors.push(invalidValue(`${at}[${i}]`, value, "must not be 0 for the In operator"));
    if (seen.has(value)) errors.push(duplicate(`${at}[${i}]`, value));
    seen.add(value);
    if (previous !== undefined && previous > value) ordered = false;
    previous = value;
  }
  if (!ordered) errors.push(invalidValue(at, values, "must be ordered"));
  return errors;
}

const validatePatterns = (patterns: readonly AnyObject[], path: string): FieldError[] => {
  if (patterns.length > 20) return [tooMany(path, patterns.length, 20)];
  return patterns.flatMap((pattern, i) => {
    const at = `${path}[${i}]`;
    const errors = invalids(`${at}.type`, pattern.type ?? "", isLabelKey(pattern.type ?? ""));
    const status = pattern.status ?? "";
    if (status === "") errors.push(required(`${at}.status`, `valid values: ${quotedList(["False", "True", "Unknown"])}`));
    else if (!["False", "True", "Unknown"].includes(status))
      errors.push(notSupported(`${at}.status`, status, ["False", "True", "Unknown"]));
    return errors;
  });
};

const shownSuccessPolicy = (policy: AnyObject): unknown => ({
  Rules:
    policy.rules?.map((rule: AnyObject) => ({
      SucceededIndexes: rule.succeededIndexes ?? null,
      SucceededCount: rule.succeededCount ?? null,
    })) ?? [],
});

function validateSuccessPolicy(spec: AnyObject, path: string): FieldError[] {
  const rules: readonly AnyObject[] = spec.successPolicy.rules ?? [];
  if (rules.length === 0)
    return [required(`${path}.rules`, "at least one rules must be specified when the successPolicy is specified")];
  const errors: FieldError[] = [];
  if (rules.length > maxPolicyRules) errors.push(tooMany(`${path}.rules`, rules.length, maxPolicyRules));
  for (const [i, rule] of rules.entries()) {
    const at = `${path}.rules[${i}]`;
    const { succeededIndexes: indexes, succeededCount: count } = rule;
    if (indexes === undefined && count === undefined)
      errors.push(required(at, "at least one of succeededCount or succeededIndexes must be specified"));
    let total: number | undefined;
    if (indexes !== undefined) {
      const parsed = parseIndexes(indexes, spec.completions ?? 0);
      if ("problem" in parsed)
        errors.push(invalidValue(`${at}.succeededIndexes`, indexes, `error parsing succeededIndexes: ${parsed.problem}`));
      else total = parsed.count;
    }
    if (count !== undefined) {
      errors.push(...nonNegative(count, `${at}.succeededCount`));
      if (spec.completions !== undefined && count > spec.completions)
        errors.push(
          invalidValue(
            `${at}.succeededCount`,
            count,
            `must be less than or equal to ${spec.completions} (the number of specified completions)`,
          ),
        );
      if (total !== undefined && count > total)
        errors.push(
          invalidValue(
            `${at}.succeededCount`,
            count,
            `must be less than or equal to ${total} (the number of indexes in the specified succeededIndexes field)`,
          ),
        );
    }
  }
  return errors;
}

function validateReplacementPolicy(spec: AnyObject, path: string): FieldError[] {
  if (spec.podReplacementPolicy === undefined) return [];
  const supported = spec.podFailurePolicy === undefined ? ["Failed", "TerminatingOrFailed"] : ["Failed"];
  return supported.includes(spec.podReplacementPolicy) ? [] : [notSupported(path, spec.podReplacementPolicy, supported)];
}

// Job

const generatedLabels = ["controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"];

/** Gives the job's pods their selector, unless the client chose its own. */
export function prepareJobForCreate(job: AnyObject): AnyObject {
  const bareJob = without(job, "status");
  const { spec, metadata } = bareJob;
  if (spec.manualSelector === true) return bareJob;
  const given = spec.template?.metadata?.labels;
  const labels = { ...given };
  for (const label of generatedLabels) labels[label] ??= label.includes("uid") ? (metadata.uid ?? "") : (metadata.name ?? "");
  const template = { ...spec.template, metadata: { ...spec.template?.metadata, labels } };
  const selector = spec.selector ?? {};
  const matchLabels = { ...selector.matchLabels };
  matchLabels["batch.kubernetes.io/controller-uid"] ??= metadata.uid ?? "";
  // Labels that the job took from its template as a default are, upstream, the same map: they change with it.
  const shared = given !== undefined && Object.keys(given).length > 0 && semanticEqual(metadata.labels, given);
  return {
    ...bareJob,
    metadata: shared ? { ...metadata, labels } : metadata,
    spec: { ...spec, template, selector: { ...selector, matchLabels } },
  };
}

function validateGeneratedSelector(job: AnyObject): FieldError[] {
  const { spec, metadata } = job;
  if (spec.manualSelector === true || spec.selector === undefined) return [];
  const errors: FieldError[] = [];
  const labels = spec.template?.metadata?.labels ?? {};
  const shown = sortedMap(spec.template?.metadata?.labels);
  const expected: Readonly<Record<string, string>> = {
    "controller-uid": metadata?.uid ?? "",
    "batch.kubernetes.io/controller-uid": metadata?.uid ?? "",
    "job-name": metadata?.name ?? "",
    "batch.kubernetes.io/job-name": metadata?.name ?? "",
  };
  for (const label of generatedLabels) {
    const at = `spec.template.metadata.labels[${label}]`;
    if (labels[label] === undefined) errors.push(required(at, `must be '${expected[label]}'`));
    else if (labels[label] !== expected[label]) errors.push(invalidValue(at, shown, `must be '${expected[label]}'`));
  }
  const generated = labelSelector({ matchLabels: { "batch.kubernetes.io/controller-uid": expected["controller-uid"] ?? "" } });
  const selector = usableSelector(spec.selector);
  if (selector !== undefined && JSON.stringify(selector) !== JSON.stringify(generated))
    errors.push(invalidValue("spec.selector", shownSelector(spec.selector), "`selector` not auto-generated"));
  return errors;
}

function jobSpec(spec: AnyObject): FieldError[] {
  const errors = validateJobTemplateSpec(spec, "spec");
  if (spec.selector === undefined) errors.push(required("spec.selector"));
  else errors.push(...validateLabelSelector(spec.selector, "spec.selector"));
  const selector = usableSelector(spec.selector);
  if (selector !== undefined && !selectorMatches(selector, spec.template?.metadata?.labels ?? {}))
    errors.push(
      invalidValue(
        "spec.template.metadata.labels",
        sortedMap(spec.template?.metadata?.labels),
        "`selector` does not match template `labels`",
      ),
    );
  return errors;
}

export const validateJob = (job: AnyObject): FieldError[] => {
  const errors = [
    ...validateObjectMeta(job.metadata, true, subdomainName),
    ...validateGeneratedSelector(job),
    ...jobSpec(job.spec ?? {}),
  ];
  // Pods of an indexed job are named after it and their index.
  const { completionMode, completions, parallelism } = job.spec ?? {};
  if (completionMode === "Indexed" && completions > 0 && parallelism > 0) {
    const longest = `${job.metadata?.name}-${completions - 1}`;
    if (isDns1123Label(longest).length > 0)
      errors.push(
        invalidValue("metadata.name", job.metadata?.name ?? "", `will not able to create pod with invalid DNS label: ${longest}`),
      );
  }
  return errors;
};

export function validateJobUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const errors = validateObjectMetaUpdate(next.metadata, old.metadata);
  const before = old.spec ?? {};
  const after = next.spec ?? {};
  errors.push(...validateJobTemplateSpec(after, "spec"));
  errors.push(...completionsUpdate(after, before));
  const immutable = (field: string, shown: (value: AnyObject) => unknown = (value) => value ?? null): void => {
    if (!semanticEqual(after[field], before[field]))
      errors.push(invalidValue(`spec.${field}`, shown(after[field]), immutableText));
  };
  immutable("selector", shownSelector);
  if (!templateMutable(old) && !semanticEqual(after.template, before.template))
    errors.push(invalidValue("spec.template", podTemplateAsGo(after.template ?? {}), immutableText));
  else if (templateMutable(old) && !semanticEqual(schedulingBlind(after.template), schedulingBlind(before.template)))
    errors.push(invalidValue("spec.template.spec", podSpecAsGo(after.template?.spec ?? {}), immutableText));
  for (const field of ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"])
    immutable(field);
  return errors;
}

/** A job that is suspended and never ran may still be steered to other nodes (KEP-2926). */
const templateMutable = (old: AnyObject): boolean =>
  old.spec?.suspend === true &&
  (old.status?.startTime === undefined ||
    (old.status.conditions ?? []).some((condition: AnyObject) => condition.type === "Suspended" && condition.status === "True"));
const withoutResources = (container: AnyObject): AnyObject => without(container, "resources");
const schedulingBlind = (template: AnyObject): unknown => ({
  ...template,
  metadata: without(template?.metadata ?? {}, "annotations", "labels"),
  spec: mapList(
    mapList(
      without(template?.spec ?? {}, "nodeSelector", "affinity", "tolerations", "schedulingGates"),
      "containers",
      withoutResources,
    ),
    "initContainers",
    withoutResources,
  ),
});

function completionsUpdate(after: AnyObject, before: AnyObject): FieldError[] {
  if (before.completionMode !== "Indexed")
    return semanticEqual(after.completions, before.completions)
      ? []
      : [invalidValue("spec.completions", after.completions ?? null, immutableText)];
  if (semanticEqual(after.completions, before.completions)) return [];
  if (after.completions === undefined) return [required("spec.completions", "when completion mode is Indexed")];
  if (after.completions !== after.parallelism)
    return [invalidValue("spec.completions", after.completions, "can only be modified in tandem with spec.parallelism")];
  return [];
}

export { validateJobStatusUpdate } from "./job-status.ts";

// CronJob

const zoneError = (zone: string): string => `unknown time zone ${zone}`;

function validateTimeZone(zone: string, path: string): FieldError[] {
  if (zone === "") return [invalidValue(path, zone, "timeZone must be nil or non-empty string")];
  const errors: FieldError[] = [];
  if (zone.toLowerCase() === "local")
    errors.push(invalidValue(path, zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"));
  if (zone !== "Local" && !isTimeZone(zone)) errors.push(invalidValue(path, zone, zoneError(zone)));
  return errors;
}

/** Names are looked up as they are written: "america/new_york" is not one, though Intl accepts it. */
function isTimeZone(zone: string): boolean {
  if (zone === "UTC" || /^(Etc\/)?(UCT|GMT|GMT0|GMT[+-]\d{1,2}|Greenwich|Universal|Zulu|UTC)$/.test(zone)) return true;
  if (!/^[A-Z][A-Za-z0-9_+-]*(\/[A-Z][A-Za-z0-9_+-]*)*$/.test(zone)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

function cronJobSpec(spec: AnyObject): FieldError[] {
  const errors: FieldError[] = [];
  const schedule: string = spec.schedule ?? "";
  if (schedule === "") errors.push(required("spec.schedule"));
  else {
    if (schedule.includes("TZ"))
      errors.push(invalidValue("spec.schedule", schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"));
    const problem = cronProblem(schedule.replace(/^(?:CRON_)?TZ=\S+\s+/, ""));
    if (problem !== undefined) errors.push(invalidValue("spec.schedule", schedule, problem));
  }
  errors.push(...nonNegative(spec.startingDeadlineSeconds, "spec.startingDeadlineSeconds"));
  if (spec.timeZone !== undefined) errors.push(...validateTimeZone(spec.timeZone, "spec.timeZone"));
  const policy = spec.concurrencyPolicy ?? "";
  if (policy === "") errors.push(required("spec.concurrencyPolicy"));
  else if (!["Allow", "Forbid", "Replace"].includes(policy))
    errors.push(notSupported("spec.concurrencyPolicy", policy, ["Allow", "Forbid", "Replace"]));
  const at = "spec.jobTemplate.spec";
  const template = spec.jobTemplate?.spec ?? {};
  errors.push(...validateJobTemplateSpec(template, at));
  if (template.selector !== undefined)
    errors.push(invalidValue(`${at}.selector`, shownSelector(template.selector), "`selector` will be auto-generated"));
  if (template.manualSelector === true) errors.push(notSupported(`${at}.manualSelector`, true, ["nil", "false"]));
  return [...errors, ...nonNegativeFields(spec, "spec", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")];
}

/** A CronJob's Jobs are named after it. */
const longName = (name: string): readonly string[] => (name.length > 52 ? ["must be no more than 52 characters"] : []);
export const validateCronJob = (job: AnyObject): FieldError[] => [
  ...validateObjectMeta(job.metadata, true, subdomainName),
  ...cronJobSpec(job.spec ?? {}),
  ...invalids("metadata.name", job.metadata?.name, longName(job.metadata?.name ?? "")),
];
export const validateCronJobUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...validateObjectMetaUpdate(next.metadata, old.metadata),
  ...cronJobSpec(next.spec ?? {}),
];
