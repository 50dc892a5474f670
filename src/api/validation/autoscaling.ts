// HorizontalPodAutoscalers, PodDisruptionBudgets, Leases, PriorityClasses, RuntimeClasses.
import { own } from "#base";
import { semanticEqual } from "../deep-equal.ts";
import { type FieldError, forbiddenField, invalidValue, notSupported, required } from "../errors.ts";
import { byteLength, isDns1123Label, isLabelKey, isPathSegment } from "../names.ts";
import { parseQuantity, signOf } from "../quantity.ts";
import type { AnyObject } from "../rules.ts";
import { nonNegative, validateLabelSelector } from "./basics.ts";
import {
  immutableText,
  invalids,
  pathSegmentName,
  subdomainName,
  validateLabels,
  validateObjectMeta,
  validateObjectMetaUpdate,
} from "./meta.ts";
import { validateResourceRequirements } from "./pod/resources.ts";
import { validateTolerations } from "./pod/scheduling.ts";
import { atMost100Percent, nonNegativeFields, positiveOrPercent, shownSelector } from "./workloads.ts";

const meta = (object: AnyObject, namespaced: boolean): FieldError[] =>
  validateObjectMeta(object.metadata, namespaced, subdomainName);
const metaUpdate = (next: AnyObject, old: AnyObject): FieldError[] => validateObjectMetaUpdate(next.metadata, old.metadata);

// HorizontalPodAutoscaler

function autoscalerSpec(spec: AnyObject): FieldError[] {
  const errors: FieldError[] = [];
  const { minReplicas, maxReplicas = 0 } = spec;
  if (minReplicas !== undefined && minReplicas < 1)
    errors.push(invalidValue("spec.minReplicas", minReplicas, "must be greater than or equal to 1"));
  if (maxReplicas < 1)
    errors.push(
      maxReplicas === 0
        ? required("spec.maxReplicas", "must be set and greater than 0")
        : invalidValue("spec.maxReplicas", maxReplicas, "must be greater than or equal to 1"),
    );
  if (minReplicas !== undefined && maxReplicas < minReplicas)
    errors.push(invalidValue("spec.maxReplicas", maxReplicas, "must be greater than or equal to `minReplicas`"));
  errors.push(...crossReference(spec.scaleTargetRef ?? {}, "spec.scaleTargetRef"));
  errors.push(...metrics(spec, "spec.metrics"));
  for (const direction of ["scaleUp", "scaleDown"])
    if (spec.behavior?.[direction] !== undefined)
      errors.push(...scalingRules(spec.behavior[direction], `spec.behavior.${direction}`));
  return errors;
}

