// The core group's kinds.
import * as defaults from "../../defaults/core.ts";
import { defaultPod } from "../../defaults/pod.ts";
import type { KindRules } from "../../rules.ts";
import * as app from "../apps.ts";
import * as events from "../events.ts";
import { plainKind } from "../helpers.ts";
import { labelName } from "../meta.ts";
import { preparePodForCreate, validatePod } from "../pod/pod.ts";
import { preparePodStatusUpdate, validatePodStatusUpdate, validatePodUpdate } from "../pod/update.ts";
import { serviceWarnings } from "../service-annotations.ts";
import * as services from "../services.ts";
import * as storage from "../storage.ts";
import * as warn from "../warnings.ts";
import * as quotas from "./quotas.ts";
import * as small from "./small.ts";

export const coreRules: Readonly<Record<string, KindRules>> = {
  "/Pod": plainKind({
    namespaced: true,
    sharedSpec: true,
    status: true,
    generation: true,
    default: defaultPod,
    warnings: warn.podWarnings,
    warningsFirst: warn.appArmorWarnings,
    validate: validatePod,
    prepareForCreate: preparePodForCreate,
    validateUpdate: validatePodUpdate,
    prepareForStatusUpdate: preparePodStatusUpdate,
    validateStatusUpdate: validatePodStatusUpdate,
  }),
  "/Service": plainKind({
    namespaced: true,
    status: true,
    createOnUpdate: true,
    default: defaults.defaultService,
    prepareForCreate: services.prepareServiceForCreate,
    prepareForUpdate: services.prepareServiceForUpdate,
    validate: services.validateService,
    validateUpdate: services.validateServiceUpdate,
    validateStatusUpdate: services.validateServiceStatusUpdate,
    warnings: serviceWarnings,
  }),
  "/ReplicationController": plainKind({
    namespaced: true,
    status: true,
    generation: true,
    default: defaults.defaultReplicationController,
    warnings: warn.templateWarnings("spec.template", true),
    validate: app.validateReplicationController,
    validateUpdate: app.validateReplicationControllerUpdate,
    validateStatusUpdate: app.validateReplicaStatusUpdate,
  }),
  "/ConfigMap": plainKind({ namespaced: true, validate: small.validateConfigMap, validateUpdate: small.validateConfigMapUpdate }),
  "/Secret": plainKind({
    namespaced: true,
    default: defaults.defaultSecret,
    warnings: warn.secretWarnings,
    prepareForUpdate: small.prepareSecretForUpdate,
    validate: small.validateSecret,
    validateUpdate: small.validateSecretUpdate,
  }),
  "/Namespace": plainKind({
    namespaced: false,
    name: labelName,
    status: true,
    default: defaults.defaultNamespace,
    prepareForCreate: small.prepareNamespaceForCreate,
    prepareForUpdate: small.prepareNamespaceForUpdate,
    validate: small.validateNamespace,
    validateUpdate: small.validateNamespaceUpdate,
    validateStatusUpdate: small.validateNamespaceStatusUpdate,
  }),
  "/Node": plainKind({
    namespaced: false,
    status: true,
    default: defaults.defaultNode,
    prepareForCreate: small.prepareNodeForCreate,
    prepareForUpdate: small.prepareNodeForUpdate,
    prepareForStatusUpdate: small.prepareNodeForStatusUpdate,
    validate: small.validateNode,
    validateUpdate: small.validateNodeUpdate,
    validateStatusUpdate: small.validateNodeUpdate,
  }),
  "/Endpoints": plainKind({
    namespaced: true,
    createOnUpdate: true,
    default: defaults.defaultEndpoints,
    validate: small.validateEndpoints,
    validateUpdate: small.validateEndpointsUpdate,
  }),
  "/Event": plainKind({
    namespaced: true,
    createOnUpdate: true,
    validate: events.validateEvent,
    validateUpdate: events.validateEventUpdate,
  }),
  "/LimitRange": plainKind({
    namespaced: true,
    createOnUpdate: true,
    default: defaults.defaultLimitRange,
    validate: quotas.validateLimitRange,
    validateUpdate: (next) => quotas.validateLimitRange(next),
  }),
  "/ResourceQuota": plainKind({
    namespaced: true,
    status: true,
    default: defaults.defaultResourceQuota,
    validate: quotas.validateResourceQuota,
    validateUpdate: quotas.validateResourceQuotaUpdate,
    validateStatusUpdate: quotas.validateResourceQuotaStatusUpdate,
  }),
  "/PersistentVolume": plainKind({
    namespaced: false,
    status: true,
    default: defaults.defaultPersistentVolume,
    prepareForCreate: storage.prepareVolumeForCreate,
    warnings: warn.persistentVolumeWarnings,
    validate: storage.validatePersistentVolume,
    validateUpdate: storage.validatePersistentVolumeUpdate,
  }),
  "/PersistentVolumeClaim": plainKind({
    namespaced: true,
    status: true,
    default: defaults.defaultPersistentVolumeClaim,
    warnings: warn.claimWarnings,
    prepareForCreate: storage.prepareClaimForCreate,
    prepareForUpdate: storage.prepareClaimForUpdate,
    validate: storage.validatePersistentVolumeClaim,
    validateUpdate: storage.validatePersistentVolumeClaimUpdate,
    validateStatusUpdate: storage.validatePersistentVolumeClaimStatusUpdate,
  }),
  "/PodTemplate": plainKind({
    namespaced: true,
    generation: true,
    default: defaults.defaultPodTemplateObject,
    warnings: warn.templateWarnings("template", false),
    validate: app.validatePodTemplateObject,
    validateUpdate: app.validatePodTemplateUpdate,
  }),
  "/ServiceAccount": plainKind({ namespaced: true, warnings: warn.serviceAccountWarnings }),
};
