// Deployments, ReplicaSets, ReplicationControllers, DaemonSets, StatefulSets, ControllerRevisions, PodTemplates.
import { semanticEqual } from "../deep-equal.ts";
import { templateGeneration } from "../defaults/apps.ts";
import { type FieldError, forbiddenField, invalidValue, notSupported, required } from "../errors.ts";
import { isDns1123Label } from "../names.ts";
import type { AnyObject } from "../rules.ts";
import { selectorMatches, setSelector } from "../selectors.ts";
import { nonNegative, validateLabelSelector } from "./basics.ts";
import { keepStatus, without } from "./helpers.ts";
import { invalids, labelName, type NameCheck, subdomainName, validateObjectMeta, validateObjectMetaUpdate } from "./meta.ts";
import { validatePodAnnotations } from "./pod/pod.ts";
import {
  alwaysRestarts,
  amountOf,
  atMost100Percent,
  immutableSelector,
  isEmptySelector,
  nonNegativeFields,
  notAbove,
  notDecremented,
  positiveOrPercent,
  shownSelector,
  sortedMap,
  usableSelector,
  validateAlwaysTemplate,
  validatePodTemplate,
  validateSelectorAndTemplate,
} from "./workloads.ts";

const metaOf = (object: AnyObject): FieldError[] => validateObjectMeta(object.metadata, true, subdomainName);
const metaUpdate = (next: AnyObject, old: AnyObject): FieldError[] => validateObjectMetaUpdate(next.metadata, old.metadata);
const aboveReplicas = "cannot be greater than status.replicas";
const aboveReady = "cannot be greater than readyReplicas";

// Deployment

function deploymentSpec(spec: AnyObject): FieldError[] {
  const errors = [
    ...nonNegative(spec.replicas, "spec.replicas"),
    ...validateSelectorAndTemplate(spec, "spec"),
    ...deploymentStrategy(spec.strategy ?? {}, "spec.strategy"),
  ];
  errors.push(...nonNegativeFields(spec, "spec", "minReadySeconds", "revisionHistoryLimit"));
  const deadline = spec.progressDeadlineSeconds;
  if (deadline !== undefined) {
    errors.push(...nonNegative(deadline, "spec.progressDeadlineSeconds"));
    if (deadline <= (spec.minReadySeconds ?? 0))
      errors.push(invalidValue("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"));
  }
  return errors;
}

function deploymentStrategy(strategy: AnyObject, path: string): FieldError[] {
  const rolling = strategy.rollingUpdate;
  if (strategy.type === "Recreate")
    return rolling === undefined
      ? []
      : [forbiddenField(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'")];
  if (strategy.type !== "RollingUpdate")
    return [notSupported(`${path}.type`, strategy.type ?? "", ["Recreate", "RollingUpdate"])];
  if (rolling === undefined) return [required(`${path}.rollingUpdate`, "this should be defaulted and never be nil")];
  const at = `${path}.rollingUpdate`;
  const errors = [
    ...positiveOrPercent(rolling.maxUnavailable, `${at}.maxUnavailable`),
    ...positiveOrPercent(rolling.maxSurge, `${at}.maxSurge`),
  ];
  if (amountOf(rolling.maxUnavailable) === 0 && amountOf(rolling.maxSurge) === 0)
    errors.push(invalidValue(`${at}.maxUnavailable`, rolling.maxUnavailable, "may not be 0 when `maxSurge` is 0"));
  return [...errors, ...atMost100Percent(rolling.maxUnavailable, `${at}.maxUnavailable`)];
}

export const validateDeployment = (deployment: AnyObject): FieldError[] => [
  ...metaOf(deployment),
  ...deploymentSpec(deployment.spec ?? {}),
];
export const validateDeploymentUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...metaUpdate(next, old),
  ...deploymentSpec(next.spec ?? {}),
  ...immutableSelector(next, old),
];
export const validateDeploymentStatusUpdate = (next: AnyObject, old: AnyObject): FieldError[] => {
  const status = next.status ?? {};
  return [
    ...metaUpdate(next, old),
    ...nonNegativeFields(
      status,
      "status",
      "observedGeneration",
      "replicas",
      "updatedReplicas",
      "terminatingReplicas",
      "readyReplicas",
      "availableReplicas",
      "unavailableReplicas",
      "collisionCount",
    ),
    ...notAbove(status, "updatedReplicas", "replicas", aboveReplicas),
    ...notAbove(status, "readyReplicas", "replicas", aboveReplicas),
    ...notAbove(status, "availableReplicas", "replicas", aboveReplicas),
    ...notAbove(status, "availableReplicas", "readyReplicas", aboveReady),
    ...notDecremented(status, old.status),
  ];
};

// ReplicaSet

const replicaSetSpec = (spec: AnyObject): FieldError[] => [
  ...nonNegativeFields(spec, "spec", "replicas", "minReadySeconds"),
  ...validateSelectorAndTemplate(spec, "spec"),
];
export const validateReplicaSet = (set: AnyObject): FieldError[] => [...metaOf(set), ...replicaSetSpec(set.spec ?? {})];
export const validateReplicaSetUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...metaUpdate(next, old),
  ...replicaSetSpec(next.spec ?? {}),
  ...immutableSelector(next, old),
];
export function validateReplicaStatusUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const status = next.status ?? {};
  return [
    ...metaUpdate(next, old),
    ...nonNegativeFields(
      status,
      "status",
      "replicas",
      "fullyLabeledReplicas",
      "readyReplicas",
      "availableReplicas",
      "terminatingReplicas",
      "observedGeneration",
    ),
    ...notAbove(status, "fullyLabeledReplicas", "replicas", aboveReplicas),
    ...notAbove(status, "readyReplicas", "replicas", aboveReplicas),
    ...notAbove(status, "availableReplicas", "replicas", aboveReplicas),
    ...notAbove(status, "availableReplicas", "readyReplicas", aboveReady),
  ];
}

