// Defaults of the smaller groups: networking, storage, scheduling, rbac, admission, flow control, discovery, DRA, aggregation.
import type { AnyObject } from "../rules.ts";
import { inField, mapList, withDefaults, withField, without, withTextDefaults } from "../validation/helpers.ts";

export const defaultNetworkPolicy = (policy: AnyObject): AnyObject =>
  withField(
    policy,
    "spec",
    (() => {
      const given = policy.spec ?? {};
      const ports = (rule: AnyObject): AnyObject => mapList(rule, "ports", (port) => withDefaults(port, { protocol: "TCP" }));
      const spec = mapList(mapList(given, "ingress", ports), "egress", ports);
      return (spec.policyTypes?.length ?? 0) > 0
        ? spec
        : { ...spec, policyTypes: (spec.egress?.length ?? 0) > 0 ? ["Ingress", "Egress"] : ["Ingress"] };
    })(),
  );

export const defaultIngressClass = (ingressClass: AnyObject): AnyObject =>
  inField(ingressClass, "spec", (spec) =>
    inField(spec, "parameters", (parameters) => withDefaults(parameters, { scope: "Cluster" })),
  );

export const defaultStorageClass = (storageClass: AnyObject): AnyObject =>
  withDefaults(storageClass, { reclaimPolicy: "Delete", volumeBindingMode: "Immediate" });

export const defaultCsiDriver = (driver: AnyObject): AnyObject => {
  const spec = withDefaults(driver.spec ?? {}, {
    attachRequired: true,
    podInfoOnMount: false,
    storageCapacity: false,
    fsGroupPolicy: "ReadWriteOnceWithFSType",
    requiresRepublish: false,
    seLinuxMount: false,
  });
  return withField(
    driver,
    "spec",
    (spec.volumeLifecycleModes?.length ?? 0) > 0 ? spec : { ...spec, volumeLifecycleModes: ["Persistent"] },
  );
};

export const defaultPriorityClass = (priorityClass: AnyObject): AnyObject =>
  withDefaults(priorityClass, { preemptionPolicy: "PreemptLowerPriority" });

const rbacGroup = "rbac.authorization.k8s.io";
export const defaultRoleBinding = (binding: AnyObject): AnyObject =>
  mapList(
    withField(binding, "roleRef", withTextDefaults(binding.roleRef ?? {}, { apiGroup: rbacGroup })),
    "subjects",
    (subject) =>
      subject.kind === "User" || subject.kind === "Group" ? withTextDefaults(subject, { apiGroup: rbacGroup }) : subject,
  );

const service = (config: AnyObject): AnyObject =>
  inField(config, "service", (reference) => withDefaults(reference, { port: 443 }));

const webhook =
  (mutating: boolean) =>
  (hook: AnyObject): AnyObject => {
    let filled = withDefaults(hook, {
      failurePolicy: "Fail",
      matchPolicy: "Equivalent",
      namespaceSelector: {},
      objectSelector: {},
      timeoutSeconds: 10,
      ...(mutating ? { reinvocationPolicy: "Never" } : {}),
    });
    filled = mapList(filled, "rules", (rule) => withDefaults(rule, { scope: "*" }));
    return inField(filled, "clientConfig", service);
  };
export const defaultMutatingWebhooks = (object: AnyObject): AnyObject => mapList(object, "webhooks", webhook(true));
export const defaultValidatingWebhooks = (object: AnyObject): AnyObject => mapList(object, "webhooks", webhook(false));

const matchResources = (match: AnyObject): AnyObject => {
  const rule = (value: AnyObject): AnyObject => withDefaults(value, { scope: "*" });
  return mapList(
    mapList(withDefaults(match, { matchPolicy: "Equivalent", namespaceSelector: {}, objectSelector: {} }), "resourceRules", rule),
    "excludeResourceRules",
    rule,
  );
};
export const defaultAdmissionPolicy = (policy: AnyObject): AnyObject =>
  inField(policy, "spec", (spec) => inField(withDefaults(spec, { failurePolicy: "Fail" }), "matchConstraints", matchResources));
export const defaultAdmissionPolicyBinding = (binding: AnyObject): AnyObject =>
  inField(binding, "spec", (spec) => inField(spec, "matchResources", matchResources));

export const defaultFlowSchema = (schema: AnyObject): AnyObject =>
  inField(schema, "spec", (spec) => (spec.matchingPrecedence ? spec : { ...spec, matchingPrecedence: 1000 }));

export const defaultPriorityLevel = (level: AnyObject): AnyObject =>
  inField(level, "spec", (spec) => {
    let filled = inField(spec, "exempt", (exempt) => withDefaults(exempt, { nominalConcurrencyShares: 0, lendablePercent: 0 }));
    filled = inField(filled, "limited", (limited) =>
      inField(withDefaults(limited, { nominalConcurrencyShares: 30, lendablePercent: 0 }), "limitResponse", (response) =>
        inField(response, "queuing", (queuing) => ({
          ...queuing,
          handSize: queuing.handSize || 8,
          queues: queuing.queues || 64,
          queueLengthLimit: queuing.queueLengthLimit || 50,
        })),
      ),
    );
    if (filled.type === "Exempt" && filled.exempt === undefined)
      filled = { ...filled, exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } };
    return filled;
  });

export const defaultEndpointSlice = (slice: AnyObject): AnyObject =>
  mapList(slice, "ports", (port) => withDefaults(port, { name: "", protocol: "TCP" }));

/** A field of the beta version that nothing reads any more. */
export const dropTopology = (slice: AnyObject): AnyObject =>
  mapList(slice, "endpoints", (endpoint) => without(endpoint, "deprecatedTopology"));

/** Fields behind a gate that is off (CoordinatedLeaderElection). */
export const dropLeaseStrategy = (lease: AnyObject): AnyObject =>
  inField(lease, "spec", (spec) => without(spec, "strategy", "preferredHolder"));

export const defaultApiService = (object: AnyObject): AnyObject => inField(object, "spec", service);

const deviceRequest = (request: AnyObject): AnyObject => {
  const exact = (value: AnyObject): AnyObject => {
    const filled = withTextDefaults(value, { allocationMode: "ExactCount" });
    return filled.allocationMode === "ExactCount" && !filled.count ? { ...filled, count: 1 } : filled;
  };
  const tolerations = (value: AnyObject): AnyObject =>
    mapList(value, "tolerations", (toleration) => withTextDefaults(toleration, { operator: "Equal" }));
  return mapList(
    inField(request, "exactly", (value) => tolerations(exact(value))),
    "firstAvailable",
    (value) => tolerations(exact(value)),
  );
};
const claimSpec = (spec: AnyObject): AnyObject =>
  inField(spec, "devices", (devices) => mapList(devices, "requests", deviceRequest));
export const defaultResourceClaim = (claim: AnyObject): AnyObject => inField(claim, "spec", claimSpec);
export const defaultResourceClaimTemplate = (template: AnyObject): AnyObject =>
  inField(template, "spec", (spec) => inField(spec, "spec", claimSpec));
