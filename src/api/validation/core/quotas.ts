// ResourceQuotas and LimitRanges.
import { own } from "#base";
import { duplicate, type FieldError, forbiddenField, invalidValue, required } from "../../errors.ts";
import { isLabelKey } from "../../names.ts";
import { compareQuantityTexts, parseQuantity, scaledQuantity } from "../../quantity.ts";
import type { AnyObject } from "../../rules.ts";
import { immutableText, invalids, subdomainName, validateObjectMeta, validateObjectMetaUpdate } from "../meta.ts";
import {
  isHugePages,
  isStandardResource,
  validateContainerResourceName,
  validateResourceName,
  validateResourceQuantity,
} from "../pod/resources.ts";
import { sortedKeys } from "./small.ts";

// ResourceQuota

const quotaScopes = [
  "BestEffort",
  "CrossNamespacePodAffinity",
  "NotBestEffort",
  "NotTerminating",
  "PriorityClass",
  "Terminating",
  "VolumeAttributesClass",
];

export function validateResourceQuota(quota: AnyObject): FieldError[] {
  const errors = validateObjectMeta(quota.metadata, true, subdomainName);
  return [...errors, ...quotaSpec(quota.spec ?? {}), ...quotaStatus(quota)];
}
const quotaStatus = (quota: AnyObject): FieldError[] => [
  ...quotaList(quota.status?.hard, "status.hard"),
  ...quotaList(quota.status?.used, "status.used"),
];
export const validateResourceQuotaStatusUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...validateObjectMetaUpdate(next.metadata, old.metadata),
  ...quotaStatus(next),
];

function quotaList(list: AnyObject, path: string): FieldError[] {
  return sortedKeys(list).flatMap((name) => {
    const at = `${path}[${name}]`;
    const errors = validateResourceName(name, at);
    if (!name.includes("/") && !isQuotaResource(name))
      errors.push(invalidValue(at, name, "must be a standard resource for quota"));
    return [...errors, ...validateResourceQuantity(name, list[name], at)];
  });
}

const isQuotaResource = (name: string): boolean =>
  (isStandardResource(name) && name !== "storage") || isHugePages(name.replace(/^requests\./, ""));

const quotaSpec = (spec: AnyObject): FieldError[] => [
  ...quotaList(spec.hard, "spec.hard"),
  ...scopeList(spec),
  ...scopeSelector(spec),
];