// ReplicationController

function controllerSpec(spec: AnyObject): FieldError[] {
  const errors = nonNegative(spec.minReadySeconds, "spec.minReadySeconds");
  if (Object.keys(spec.selector ?? {}).length === 0) errors.push(required("spec.selector"));
  errors.push(...nonNegative(spec.replicas, "spec.replicas"));
  if (spec.template === undefined || spec.template === null) errors.push(required("spec.template"));
  else
    errors.push(
      ...validateAlwaysTemplate(spec.template, setSelector(spec.selector ?? {}), "spec.template", "ReplicationController"),
    );
  return errors;
}
/** Checked by its declared format, which counts bytes. */
const controllerName: NameCheck = (name, prefix) =>
  subdomainName(name, prefix).map((text) => text.replace(/^(must be no more than \d+) characters$/, "$1 bytes"));

export const validateReplicationController = (controller: AnyObject): FieldError[] => [
  ...validateObjectMeta(controller.metadata, true, controllerName),
  ...controllerSpec(controller.spec ?? {}),
];
export const validateReplicationControllerUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...metaUpdate(next, old),
  ...controllerSpec(next.spec ?? {}),
];

// DaemonSet

function daemonSetSpec(spec: AnyObject): FieldError[] {
  const errors = validateLabelSelector(spec.selector, "spec.selector");
  const selector = usableSelector(spec.selector);
  const template = spec.template ?? {};
  if (selector !== undefined && !selectorMatches(selector, template.metadata?.labels ?? {}))
    errors.push(
      invalidValue(
        "spec.template.metadata.labels",
        sortedMap(template.metadata?.labels),
        "`selector` does not match template `labels`",
      ),
    );
  if (spec.selector && isEmptySelector(spec.selector))
    errors.push(invalidValue("spec.selector", shownSelector(spec.selector), "empty selector is invalid for daemonset"));
  errors.push(...validatePodTemplate(template, "spec.template"), ...alwaysRestarts(template, "spec.template", "DaemonSet"));
  errors.push(
    ...nonNegative(spec.minReadySeconds, "spec.minReadySeconds"),
    ...daemonSetStrategy(spec.updateStrategy ?? {}, "spec.updateStrategy"),
  );
  return [...errors, ...nonNegative(spec.revisionHistoryLimit, "spec.revisionHistoryLimit")];
}

function daemonSetStrategy(strategy: AnyObject, path: string): FieldError[] {
  if (strategy.type === "OnDelete") return [];
  const rolling = strategy.rollingUpdate;
  if (strategy.type !== "RollingUpdate")
    return [notSupported(path, { Type: strategy.type ?? "", RollingUpdate: rolling ?? null }, ["RollingUpdate", "OnDelete"])];
  if (rolling === undefined) return [required(`${path}.rollingUpdate`)];
  const at = `${path}.rollingUpdate`;
  const errors = [
    ...positiveOrPercent(rolling.maxUnavailable, `${at}.maxUnavailable`),
    ...positiveOrPercent(rolling.maxSurge, `${at}.maxSurge`),
  ];
  const unavailable = amountOf(rolling.maxUnavailable) !== 0;
  const surge = amountOf(rolling.maxSurge) !== 0;
  if (unavailable && surge)
    errors.push(invalidValue(`${at}.maxSurge`, rolling.maxSurge, "may not be set when maxUnavailable is non-zero"));
  if (!unavailable && !surge) errors.push(required(`${at}.maxUnavailable`, "cannot be 0 when maxSurge is 0"));
  return [
    ...errors,
    ...atMost100Percent(rolling.maxUnavailable, `${at}.maxUnavailable`),
    ...atMost100Percent(rolling.maxSurge, `${at}.maxSurge`),
  ];
}