function crossReference(reference: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ["kind", "name"])
    if (!reference[field]) errors.push(required(`${path}.${field}`));
    else errors.push(...invalids(`${path}.${field}`, reference[field], isPathSegment(reference[field])));
  const apiVersion: string = reference.apiVersion ?? "";
  const group = apiVersion.split("/");
  if (group.length > 2)
    errors.push(invalidValue(`${path}.apiVersion`, apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  else if (apiVersion === "" || (group.length === 1 && apiVersion !== "v1"))
    errors.push(invalidValue(`${path}.apiVersion`, apiVersion, "apiVersion must specify API group"));
  return errors;
}

const metricTypes = ["ContainerResource", "External", "Object", "Pods", "Resource"];
const metricFields: Readonly<Record<string, string>> = {
  ContainerResource: "containerResource",
  External: "external",
  Object: "object",
  Pods: "pods",
  Resource: "resource",
};

function metrics(spec: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const list: readonly AnyObject[] = spec.metrics ?? [];
  for (const [i, metric] of list.entries()) errors.push(...metricSpec(metric, `${path}[${i}]`));
  if (spec.minReplicas === 0 && !list.some((metric) => metric.type === "Object" || metric.type === "External"))
    errors.push(forbiddenField(path, "must specify at least one Object or External metric to support scaling to zero replicas"));
  return errors;
}

function metricSpec(metric: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const type: string = metric.type ?? "";
  if (type === "") errors.push(required(`${path}.type`, "must specify a metric source type"));
  if (!metricTypes.includes(type)) errors.push(notSupported(`${path}.type`, type, metricTypes));
  const checks: Readonly<Record<string, (source: AnyObject, at: string) => FieldError[]>> = {
    object: (source, at) => [
      ...crossReference2(source.describedObject ?? {}, `${at}.describedObject`),
      ...identifier(source.metric ?? {}, `${at}.metric`),
      ...target(source.target ?? {}, `${at}.target`),
      ...needsEither(source.target ?? {}, at, "must set either a target value or averageValue"),
    ],
    external: (source, at) => {
      const found = [
        ...identifier(source.metric ?? {}, `${at}.metric`),
        ...target(source.target ?? {}, `${at}.target`),
        ...needsEither(source.target ?? {}, at, "must set either a target value for metric or a per-pod target"),
      ];
      if (source.target?.value !== undefined && source.target?.averageValue !== undefined)
        found.push(forbiddenField(`${at}.target.value`, "may not set both a target value for metric and a per-pod target"));
      return found;
    },
    pods: (source, at) => {
      const found = [...identifier(source.metric ?? {}, `${at}.metric`), ...target(source.target ?? {}, `${at}.target`)];
      const average = source.target?.averageValue;
      if (average === undefined) found.push(required(`${at}.target.averageValue`, "must specify a positive target averageValue"));
      return found;
    },
    resource: (source, at) => resourceMetric(source, at),
    containerResource: (source, at) => {
      const found: FieldError[] = [];
      if (!source.container) found.push(required(`${at}.container`, "must specify a container"));
      else found.push(...invalids(`${at}.container`, source.container, isDns1123Label(source.container)));
      return [...found, ...resourceMetric(source, at)];
    },
  };
  const given = new Set<string>();
  for (const field of ["object", "external", "pods", "resource", "containerResource"]) {
    const source = metric[field];
    if (source === undefined || source === null) continue;
    given.add(field);
    errors.push(...(checks[field]?.(source, `${path}.${field}`) ?? []));
  }
  const wanted = own(metricFields, type);
  if (wanted !== undefined && !given.has(wanted))
    errors.push(required(`${path}.${wanted}`, "must populate information for the given metric source"));
  if (given.size > 1)
    for (const field of given)
      if (field !== wanted) errors.push(forbiddenField(`${path}.${field}`, "must populate the given metric source only"));
  // once more: looking for the field that goes with the type finds none
  if (wanted === undefined) errors.push(notSupported(`${path}.type`, type, metricTypes));
  return errors;
}

const crossReference2 = (reference: AnyObject, path: string): FieldError[] =>
  ["kind", "name"].flatMap((field) =>
    reference[field]
      ? invalids(`${path}.${field}`, reference[field], isPathSegment(reference[field]))
      : [required(`${path}.${field}`)],
  );

function resourceMetric(source: AnyObject, at: string): FieldError[] {
  const found: FieldError[] = [];
  if (!source.name) found.push(required(`${at}.name`, "must specify a resource name"));
  const aim = source.target ?? {};
  found.push(...target(aim, `${at}.target`));
  if (aim.averageUtilization === undefined && aim.averageValue === undefined)
    found.push(required(`${at}.target.averageUtilization`, "must set either a target raw value or a target utilization"));
  if (aim.averageUtilization !== undefined && aim.averageValue !== undefined)
    found.push(forbiddenField(`${at}.target.averageValue`, "may not set both a target raw value and a target utilization"));
  return found;
}

const needsEither = (aim: AnyObject, at: string, text: string): FieldError[] =>
  aim.value === undefined && aim.averageValue === undefined ? [required(`${at}.target.averageValue`, text)] : [];

function identifier(metric: AnyObject, path: string): FieldError[] {
  if (!metric.name) return [required(`${path}.name`, "must specify a metric name")];
  return invalids(`${path}.name`, metric.name, isPathSegment(metric.name));
}

function target(aim: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!aim.type) errors.push(required(`${path}.type`, "must specify a metric target type"));
  else if (!["Utilization", "Value", "AverageValue"].includes(aim.type))
    errors.push(invalidValue(`${path}.type`, aim.type, "must be either Utilization, Value, or AverageValue"));
  for (const field of ["value", "averageValue"])
    if (aim[field] !== undefined && signOf(parseQuantity(aim[field])) <= 0)
      errors.push(invalidValue(`${path}.${field}`, aim[field], "must be positive"));
  if (aim.averageUtilization !== undefined && aim.averageUtilization < 1)
    errors.push(invalidValue(`${path}.averageUtilization`, aim.averageUtilization, "must be greater than 0"));
  return errors;
}

