// The core group's kinds.
import * as defaults from "../../defaults/core.ts";
import { defaultPod } from "../../defaults/pod.ts";
import type { KindRules } from "../../rules.ts";
import { plainKind } from "../helpers.ts";
import { label1035Name, labelName } from "../meta.ts";

export const coreRules: Readonly<Record<string, KindRules>> = {
  "/Pod": plainKind({ namespaced: true, status: true, generation: true, default: defaultPod }),
  "/Service": plainKind({ namespaced: true, name: label1035Name, status: true, createOnUpdate: true, default: defaults.defaultService }),
  "/ReplicationController": plainKind({ namespaced: true, status: true, generation: true, default: defaults.defaultReplicationController }),
  "/ConfigMap": plainKind({ namespaced: true }),
  "/Secret": plainKind({ namespaced: true, default: defaults.defaultSecret }),
  "/Namespace": plainKind({ namespaced: false, name: labelName, status: true, default: defaults.defaultNamespace }),
  "/Node": plainKind({ namespaced: false, status: true, default: defaults.defaultNode }),
  "/Endpoints": plainKind({ namespaced: true, createOnUpdate: true, default: defaults.defaultEndpoints }),
  "/Event": plainKind({ namespaced: true, createOnUpdate: true }),
  "/LimitRange": plainKind({ namespaced: true, createOnUpdate: true, default: defaults.defaultLimitRange }),
  "/ResourceQuota": plainKind({ namespaced: true, status: true, default: defaults.defaultResourceQuota }),
  "/PersistentVolume": plainKind({ namespaced: false, status: true, default: defaults.defaultPersistentVolume }),
  "/PersistentVolumeClaim": plainKind({ namespaced: true, status: true, default: defaults.defaultPersistentVolumeClaim }),
  "/PodTemplate": plainKind({ namespaced: true, generation: true, default: defaults.defaultPodTemplateObject }),
  "/ServiceAccount": plainKind({ namespaced: true }),
};