export const validateDaemonSet = (set: AnyObject): FieldError[] => [...metaOf(set), ...daemonSetSpec(set.spec ?? {})];
export const validateDaemonSetUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...immutableSelector(next, old),
  ...metaUpdate(next, old),
  ...daemonSetSpec(next.spec ?? {}),
];
export const validateDaemonSetStatusUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...metaUpdate(next, old),
  ...nonNegativeFields(
    next.status,
    "status",
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "collisionCount",
  ),
  ...notDecremented(next.status, old.status),
];

const withTemplateGeneration = (set: AnyObject, generation: number): AnyObject => ({
  ...set,
  metadata: { ...set.metadata, annotations: { ...set.metadata?.annotations, [templateGeneration]: String(generation) } },
});
const templateGenerationOf = (set: AnyObject): number => Number(set.metadata?.annotations?.[templateGeneration] ?? 0) || 0;

/** The annotation counts versions of the template; clients cannot set it. */
export const prepareDaemonSetForCreate = (set: AnyObject): AnyObject =>
  withTemplateGeneration(without(set, "status"), Math.max(1, templateGenerationOf(set)));
export const prepareDaemonSetForUpdate = (next: AnyObject, old: AnyObject): AnyObject =>
  withTemplateGeneration(
    keepStatus(next, old),
    templateGenerationOf(old) + (semanticEqual(next.spec?.template, old.spec?.template) ? 0 : 1),
  );

// StatefulSet

/** The feature gate of maxUnavailable is off: it is dropped without a word. */
function dropMaxUnavailable(set: AnyObject): AnyObject {
  const rolling = set.spec?.updateStrategy?.rollingUpdate;
  if (rolling?.maxUnavailable === undefined) return set;
  const updateStrategy = { ...set.spec.updateStrategy, rollingUpdate: without(rolling, "maxUnavailable") };
  return { ...set, spec: { ...set.spec, updateStrategy } };
}

export const prepareStatefulSetForCreate = (set: AnyObject): AnyObject => dropMaxUnavailable(without(set, "status"));
export const prepareStatefulSetForUpdate = (next: AnyObject, old: AnyObject): AnyObject =>
  dropMaxUnavailable(keepStatus(next, old));

function statefulSetSpec(spec: AnyObject): FieldError[] {
  const errors: FieldError[] = [];
  if (!spec.podManagementPolicy) errors.push(required("spec.podManagementPolicy"));
  else if (spec.podManagementPolicy !== "OrderedReady" && spec.podManagementPolicy !== "Parallel")
    errors.push(invalidValue("spec.podManagementPolicy", spec.podManagementPolicy, "must be 'OrderedReady' or 'Parallel'"));
  errors.push(...statefulSetStrategy(spec.updateStrategy ?? {}));
  const retention = spec.persistentVolumeClaimRetentionPolicy;
  if (retention !== undefined)
    for (const field of ["whenDeleted", "whenScaled"])
      if (retention[field] !== "Retain" && retention[field] !== "Delete")
        errors.push(
          notSupported(`spec.persistentVolumeClaimRetentionPolicy.${field}`, retention[field] ?? "", ["Retain", "Delete"]),
        );
  errors.push(
    ...nonNegativeFields(spec, "spec", "replicas", "minReadySeconds"),
    ...nonNegative(spec.ordinals?.start, "spec.ordinals.start"),
  );
  if (spec.selector === undefined || spec.selector === null) errors.push(required("spec.selector"));
  else {
    errors.push(...validateLabelSelector(spec.selector, "spec.selector"));
    if (isEmptySelector(spec.selector))
      errors.push(invalidValue("spec.selector", shownSelector(spec.selector), "empty selector is invalid for statefulset"));
  }
  const selector = usableSelector(spec.selector);
  const template = spec.template ?? {};
  if (selector === undefined) errors.push(invalidValue("spec.selector", shownSelector(spec.selector), ""));
  else {
    if (!(selector !== "nothing" && selector.length === 0) && !selectorMatches(selector, template.metadata?.labels ?? {}))
      errors.push(
        invalidValue(
          "spec.template.metadata.labels",
          sortedMap(template.metadata?.labels),
          "`selector` does not match template `labels`",
        ),
      );
    const annotations = validatePodAnnotations(
      template.metadata?.annotations ?? {},
      template.spec ?? {},
      "spec.template.annotations",
    );
    // upstream looks at them twice
    errors.push(...annotations, ...annotations);
  }
  return [...errors, ...alwaysRestarts(template, "spec.template", "StatefulSet")];
}

