// The kinds of all groups but core.

import { semanticEqual } from "../deep-equal.ts";
import * as apps from "../defaults/apps.ts";
import * as others from "../defaults/others.ts";
import { type FieldError, forbiddenField, invalidValue } from "../errors.ts";
import type { AnyObject, KindRules } from "../rules.ts";
import * as admission from "./admission.ts";
import * as app from "./apps.ts";
import * as scale from "./autoscaling.ts";
import * as batch from "./batch.ts";
import { goClaimSpec, goClaimTemplate } from "./device-values.ts";
import * as devices from "./devices.ts";
import * as events from "./events.ts";
import { keepSpecAndLabels, keepSpecAndMeta, plainKind } from "./helpers.ts";
import { immutableText, validateObjectMetaUpdate } from "./meta.ts";
import * as network from "./network.ts";
import * as storage from "./storage-classes.ts";
import * as warn from "./warnings.ts";

/** A binding puts a policy into force: while policies are not evaluated it must not look as if it did. */
const refuseUnevaluated = (): FieldError[] => [
  forbiddenField("spec", "admission policies are not evaluated yet: this binding would have no effect"),
];

const fixed = (field: string, next: unknown, old: unknown): FieldError[] =>
  semanticEqual(next, old) ? [] : [invalidValue(field, next ?? null, immutableText)];

/** What is allocated by it cannot change under it. `shown` words the spec. */
const fixedSpec =
  (shown: (spec: AnyObject) => object) =>
  (next: AnyObject, old: AnyObject): FieldError[] =>
    semanticEqual(next.spec, old.spec) ? [] : [invalidValue("spec", shown(next.spec ?? {}), immutableText)];

