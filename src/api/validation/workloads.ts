// What workloads share: pod templates, selectors that must match them, counts.
import { semanticEqual } from "../deep-equal.ts";
import { type FieldError, forbiddenField, invalidValue, notSupported, required } from "../errors.ts";
import { isPercent } from "../names.ts";
import type { AnyObject } from "../rules.ts";
import { labelSelector, type Selector, selectorMatches } from "../selectors.ts";
import { nonNegative, validateLabelSelector } from "./basics.ts";
import { immutableText, invalids, validateAnnotations, validateLabels } from "./meta.ts";
import { validatePodAnnotations } from "./pod/pod.ts";
import { validatePodSpec } from "./pod/spec.ts";

/** A selector as messages print it. */
export const shownSelector = (selector: AnyObject): unknown =>
  selector === undefined || selector === null
    ? null
    : {
        ...(selector.matchLabels === undefined ? {} : { matchLabels: sortedMap(selector.matchLabels) }),
        ...(selector.matchExpressions === undefined
          ? {}
          : {
              matchExpressions: selector.matchExpressions.map((requirement: AnyObject) => ({
                key: requirement.key ?? "",
                operator: requirement.operator ?? "",
                ...(requirement.values === undefined ? {} : { values: requirement.values }),
              })),
            }),
      };

/** Go prints maps by key. */
export const sortedMap = (map: Readonly<Record<string, string>> | undefined): unknown =>
  map === undefined
    ? null
    : Object.fromEntries(
        Object.keys(map)
          .sort()
          .map((key) => [key, map[key]]),
      );

export function validatePodTemplate(template: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [
    ...validateLabels(template.metadata?.labels, `${path}.labels`),
    ...validateAnnotations(template.metadata?.annotations, `${path}.annotations`),
    ...validatePodAnnotations(template.metadata?.annotations ?? {}, template.spec ?? {}, `${path}.annotations`),
    ...validatePodSpec(template.spec ?? {}, `${path}.spec`),
  ];
  if ((template.spec?.ephemeralContainers?.length ?? 0) > 0)
    errors.push(forbiddenField(`${path}.spec.ephemeralContainers`, "ephemeral containers not allowed in pod template"));
  return errors;
}

const mismatch = (template: AnyObject, path: string): FieldError =>
  invalidValue(`${path}.metadata.labels`, sortedMap(template.metadata?.labels), "`selector` does not match template `labels`");

/** The template of a workload whose pods always restart. An empty selector matches whatever the labels are. */
export function validateAlwaysTemplate(template: AnyObject, selector: Selector, path: string, kind: string): FieldError[] {
  const errors: FieldError[] = [];
  const empty = selector !== "nothing" && selector.length === 0;
  if (!empty && !selectorMatches(selector, template.metadata?.labels ?? {})) errors.push(mismatch(template, path));
  errors.push(...validatePodTemplate(template, path));
  return [...errors, ...alwaysRestarts(template, path, kind)];
}

export function alwaysRestarts(template: AnyObject, path: string, kind: string): FieldError[] {
  const errors: FieldError[] = [];
  const policy = template.spec?.restartPolicy;
  if (policy !== "Always") errors.push(notSupported(`${path}.spec.restartPolicy`, policy ?? "", ["Always"]));
  if (template.spec?.activeDeadlineSeconds !== undefined)
    errors.push(forbiddenField(`${path}.spec.activeDeadlineSeconds`, `activeDeadlineSeconds in ${kind} is not Supported`));
  return errors;
}

/** The selector, or undefined where it cannot be used (a bad operator, key or value). */
export function usableSelector(selector: AnyObject): Selector | undefined {
  if (selector === undefined || selector === null) return "nothing";
  return validateLabelSelector(selector, "").length > 0 ? undefined : labelSelector(selector);
}

export const isEmptySelector = (selector: AnyObject): boolean =>
  Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions?.length ?? 0) === 0;

/** Selector and template of Deployments and ReplicaSets. */
export function validateSelectorAndTemplate(spec: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (spec.selector === undefined || spec.selector === null) errors.push(required(`${path}.selector`));
  else {
    errors.push(...validateLabelSelector(spec.selector, `${path}.selector`));
    if (isEmptySelector(spec.selector))
      errors.push(invalidValue(`${path}.selector`, shownSelector(spec.selector), "empty selector is invalid for deployment"));
  }
  const selector = usableSelector(spec.selector);
  if (selector === undefined)
    errors.push(invalidValue(`${path}.selector`, shownSelector(spec.selector), "invalid label selector"));
  else errors.push(...validateAlwaysTemplate(spec.template ?? {}, selector, `${path}.template`, "ReplicaSet"));
  return errors;
}

export const immutableSelector = (next: AnyObject, old: AnyObject): FieldError[] =>
  semanticEqual(next.spec.selector, old.spec.selector)
    ? []
    : [invalidValue("spec.selector", shownSelector(next.spec.selector), immutableText)];

/** Not negative, or a percentage. */
export function positiveOrPercent(value: number | string | undefined, path: string): FieldError[] {
  if (typeof value === "string") return invalids(path, value, isPercent(value));
  return nonNegative(value, path);
}

export const atMost100Percent = (value: number | string | undefined, path: string): FieldError[] =>
  typeof value === "string" && /^[0-9]+%$/.test(value) && Number(value.slice(0, -1)) > 100
    ? [invalidValue(path, value, "must not be greater than 100%")]
    : [];

/** The number of an integer or percentage, 0 where it is neither. */
export const amountOf = (value: number | string | undefined): number =>
  typeof value === "number" ? value : /^[0-9]+%$/.test(value ?? "") ? Number(value?.slice(0, -1)) : 0;

/** Several counts that may not be negative. */
export const nonNegativeFields = (object: AnyObject, path: string, ...fields: readonly string[]): FieldError[] =>
  fields.flatMap((field) => nonNegative(object?.[field], `${path}.${field}`));

/** Counts of a status that cannot exceed another one. */
export const notAbove = (status: AnyObject, field: string, limit: string, text: string): FieldError[] =>
  (status[field] ?? 0) > (status[limit] ?? 0) ? [invalidValue(`status.${field}`, status[field] ?? 0, text)] : [];

export const notDecremented = (next: AnyObject, old: AnyObject): FieldError[] => {
  const before = old?.collisionCount;
  const after = next?.collisionCount;
  return before !== undefined && (after ?? 0) < before
    ? [invalidValue("status.collisionCount", after ?? 0, "cannot be decremented")]
    : [];
};