const shownStatefulRolling = (rolling: AnyObject): unknown =>
  rolling === undefined ? null : { Partition: rolling.partition ?? 0, MaxUnavailable: rolling.maxUnavailable ?? null };

function statefulSetStrategy(strategy: AnyObject): FieldError[] {
  const path = "spec.updateStrategy";
  const rolling = strategy.rollingUpdate;
  if (!strategy.type) return [required(path)];
  if (strategy.type === "OnDelete")
    return rolling === undefined
      ? []
      : [invalidValue(`${path}.rollingUpdate`, shownStatefulRolling(rolling), "only allowed for updateStrategy 'RollingUpdate'")];
  if (strategy.type !== "RollingUpdate")
    return [
      invalidValue(
        path,
        { Type: strategy.type, RollingUpdate: shownStatefulRolling(rolling) },
        "must be 'RollingUpdate' or 'OnDelete'",
      ),
    ];
  if (rolling === undefined) return [];
  const at = `${path}.rollingUpdate`;
  const errors = nonNegative(rolling.partition, `${at}.partition`);
  if (rolling.maxUnavailable !== undefined) {
    errors.push(...positiveOrPercent(rolling.maxUnavailable, `${at}.maxUnavailable`));
    if (amountOf(rolling.maxUnavailable) === 0)
      errors.push(invalidValue(`${at}.maxUnavailable`, rolling.maxUnavailable, "cannot be 0"));
    errors.push(...atMost100Percent(rolling.maxUnavailable, `${at}.maxUnavailable`));
  }
  return errors;
}

export const validateStatefulSet = (set: AnyObject): FieldError[] => {
  // Its pods are named after it, so its name must fit into theirs.
  const errors = [...validateObjectMeta(set.metadata, true, labelName), ...statefulSetSpec(set.spec ?? {})];
  if (set.spec?.serviceName)
    errors.push(...invalids("spec.serviceName", set.spec.serviceName, isDns1123Label(set.spec.serviceName)));
  return errors;
};

const statefulSetMutable = [
  "replicas",
  "template",
  "updateStrategy",
  "minReadySeconds",
  "ordinals",
  "revisionHistoryLimit",
  "persistentVolumeClaimRetentionPolicy",
];

export function validateStatefulSetUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const errors = [...metaUpdate(next, old), ...statefulSetSpec(next.spec ?? {})];
  const fixed = (spec: AnyObject): unknown =>
    Object.fromEntries(Object.entries(spec ?? {}).filter(([key]) => !statefulSetMutable.includes(key)));
  if (!semanticEqual(fixed(next.spec), fixed(old.spec)))
    errors.push(
      forbiddenField(
        "spec",
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      ),
    );
  return errors;
}

export function validateStatefulSetStatusUpdate(next: AnyObject, old: AnyObject): FieldError[] {
  const status = next.status ?? {};
  return [
    ...nonNegativeFields(
      status,
      "status",
      "replicas",
      "readyReplicas",
      "currentReplicas",
      "updatedReplicas",
      "observedGeneration",
      "collisionCount",
      "availableReplicas",
    ),
    ...["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"].flatMap((field) =>
      notAbove(status, field, "replicas", aboveReplicas),
    ),
    ...notAbove(status, "availableReplicas", "readyReplicas", "cannot be greater than status.readyReplicas"),
    ...notDecremented(status, old.status),
    ...metaUpdate(next, old),
  ];
}

// ControllerRevision, PodTemplate

export const validateControllerRevision = (revision: AnyObject): FieldError[] => {
  const errors = metaOf(revision);
  if (revision.data === undefined || revision.data === null) errors.push(required("data", "data is mandatory"));
  return [...errors, ...nonNegative(revision.revision, "revision")];
};
export const validateControllerRevisionUpdate = (next: AnyObject, old: AnyObject): FieldError[] => {
  const errors = [...metaUpdate(next, old), ...validateControllerRevision(next)];
  if (!semanticEqual(next.data, old.data)) errors.push(invalidValue("data", next.data, "field is immutable"));
  return errors;
};

const templateOnly = (object: AnyObject): FieldError[] => validatePodTemplate(object.template ?? {}, "template");
export const validatePodTemplateObject = (object: AnyObject): FieldError[] => [...metaOf(object), ...templateOnly(object)];
export const validatePodTemplateUpdate = (next: AnyObject, old: AnyObject): FieldError[] => [
  ...metaUpdate(next, old),
  ...templateOnly(next),
];