export const otherRules: Readonly<Record<string, KindRules>> = {
  "apps/Deployment": plainKind({
    namespaced: true,
    status: true,
    generation: true,
    default: apps.defaultDeployment,
    warnings: warn.templateWarnings("spec.template", true),
    validate: app.validateDeployment,
    validateUpdate: app.validateDeploymentUpdate,
    validateStatusUpdate: app.validateDeploymentStatusUpdate,
    prepareForStatusUpdate: keepSpecAndLabels,
  }),
  "apps/ReplicaSet": plainKind({
    namespaced: true,
    status: true,
    generation: true,
    default: apps.defaultReplicaSet,
    warnings: warn.templateWarnings("spec.template", true),
    validate: app.validateReplicaSet,
    validateUpdate: app.validateReplicaSetUpdate,
    validateStatusUpdate: app.validateReplicaStatusUpdate,
  }),
  "apps/DaemonSet": plainKind({
    namespaced: true,
    status: true,
    generation: true,
    default: apps.defaultDaemonSet,
    warnings: warn.templateWarnings("spec.template", false),
    validate: app.validateDaemonSet,
    validateUpdate: app.validateDaemonSetUpdate,
    validateStatusUpdate: app.validateDaemonSetStatusUpdate,
    prepareForCreate: app.prepareDaemonSetForCreate,
    prepareForUpdate: app.prepareDaemonSetForUpdate,
  }),
  "apps/StatefulSet": plainKind({
    namespaced: true,
    status: true,
    generation: true,
    default: apps.defaultStatefulSet,
    prepareForCreate: app.prepareStatefulSetForCreate,
    prepareForUpdate: app.prepareStatefulSetForUpdate,
    warnings: warn.statefulSetWarnings,
    validate: app.validateStatefulSet,
    validateUpdate: app.validateStatefulSetUpdate,
    validateStatusUpdate: app.validateStatefulSetStatusUpdate,
  }),
  "apps/ControllerRevision": plainKind({
    namespaced: true,
    validate: app.validateControllerRevision,
    validateUpdate: app.validateControllerRevisionUpdate,
  }),
  "batch/Job": plainKind({
    namespaced: true,
    status: true,
    generation: true,
    default: apps.defaultJob,
    warnings: warn.templateWarnings("spec.template", true),
    prepareForCreate: batch.prepareJobForCreate,
    validate: batch.validateJob,
    validateUpdate: batch.validateJobUpdate,
    validateStatusUpdate: batch.validateJobStatusUpdate,
  }),
  "batch/CronJob": plainKind({
    namespaced: true,
    status: true,
    generation: true,
    default: apps.defaultCronJob,
    warnings: warn.templateWarnings("spec.jobTemplate.spec.template", true),
    validate: batch.validateCronJob,
    validateUpdate: batch.validateCronJobUpdate,
  }),
  "autoscaling/HorizontalPodAutoscaler": plainKind({
    namespaced: true,
    status: true,
    default: (object) =>
      object.apiVersion === "autoscaling/v1"
        ? apps.defaultHorizontalPodAutoscalerV1(object)
        : apps.defaultHorizontalPodAutoscaler(object),
    validate: scale.validateAutoscaler,
    validateUpdate: scale.validateAutoscalerUpdate,
    validateStatusUpdate: scale.validateAutoscalerStatusUpdate,
  }),
  "policy/PodDisruptionBudget": plainKind({
    namespaced: true,
    status: true,
    generation: true,
    unconditionalUpdate: false,
    validate: scale.validateBudget,
    validateUpdate: scale.validateBudgetUpdate,
    validateStatusUpdate: scale.validateBudgetStatusUpdate,
  }),
  "networking.k8s.io/NetworkPolicy": plainKind({
    namespaced: true,
    generation: true,
    default: others.defaultNetworkPolicy,
    validate: network.validateNetworkPolicy,
    validateUpdate: network.validateNetworkPolicyUpdate,
  }),
  "networking.k8s.io/Ingress": plainKind({
    namespaced: true,
    status: true,
    generation: true,
    warnings: warn.ingressWarnings,
    validate: network.validateIngress,
    validateUpdate: network.validateIngressUpdate,
    validateStatusUpdate: network.validateIngressStatusUpdate,
  }),
  "networking.k8s.io/IngressClass": plainKind({
    namespaced: false,
    generation: true,
    default: others.defaultIngressClass,
    validate: network.validateIngressClass,
    validateUpdate: network.validateIngressClassUpdate,
  }),
  "networking.k8s.io/IPAddress": plainKind({
    validate: admission.validateIPAddress,
    validateUpdate: admission.validateIPAddressUpdate,
    namespaced: false,
  }),
  "networking.k8s.io/ServiceCIDR": plainKind({
    namespaced: false,
    status: true,
    validate: network.validateServiceCidr,
    validateUpdate: network.validateServiceCidrUpdate,
  }),
  "discovery.k8s.io/EndpointSlice": plainKind({
    namespaced: true,
    generation: true,
    default: others.defaultEndpointSlice,
    prepareForCreate: others.dropTopology,
    warnings: warn.endpointSliceWarnings,
    validate: network.validateEndpointSlice,
    validateUpdate: network.validateEndpointSliceUpdate,
  }),
  "coordination.k8s.io/Lease": plainKind({
    namespaced: true,
    prepareForCreate: others.dropLeaseStrategy,
    prepareForUpdate: others.dropLeaseStrategy,
    createOnUpdate: true,
    unconditionalUpdate: false,
    validate: scale.validateLease,
    validateUpdate: scale.validateLeaseUpdate,
  }),
  "events.k8s.io/Event": plainKind({
    namespaced: true,
    createOnUpdate: true,
    validate: events.validateEventV1,
    validateUpdate: events.validateEventV1Update,
  }),
  "scheduling.k8s.io/PriorityClass": plainKind({
    namespaced: false,
    generation: true,
    default: others.defaultPriorityClass,
    validate: scale.validatePriorityClass,
    validateUpdate: scale.validatePriorityClassUpdate,
  }),
  "storage.k8s.io/StorageClass": plainKind({
    namespaced: false,
    default: others.defaultStorageClass,
    validate: storage.validateStorageClass,
    validateUpdate: storage.validateStorageClassUpdate,
  }),
  "storage.k8s.io/CSIDriver": plainKind({
    namespaced: false,
    unconditionalUpdate: false,
    default: others.defaultCsiDriver,
    validate: storage.validateCsiDriver,
    validateUpdate: storage.validateCsiDriverUpdate,
    prepareForUpdate: storage.prepareCsiDriverForUpdate,
    warnings: warn.csiDriverWarnings,
  }),
  "storage.k8s.io/CSINode": plainKind({
    namespaced: false,
    unconditionalUpdate: false,
    validate: storage.validateCsiNode,
    validateUpdate: storage.validateCsiNodeUpdate,
  }),
  "storage.k8s.io/CSIStorageCapacity": plainKind({
    namespaced: true,
    unconditionalUpdate: false,
    validate: storage.validateCsiStorageCapacity,
    validateUpdate: storage.validateCsiStorageCapacityUpdate,
  }),
  "storage.k8s.io/VolumeAttachment": plainKind({
    namespaced: false,
    status: true,
    unconditionalUpdate: false,
    validate: storage.validateVolumeAttachment,
    validateUpdate: storage.validateVolumeAttachmentUpdate,
    validateStatusUpdate: storage.validateVolumeAttachmentUpdate,
    prepareForStatusUpdate: keepSpecAndMeta,
  }),
  "storage.k8s.io/VolumeAttributesClass": plainKind({
    namespaced: false,
    validate: storage.validateVolumeAttributesClass,
    validateUpdate: storage.validateVolumeAttributesClassUpdate,
  }),
  "admissionregistration.k8s.io/MutatingWebhookConfiguration": plainKind({
    validate: admission.validateMutatingWebhooks,
    validateUpdate: admission.validateMutatingWebhooksUpdate,
    namespaced: false,
    generation: true,
    unconditionalUpdate: false,
    default: others.defaultMutatingWebhooks,
  }),
  "admissionregistration.k8s.io/ValidatingWebhookConfiguration": plainKind({
    validate: admission.validateValidatingWebhooks,
    validateUpdate: admission.validateValidatingWebhooksUpdate,
    namespaced: false,
    generation: true,
    unconditionalUpdate: false,
    default: others.defaultValidatingWebhooks,
  }),
  "admissionregistration.k8s.io/ValidatingAdmissionPolicy": plainKind({
    namespaced: false,
    status: true,
    generation: true,
    default: others.defaultAdmissionPolicy,
  }),
  "admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding": plainKind({
    validate: refuseUnevaluated,
    namespaced: false,
    generation: true,
    default: others.defaultAdmissionPolicyBinding,
  }),
  "admissionregistration.k8s.io/MutatingAdmissionPolicy": plainKind({
    namespaced: false,
    generation: true,
    default: others.defaultAdmissionPolicy,
  }),
  "admissionregistration.k8s.io/MutatingAdmissionPolicyBinding": plainKind({
    validate: refuseUnevaluated,
    namespaced: false,
    generation: true,
    default: others.defaultAdmissionPolicyBinding,
  }),
  "node.k8s.io/RuntimeClass": plainKind({
    namespaced: false,
    createOnUpdate: true,
    unconditionalUpdate: false,
    validate: scale.validateRuntimeClass,
    validateUpdate: scale.validateRuntimeClassUpdate,
  }),
  "resource.k8s.io/DeviceClass": plainKind({ namespaced: false, generation: true }),
  "resource.k8s.io/ResourceClaim": plainKind({
    namespaced: true,
    status: true,
    default: others.defaultResourceClaim,
    prepareForStatusUpdate: keepSpecAndMeta,
    check: (claim) => devices.claimSpecErrors(claim.spec, "spec"),
    checkUpdate: fixedSpec(goClaimSpec),
    validateStatusUpdate: (next, old) => [
      ...validateObjectMetaUpdate(next.metadata, old.metadata),
      ...devices.claimStatusErrors(next, old),
    ],
  }),
  "resource.k8s.io/ResourceClaimTemplate": plainKind({
    namespaced: true,
    default: others.defaultResourceClaimTemplate,
    check: devices.claimTemplateErrors,
    checkUpdate: fixedSpec(goClaimTemplate),
  }),
  "resource.k8s.io/ResourceSlice": plainKind({
    namespaced: false,
    generation: true,
    check: devices.sliceErrors,
    checkUpdate: (next, old) => [
      ...devices.sliceErrors(next),
      ...fixed("spec.pool.name", next.spec?.pool?.name, old.spec?.pool?.name),
      ...fixed("spec.driver", next.spec?.driver, old.spec?.driver),
      ...fixed("spec.nodeName", next.spec?.nodeName, old.spec?.nodeName),
    ],
  }),
  "apiregistration.k8s.io/APIService": plainKind({
    validate: admission.validateApiService,
    validateUpdate: admission.validateApiServiceUpdate,
    namespaced: false,
    status: true,
    unconditionalUpdate: false,
    default: others.defaultApiService,
  }),
  "apiextensions.k8s.io/CustomResourceDefinition": plainKind({ namespaced: false, status: true, generation: true }),
};