function scalingRules(rules: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const window = rules.stabilizationWindowSeconds;
  if (window < 0)
    errors.push(invalidValue(`${path}.stabilizationWindowSeconds`, window, "must be greater than or equal to zero"));
  if (window > 3600)
    errors.push(invalidValue(`${path}.stabilizationWindowSeconds`, window, "must be less than or equal to 3600"));
  if (rules.selectPolicy !== undefined && !["Disabled", "Max", "Min"].includes(rules.selectPolicy))
    errors.push(notSupported(`${path}.selectPolicy`, rules.selectPolicy, ["Disabled", "Max", "Min"]));
  if ((rules.policies?.length ?? 0) === 0) errors.push(required(`${path}.policies`, "must specify at least one Policy"));
  for (const [i, policy] of (rules.policies ?? []).entries()) {
    const at = `${path}.policies[${i}]`;
    if (policy.type !== "Percent" && policy.type !== "Pods")
      errors.push(notSupported(`${at}.type`, policy.type ?? "", ["Percent", "Pods"]));
    if ((policy.value ?? 0) <= 0) errors.push(invalidValue(`${at}.value`, policy.value ?? 0, "must be greater than zero"));
    if ((policy.periodSeconds ?? 0) <= 0)
      errors.push(invalidValue(`${at}.periodSeconds`, policy.periodSeconds ?? 0, "must be greater than zero"));
    if (policy.periodSeconds > 1800)
      errors.push(invalidValue(`${at}.periodSeconds`, policy.periodSeconds, "must be less than or equal to 1800"));
  }
  if (rules.tolerance !== undefined && signOf(parseQuantity(rules.tolerance)) < 0)
    errors.push(invalidValue(`${path}.tolerance`, rules.tolerance, "must be greater than or equal to 0"));
  return errors;
}

export const validateAutoscaler = (object: AnyObject): FieldError[] => [
  ...meta(object, true),
  ...autoscalerSpec(object.spec ?? {}),
];
export const validateAutoscalerUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...metaUpdate(next, old),
  ...autoscalerSpec(next.spec ?? {}),
];
export const validateAutoscalerStatusUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...metaUpdate(next, old),
  ...nonNegativeFields(next.status, "status", "currentReplicas", "desiredReplicas"),
];

// PodDisruptionBudget

function budgetSpec(spec: AnyObject): FieldError[] {
  const errors: FieldError[] = [];
  if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined)
    errors.push(
      invalidValue(
        "spec",
        {
          MinAvailable: spec.minAvailable,
          Selector: shownSelector(spec.selector),
          MaxUnavailable: spec.maxUnavailable,
          UnhealthyPodEvictionPolicy: spec.unhealthyPodEvictionPolicy ?? null,
        },
        "minAvailable and maxUnavailable cannot be both set",
      ),
    );
  for (const field of ["minAvailable", "maxUnavailable"])
    if (spec[field] !== undefined)
      errors.push(...positiveOrPercent(spec[field], `spec.${field}`), ...atMost100Percent(spec[field], `spec.${field}`));
  errors.push(...validateLabelSelector(spec.selector, "spec.selector"));
  if (
    spec.unhealthyPodEvictionPolicy !== undefined &&
    !["AlwaysAllow", "IfHealthyBudget"].includes(spec.unhealthyPodEvictionPolicy)
  )
    errors.push(
      notSupported("spec.unhealthyPodEvictionPolicy", spec.unhealthyPodEvictionPolicy, ["AlwaysAllow", "IfHealthyBudget"]),
    );
  return errors;
}
/** The name is checked no further than every object's is. */
export const validateBudget = (object: AnyObject): FieldError[] => [
  ...validateObjectMeta(object.metadata, true, pathSegmentName),
  ...budgetSpec(object.spec ?? {}),
];
export const validateBudgetUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...metaUpdate(next, old),
  ...budgetSpec(next.spec ?? {}),
];
export function validateBudgetStatusUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const errors = [...metaUpdate(next, old), ...validateConditions(next.status?.conditions ?? [], "status.conditions")];
  return [
    ...errors,
    ...nonNegativeFields(next.status, "status", "disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"),
  ];
}

/** metav1.Condition. */
function validateConditions(conditions: readonly AnyObject[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [i, condition] of conditions.entries()) {
    const at = `${path}[${i}]`;
    if (!condition.type) errors.push(required(`${at}.type`));
    else errors.push(...invalids(`${at}.type`, condition.type, isLabelKey(condition.type)));
    if (!["True", "False", "Unknown"].includes(condition.status))
      errors.push(notSupported(`${at}.status`, condition.status ?? "", ["False", "True", "Unknown"]));
    errors.push(...nonNegative(condition.observedGeneration, `${at}.observedGeneration`));
    if (!condition.lastTransitionTime) errors.push(required(`${at}.lastTransitionTime`));
    if (!condition.reason) errors.push(required(`${at}.reason`));
    else if (!/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/.test(condition.reason))
      errors.push(
        invalidValue(
          `${at}.reason`,
          condition.reason,
          "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')",
        ),
      );
    if (byteLength(condition.message ?? "") > 32 * 1024)
      errors.push({ type: "FieldValueTooLong", field: `${at}.message`, detail: `may not be more than ${32 * 1024} bytes` });
  }
  return errors;
}

