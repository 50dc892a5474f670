// The admission plugins in upstream's order, and which of them are on.
import type { Clock, Log, Random } from "#base";
import type { AdmissionPlugin, Authorizer, ObjectReader, ObjectWriter } from "../../contract.ts";
import { certificateApproval, certificateRequester, certificateSigning, certificateSubjectRestriction } from "./certificates.ts";
import { defaultIngressClass } from "./ingress-class.ts";
import { limitRanger } from "./limit-ranger.ts";
import { namespaceLifecycle } from "./namespace-lifecycle.ts";
import { nodeFeatures } from "./node-features.ts";
import { nodeRestriction } from "./node-restriction.ts";
import { podSecurity } from "./pod-security.ts";
import { podTopologyLabels } from "./pod-topology-labels.ts";
import { priority } from "./priority.ts";
import { resourceQuota } from "./resource-quota.ts";
import { runtimeClass } from "./runtime-class.ts";
import { serviceAccount } from "./service-account.ts";
import { defaultStorageClass, persistentVolumeClaimResize, storageObjectInUseProtection } from "./storage.ts";
import { defaultTolerationSeconds, taintNodesByCondition } from "./tolerations.ts";
import type { WebhookDialer } from "./webhooks/dialer.ts";
import { mutatingWebhooks, validatingWebhooks } from "./webhooks/plugins.ts";

export interface AdmissionDeps {
  readonly reader: ObjectReader;
  readonly writer: ObjectWriter;
  readonly clock: Clock;
  readonly random: Random;
  readonly authorizer: Authorizer;
  readonly log?: Log;
  /** Calls admission webhooks; absent: a matching webhook fails by its failure policy. */
  readonly webhooks?: WebhookDialer;
}

export interface AdmissionOptions extends AdmissionDeps {
  readonly enable?: readonly string[];
  readonly disable?: readonly string[];
}

interface Entry {
  readonly name: string;
  readonly create: (deps: AdmissionDeps) => AdmissionPlugin & Partial<Disposable>;
  /** Off unless enabled by name, as upstream's kube-apiserver has it. */
  readonly onDemand?: boolean;
}

/** Order matters: each sees what those before it changed. */
export const registry: readonly Entry[] = [
  { name: "NamespaceLifecycle", create: namespaceLifecycle },
  { name: "LimitRanger", create: limitRanger },
  { name: "ServiceAccount", create: serviceAccount },
  { name: "NodeRestriction", create: nodeRestriction, onDemand: true },
  { name: "TaintNodesByCondition", create: () => taintNodesByCondition },
  { name: "PodSecurity", create: podSecurity },
  { name: "Priority", create: priority },
  { name: "DefaultTolerationSeconds", create: () => defaultTolerationSeconds },
  { name: "DefaultStorageClass", create: defaultStorageClass },
  { name: "StorageObjectInUseProtection", create: () => storageObjectInUseProtection },
  { name: "PersistentVolumeClaimResize", create: persistentVolumeClaimResize },
  { name: "RuntimeClass", create: runtimeClass },
  { name: "CertificateApproval", create: certificateApproval },
  { name: "CertificateSigning", create: certificateSigning },
  { name: "CertificateSubjectRestriction", create: () => certificateSubjectRestriction },
  { name: "DefaultIngressClass", create: defaultIngressClass },
  { name: "PodTopologyLabels", create: podTopologyLabels },
  { name: "NodeDeclaredFeatureValidator", create: nodeFeatures },
  { name: "MutatingAdmissionWebhook", create: mutatingWebhooks },
  { name: "ValidatingAdmissionWebhook", create: validatingWebhooks },
  { name: "ResourceQuota", create: resourceQuota },
];

/** Throws for a name that is no plugin. */
export function admissionPlugins(options: AdmissionOptions): { readonly plugins: readonly AdmissionPlugin[] } & Disposable {
  const { enable = [], disable = [], ...deps } = options;
  for (const name of [...enable, ...disable]) {
    if (!registry.some((entry) => entry.name === name))
      throw new Error(`Cannot configure admission plugin "${name}": there is no plugin of that name`);
  }
  const plugins = registry
    .filter(({ name, onDemand }) => !disable.includes(name) && (onDemand !== true || enable.includes(name)))
    .map(({ create }) => create(deps));
  return {
    plugins: [...plugins, certificateRequester],
    [Symbol.dispose]: () => {
      for (const plugin of plugins) plugin[Symbol.dispose]?.();
    },
  };
}
