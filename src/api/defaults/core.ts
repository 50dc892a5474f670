// Defaults of the core group, pods aside.
import type { AnyObject } from "../rules.ts";
import { inField, mapList, withDefaults, withField, without, withTextDefaults } from "../validation/helpers.ts";
import {
  defaultAzureDisk,
  defaultClaimSpec,
  defaultPodTemplate,
  defaultRbd,
  defaultResourceList,
  defaultScaleIo,
} from "./pod.ts";

const port = (value: AnyObject): AnyObject => {
  const filled = withTextDefaults(value, { protocol: "TCP" });
  return filled.targetPort === undefined || filled.targetPort === 0 || filled.targetPort === ""
    ? { ...filled, targetPort: filled.port ?? 0 }
    : filled;
};

/** Reachable from outside by node port, load balancer or external address. */
const externallyAccessible = (spec: AnyObject): boolean =>
  spec.type === "LoadBalancer" || spec.type === "NodePort" || (spec.type === "ClusterIP" && (spec.externalIPs?.length ?? 0) > 0);

export function defaultService(service: AnyObject): AnyObject {
  let spec = withTextDefaults(service.spec ?? {}, { sessionAffinity: "None", type: "ClusterIP" });
  if (spec.sessionAffinity === "None") spec = without(spec, "sessionAffinityConfig");
  if (spec.sessionAffinity === "ClientIP" && spec.sessionAffinityConfig?.clientIP?.timeoutSeconds === undefined)
    spec = {
      ...spec,
      sessionAffinityConfig: {
        ...spec.sessionAffinityConfig,
        clientIP: { ...spec.sessionAffinityConfig?.clientIP, timeoutSeconds: 10800 },
      },
    };
  spec = mapList(spec, "ports", port);
  if (externallyAccessible(spec)) spec = withTextDefaults(spec, { externalTrafficPolicy: "Cluster" });
  if (spec.type === "NodePort" || spec.type === "LoadBalancer" || spec.type === "ClusterIP")
    spec = withDefaults(spec, { internalTrafficPolicy: "Cluster" });
  if (spec.type === "LoadBalancer") spec = withDefaults(spec, { allocateLoadBalancerNodePorts: true });
  const filled = withField(service, "spec", spec);
  if (spec.type !== "LoadBalancer" || !filled.status?.loadBalancer?.ingress) return filled;
  return inField(filled, "status", (status) =>
    inField(status, "loadBalancer", (balancer) => mapList(balancer, "ingress", ipMode)),
  );
}

const ipMode = (ingress: AnyObject): AnyObject => (ingress.ip ? withDefaults(ingress, { ipMode: "VIP" }) : ingress);

export function defaultReplicationController(controller: AnyObject): AnyObject {
  let spec = withDefaults(controller.spec ?? {}, { replicas: 1 });
  const labels = spec.template?.metadata?.labels;
  let filled = controller;
  if (labels !== undefined && Object.keys(labels).length > 0) {
    if (Object.keys(spec.selector ?? {}).length === 0) spec = withField(spec, "selector", labels);
    if (Object.keys(controller.metadata?.labels ?? {}).length === 0)
      filled = { ...filled, metadata: { ...filled.metadata, labels } };
  }
  return withField(filled, "spec", inField(spec, "template", defaultPodTemplate));
}

/** stringData is written into data, and never read back. */
export function defaultSecret(secret: AnyObject): AnyObject {
  let filled = withTextDefaults(secret, { type: "Opaque" });
  if (filled.stringData !== undefined) {
    const encoded = Object.fromEntries(
      Object.entries(filled.stringData as Record<string, string>).map(([key, value]) => [
        key,
        Buffer.from(value ?? "").toString("base64"),
      ]),
    );
    filled =
      Object.keys(encoded).length === 0
        ? without(filled, "stringData")
        : { ...without(filled, "stringData"), data: { ...filled.data, ...encoded } };
  }
  return filled;
}

export function defaultNamespace(namespace: AnyObject): AnyObject {
  const name = namespace.metadata?.name ?? "";
  const labels = namespace.metadata?.labels;
  let filled = namespace;
  // The label that selectors of namespaces rely on (KEP-2161).
  if (name !== "" && labels?.["kubernetes.io/metadata.name"] !== name)
    filled = { ...filled, metadata: { ...filled.metadata, labels: { ...labels, "kubernetes.io/metadata.name": name } } };
  return { ...filled, status: withTextDefaults(filled.status ?? {}, { phase: "Active" }) };
}

export function defaultNode(node: AnyObject): AnyObject {
  const { status } = node;
  let filled = node;
  if (status !== undefined) {
    let next = inField(inField(status, "capacity", defaultResourceList), "allocatable", defaultResourceList);
    if (next.allocatable === undefined && next.capacity !== undefined) next = { ...next, allocatable: next.capacity };
    filled = withField(filled, "status", next);
  }
  return inField(filled, "spec", (spec) => {
    if (spec.podCIDR && spec.podCIDRs?.[0] !== spec.podCIDR) return { ...spec, podCIDRs: [spec.podCIDR] };
    if (!spec.podCIDR && spec.podCIDRs?.length) return { ...spec, podCIDR: spec.podCIDRs[0] };
    return spec;
  });
}

export const defaultEndpoints = (endpoints: AnyObject): AnyObject =>
  mapList(endpoints, "subsets", (subset) => mapList(subset, "ports", (value) => withTextDefaults(value, { protocol: "TCP" })));

export const defaultPersistentVolumeClaim = (claim: AnyObject): AnyObject => ({
  ...claim,
  spec: defaultClaimSpec(claim.spec ?? {}),
  status: withTextDefaults(
    inField(inField(claim.status ?? {}, "capacity", defaultResourceList), "allocatedResources", defaultResourceList),
    { phase: "Pending" },
  ),
});

export function defaultPersistentVolume(volume: AnyObject): AnyObject {
  let spec = withTextDefaults(volume.spec ?? {}, { persistentVolumeReclaimPolicy: "Retain" });
  spec = withDefaults(inField(spec, "capacity", defaultResourceList), { volumeMode: "Filesystem" });
  spec = inField(spec, "hostPath", (source) => withDefaults(source, { type: "" }));
  spec = inField(spec, "iscsi", (source) => withTextDefaults(source, { iscsiInterface: "default" }));
  spec = inField(inField(inField(spec, "rbd", defaultRbd), "azureDisk", defaultAzureDisk), "scaleIO", defaultScaleIo);
  return { ...volume, spec, status: withTextDefaults(volume.status ?? {}, { phase: "Pending" }) };
}

export const defaultResourceQuota = (quota: AnyObject): AnyObject =>
  inField(
    inField(quota, "spec", (spec) => inField(spec, "hard", defaultResourceList)),
    "status",
    (status) => inField(inField(status, "hard", defaultResourceList), "used", defaultResourceList),
  );

export function defaultLimitRange(range: AnyObject): AnyObject {
  return inField(range, "spec", (spec) =>
    mapList(spec, "limits", (given) => {
      let item = given;
      for (const key of ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"])
        item = inField(item, key, defaultResourceList);
      if (item.type !== "Container") return item;
      const limits = { ...item.max, ...item.default };
      const requests = { ...item.min, ...limits, ...item.defaultRequest };
      return {
        ...item,
        ...(Object.keys(limits).length === 0 ? {} : { default: limits }),
        ...(Object.keys(requests).length === 0 ? {} : { defaultRequest: requests }),
      };
    }),
  );
}

export const defaultPodTemplateObject = (object: AnyObject): AnyObject =>
  withField(object, "template", defaultPodTemplate(object.template ?? {}));