// Lease

export function validateLease(lease: AnyObject): FieldError[] {
  const errors = meta(lease, true);
  const { spec = {} } = lease;
  if (spec.leaseDurationSeconds !== undefined && spec.leaseDurationSeconds <= 0)
    errors.push(invalidValue("spec.leaseDurationSeconds", spec.leaseDurationSeconds, "must be greater than 0"));
  if (spec.leaseTransitions < 0)
    errors.push(invalidValue("spec.leaseTransitions", spec.leaseTransitions, "must be greater than or equal to 0"));
  if (spec.strategy !== undefined) errors.push(...invalids("spec.strategy", spec.strategy, isLabelKey(spec.strategy)));
  if (spec.preferredHolder && !spec.strategy)
    errors.push(forbiddenField("spec.preferredHolder", "may only be specified when `strategy` is defined"));
  return errors;
}
export const validateLeaseUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...metaUpdate(next, old),
  ...validateLease(next).slice(meta(next, true).length),
];

// PriorityClass

const highestUserPriority = 1_000_000_000;
const systemClasses: Readonly<Record<string, number>> = {
  "system-node-critical": 2_000_001_000,
  "system-cluster-critical": 2_000_000_000,
};

export function validatePriorityClass(object: AnyObject): FieldError[] {
  const errors = meta(object, false);
  const name = object.metadata?.name ?? "";
  const value = object.value ?? 0;
  if (name.startsWith("system-")) {
    if (systemClasses[name] !== value || object.globalDefault === true)
      errors.push(
        forbiddenField(
          "metadata.name",
          `priority class names with 'system-' prefix are reserved for system use only. error: ${systemClasses[name] === undefined ? `${name} is not a known system priority class` : `value of ${name} PriorityClass must be ${systemClasses[name]}`}`,
        ),
      );
  } else if (value > highestUserPriority)
    errors.push(forbiddenField("value", `maximum allowed value of a user defined priority is ${highestUserPriority}`));
  if (object.preemptionPolicy !== undefined && !["Never", "PreemptLowerPriority"].includes(object.preemptionPolicy))
    errors.push(notSupported("preemptionPolicy", object.preemptionPolicy, ["PreemptLowerPriority", "Never"]));
  return errors;
}
export function validatePriorityClassUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const errors = metaUpdate(next, old);
  if ((next.value ?? 0) !== (old.value ?? 0)) errors.push(forbiddenField("value", "may not be changed in an update."));
  if (next.preemptionPolicy !== old.preemptionPolicy)
    errors.push(invalidValue("preemptionPolicy", next.preemptionPolicy ?? null, immutableText));
  return errors;
}

// RuntimeClass

export function validateRuntimeClass(object: AnyObject): FieldError[] {
  const errors = meta(object, false);
  if (!object.handler) errors.push(required("handler"));
  else errors.push(...invalids("handler", object.handler, isDns1123Label(object.handler)));
  if (object.overhead !== undefined)
    errors.push(...validateResourceRequirements({ limits: object.overhead.podFixed }, new Set(), "overhead"));
  if (object.scheduling !== undefined) {
    errors.push(...validateLabels(object.scheduling.nodeSelector, "scheduling.nodeSelector"));
    errors.push(...validateTolerations(object.scheduling.tolerations ?? [], "scheduling.tolerations"));
    const seen: AnyObject[] = [];
    for (const [i, toleration] of (object.scheduling.tolerations ?? []).entries()) {
      if (seen.some((other) => semanticEqual(other, toleration)))
        errors.push({
          type: "FieldValueDuplicate",
          field: `scheduling.tolerations[${i}]`,
          value: shownToleration(toleration),
          detail: "",
        });
      seen.push(toleration);
    }
  }
  return errors;
}
const shownToleration = (toleration: AnyObject): unknown => ({
  Key: toleration.key ?? "",
  Operator: toleration.operator ?? "",
  Value: toleration.value ?? "",
  Effect: toleration.effect ?? "",
  TolerationSeconds: toleration.tolerationSeconds ?? null,
});
export const validateRuntimeClassUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...metaUpdate(next, old),
  ...(next.handler === old.handler ? [] : [invalidValue("handler", next.handler ?? "", immutableText)]),
];