const computeResources = ["cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];
/** What a scope can be counted for; scopes that are not named here are of everything about pods. */
const countedIn: Readonly<Record<string, readonly string[]>> = {
  BestEffort: ["pods"],
  VolumeAttributesClass: ["persistentvolumeclaims", "requests.storage"],
};
const conflictingScopes = [
  ["BestEffort", "NotBestEffort"],
  ["Terminating", "NotTerminating"],
] as const;

/** Of one scope: whether there is such a one, and each resource that it does not go with. */
function scopeErrors(scope: string, hard: AnyObject, unsupported: FieldError, unsuited: FieldError): FieldError[] {
  if (!quotaScopes.includes(scope)) return [unsupported];
  const suited = own(countedIn, scope) ?? ["pods", ...computeResources];
  return sortedKeys(hard)
    .filter((name) => isQuotaResource(name) && !suited.includes(name))
    .map(() => unsuited);
}

const conflicts = (scopes: readonly string[], path: string, shown: unknown): FieldError[] =>
  conflictingScopes
    .filter((pair) => pair.every((scope) => scopes.includes(scope)))
    .map(() => invalidValue(path, shown, "conflicting scopes"));

function scopeList(spec: AnyObject): FieldError[] {
  const scopes: readonly string[] = spec.scopes ?? [];
  const path = "spec.scopes";
  const unsupported = invalidValue(path, scopes, "unsupported scope");
  const unsuited = invalidValue(path, scopes, "unsupported scope applied to resource");
  return [...scopes.flatMap((scope) => scopeErrors(scope, spec.hard, unsupported, unsuited)), ...conflicts(scopes, path, scopes)];
}

function scopeSelector(spec: AnyObject): FieldError[] {
  const requirements: readonly AnyObject[] = spec.scopeSelector?.matchExpressions ?? [];
  const path = "spec.scopeSelector.matchExpressions";
  const unsuited = invalidValue(path, spec.scopeSelector, "unsupported scope applied to resource");
  const errors: FieldError[] = [];
  for (const { scopeName: scope = "", operator = "", values = [] } of requirements) {
    const unsupported = invalidValue(`${path}.scopeName`, scope, "unsupported scope");
    errors.push(...scopeErrors(scope, spec.hard, unsupported, unsuited));
    if (quotaScopes.includes(scope) && !scopesWithValues.includes(scope) && operator !== "Exists")
      errors.push(invalidValue(`${path}.operator`, operator, onlyExists));
    if (operator === "In" || operator === "NotIn") {
      const need = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
      if (values.length === 0) errors.push(required(`${path}.values`, need));
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      const none = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
      if (values.length > 0) errors.push(invalidValue(`${path}.values`, values, none));
    } else errors.push(invalidValue(`${path}.operator`, operator, "not a valid selector operator"));
  }
  const scopes = requirements.map((requirement) => requirement.scopeName ?? "");
  return [...errors, ...conflicts(scopes, path, spec.scopes ?? null)];
}
const scopesWithValues = ["PriorityClass", "VolumeAttributesClass"];
const onlyExists =
  "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
export const validateResourceQuotaUpdate = (next: AnyObject, old: AnyObject): FieldError[] => {
  const errors = [...validateObjectMetaUpdate(next.metadata, old.metadata), ...quotaSpec(next.spec ?? {})];
  const sorted = (object: AnyObject): string => JSON.stringify([...(object.spec?.scopes ?? [])].sort());
  if (sorted(next) !== sorted(old)) errors.push(invalidValue("spec.scopes", next.spec?.scopes ?? null, immutableText));
  return errors;
};

// LimitRange

const limitTypes = ["Pod", "Container", "PersistentVolumeClaim"];

export function validateLimitRange(range: AnyObject): FieldError[] {
  const errors = validateObjectMeta(range.metadata, true, subdomainName);
  const types = new Set<string>();
  for (const [i, item] of (range.spec?.limits ?? []).entries()) {
    const at = `spec.limits[${i}]`;
    const type = item.type ?? "";
    errors.push(
      ...(type === ""
        ? invalids(`${at}.type`, type, isLabelKey(type))
        : limitTypes.includes(type) || type.includes("/")
          ? []
          : [invalidValue(`${at}.type`, type, "must be a standard limit type or fully qualified")]),
    );
    if (types.has(type)) errors.push(duplicate(`${at}.type`, type));
    types.add(type);
    errors.push(...limitItem(item, at));
  }
  return errors;
}

function limitItem(item: AnyObject, at: string): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>();
  const lists = ["max", "min"] as const;
  for (const list of lists)
    for (const name of sortedKeys(item[list])) {
      errors.push(...limitName(name, item.type, `${at}.${list}[${name}]`));
      names.add(name);
    }
  if (item.type === "Pod") {
    if (sortedKeys(item.default).length > 0)
      errors.push(forbiddenField(`${at}.default`, "may not be specified when `type` is 'Pod'"));
    if (sortedKeys(item.defaultRequest).length > 0)
      errors.push(forbiddenField(`${at}.defaultRequest`, "may not be specified when `type` is 'Pod'"));
  } else
    for (const list of ["default", "defaultRequest"])
      for (const name of sortedKeys(item[list])) {
        errors.push(...limitName(name, item.type, `${at}.${list}[${name}]`));
        names.add(name);
      }
  if (item.type === "PersistentVolumeClaim" && item.min?.storage === undefined && item.max?.storage === undefined)
    errors.push(required(`${at}.limits`, "either minimum or maximum storage value is required, but neither was provided"));
  for (const name of sortedKeys(item.maxLimitRequestRatio)) {
    errors.push(...limitName(name, item.type, `${at}.maxLimitRequestRatio[${name}]`));
    names.add(name);
  }
  for (const name of [...names].sort()) {
    const { [name]: min } = item.min ?? {};
    const { [name]: max } = item.max ?? {};
    const fallback = item.default?.[name];
    const request = item.defaultRequest?.[name];
    const ratio = item.maxLimitRequestRatio?.[name];
    const above = (a: string | undefined, b: string | undefined): boolean =>
      a !== undefined && b !== undefined && compareQuantityTexts(a, b) > 0;
    if (above(min, max))
      errors.push(invalidValue(`${at}.min[${name}]`, min, `min value ${min} is greater than max value ${max}`));
    if (above(min, request))
      errors.push(
        invalidValue(
          `${at}.defaultRequest[${name}]`,
          request,
          `min value ${min} is greater than default request value ${request}`,
        ),
      );
    if (above(request, max))
      errors.push(
        invalidValue(
          `${at}.defaultRequest[${name}]`,
          request,
          `default request value ${request} is greater than max value ${max}`,
        ),
      );
    if (above(request, fallback))
      errors.push(
        invalidValue(
          `${at}.defaultRequest[${name}]`,
          request,
          `default request value ${request} is greater than default limit value ${fallback}`,
        ),
      );
    if (above(min, fallback))
      errors.push(invalidValue(`${at}.default[${name}]`, min, `min value ${min} is greater than default value ${fallback}`));
    if (above(fallback, max))
      errors.push(invalidValue(`${at}.default[${name}]`, max, `default value ${fallback} is greater than max value ${max}`));
    if (ratio !== undefined) errors.push(...limitRatio(ratio, min, max, `${at}.maxLimitRequestRatio[${name}]`));
  }
  return errors;
}

function limitRatio(ratio: string, min: string | undefined, max: string | undefined, path: string): FieldError[] {
  if (compareQuantityTexts(ratio, "1") < 0) return [invalidValue(path, ratio, `ratio ${ratio} is less than 1`)];
  if (min === undefined || max === undefined) return [];
  const widest = numberOf(max) / numberOf(min);
  return numberOf(ratio) > widest
    ? [invalidValue(path, ratio, `ratio ${ratio} is greater than max/min = ${widest.toFixed(6)}`)]
    : [];
}
const numberOf = (text: string): number => Number(scaledQuantity(parseQuantity(text), -3)) / 1000;

const limitName = (name: string, type: string, path: string): FieldError[] =>
  type === "Pod" || type === "Container" ? validateContainerResourceName(name, path) : validateResourceName(name, path);
