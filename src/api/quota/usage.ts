// What an object counts for against a quota, and which quotas look at it. Pure.
import { canonicalQuantity, type ParsedQuantity, parseQuantity } from "../quantity.ts";
import type { ApiObject, ResourceType, Stored } from "../resource-type.ts";
import type {
  Container,
  PersistentVolumeClaim,
  Pod,
  ResourceQuota,
  ScopedResourceSelectorRequirement,
  Service,
} from "../types/mod.ts";
import { type Amounts, podAmounts } from "./pod-resources.ts";

export interface QuotaEvaluator {
  /** True for writes that may change the usage. */
  handles(operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT", subresource: string): boolean;
  /** True when a quota's resource name is one that this kind uses. */
  counts(name: string): boolean;
  usage(object: ApiObject): Amounts;
  /** Whether the object is in one of the quota's scopes. */
  inScope(requirement: ScopedResourceSelectorRequirement, object: ApiObject): boolean;
  /** What the object must say for the quota to be able to count it: "must specify requests.cpu for: c". */
  lacks?(names: readonly string[], object: ApiObject): string | undefined;
}

const one: ParsedQuantity = parseQuantity("1");
const count = (value: number): ParsedQuantity => parseQuantity(String(value));

// Kinds that had quota names of their own before "count/" existed.
const legacyNames = new Set(["configmaps", "resourcequotas", "replicationcontrollers", "secrets"]);

/** How objects of this resource count against quotas. */
export function quotaEvaluator(type: ResourceType): QuotaEvaluator {
  switch (type.group === "" ? type.plural : "") {
    case "pods":
      return podEvaluator;
    case "services":
      return serviceEvaluator;
    case "persistentvolumeclaims":
      return claimEvaluator;
  }
  const name = `count/${type.plural}${type.group === "" ? "" : `.${type.group}`}`;
  const names = type.group === "" && legacyNames.has(type.plural) ? [name, type.plural] : [name];
  return {
    handles: (operation, subresource) => operation === "CREATE" && subresource === "",
    counts: (each) => names.includes(each),
    usage: () => new Map(names.map((each) => [each, one])),
    inScope: () => false,
  };
}

const computeNames = ["cpu", "memory", "ephemeral-storage"];
const podNames = new Set([
  "pods",
  "count/pods",
  ...computeNames,
  ...computeNames.flatMap((name) => [`requests.${name}`, `limits.${name}`]),
]);
const demanded = new Set(["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"]);

/** Names such as "example.com/gpu"; kubernetes.io is the system's. */
const isExtended = (name: string): boolean => name.includes("/") && !(name.split("/")[0] ?? "").endsWith("kubernetes.io");
const isHugePages = (name: string): boolean => name.startsWith("hugepages-");

const podEvaluator: QuotaEvaluator = {
  handles: (operation, subresource) =>
    (operation === "CREATE" && subresource === "") || (operation === "UPDATE" && subresource === "resize"),
  counts: (name) =>
    podNames.has(name) ||
    isHugePages(name) ||
    (name.startsWith("requests.") && (isHugePages(name.slice("requests.".length)) || isExtended(name.slice("requests.".length)))),
  usage: (object) => {
    const { spec } = object as Pod; // chosen by type
    const used = new Map<string, ParsedQuantity>([
      ["pods", one],
      ["count/pods", one],
    ]);
    if (spec === undefined) return used;
    for (const [name, amount] of podAmounts(spec, "requests")) {
      if (computeNames.includes(name) || isHugePages(name)) used.set(name, amount).set(`requests.${name}`, amount);
      else if (isExtended(name)) used.set(`requests.${name}`, amount);
    }
    for (const [name, amount] of podAmounts(spec, "limits")) if (computeNames.includes(name)) used.set(`limits.${name}`, amount);
    return used;
  },
  inScope: (requirement, object) => podScope(requirement, object as Pod), // chosen by type
  lacks: (names, object) => {
    const spec = (object as Pod).spec; // chosen by type
    const needed = names.filter((name) => demanded.has(name)).sort();
    if (spec === undefined || needed.length === 0) return undefined;
    const missing = new Map<string, string[]>();
    for (const container of [...spec.containers, ...(spec.initContainers ?? [])]) {
      for (const name of needed) {
        if (!says(container, name) && !saysForPod(spec.resources, name))
          missing.set(name, [...(missing.get(name) ?? []), container.name]);
      }
    }
    if (missing.size === 0) return undefined;
    return `must specify ${[...missing].map(([name, containers]) => `${name} for: ${containers.sort().join(",")}`).join("; ")}`;
  },
};

function says({ resources }: Container, name: string): boolean {
  return saysForPod(resources, name);
}

function saysForPod(resources: Container["resources"], name: string): boolean {
  const isLimit = name.startsWith("limits.");
  const short = name.slice(name.indexOf(".") + 1);
  return (isLimit ? resources?.limits : resources?.requests)?.[short] !== undefined;
}

function podScope(requirement: ScopedResourceSelectorRequirement, pod: Pod): boolean {
  switch (requirement.scopeName) {
    case "Terminating":
      return isTerminating(pod);
    case "NotTerminating":
      return !isTerminating(pod);
    case "BestEffort":
      return isBestEffort(pod);
    case "NotBestEffort":
      return !isBestEffort(pod);
    case "PriorityClass":
      return matchesValue(requirement, pod.spec?.priorityClassName ?? "");
    case "CrossNamespacePodAffinity":
      return usesOtherNamespaces(pod);
    default:
      return false;
  }
}

const isTerminating = (pod: Pod): boolean => (pod.spec?.activeDeadlineSeconds ?? -1) >= 0;

const isBestEffort = (pod: Pod): boolean =>
  [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].every(({ resources }) =>
    [resources?.requests, resources?.limits].every((list) => list?.cpu === undefined && list?.memory === undefined),
  );

function matchesValue({ operator, values = [] }: ScopedResourceSelectorRequirement, value: string): boolean {
  switch (operator) {
    case "In":
      return values.includes(value);
    case "NotIn":
      return !values.includes(value);
    case "Exists":
      return value !== "";
    default:
      return value === "";
  }
}

function usesOtherNamespaces(pod: Pod): boolean {
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  return [podAffinity, podAntiAffinity].some((affinity) =>
    [
      ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
      ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => term.podAffinityTerm),
    ].some(
      (term) => (term.namespaces ?? []).length > 0 || (term.namespaceSelector !== undefined && term.namespaceSelector !== null),
    ),
  );
}

const serviceNames = new Set(["services", "count/services", "services.nodeports", "services.loadbalancers"]);

const serviceEvaluator: QuotaEvaluator = {
  handles: (operation, subresource) => (operation === "CREATE" || operation === "UPDATE") && subresource === "",
  counts: (name) => serviceNames.has(name),
  usage: (object) => {
    const { spec } = object as Service; // chosen by type
    const ports = spec?.ports ?? [];
    const used = new Map<string, ParsedQuantity>([
      ["services", one],
      ["count/services", one],
      ["services.nodeports", count(0)],
      ["services.loadbalancers", count(0)],
    ]);
    if (spec?.type === "NodePort") used.set("services.nodeports", count(ports.length));
    if (spec?.type === "LoadBalancer") {
      const allocated = spec.allocateLoadBalancerNodePorts === false ? ports.filter((port) => (port.nodePort ?? 0) !== 0) : ports;
      used.set("services.nodeports", count(allocated.length)).set("services.loadbalancers", one);
    }
    return used;
  },
  inScope: () => false,
};

const classSuffix = ".storageclass.storage.k8s.io/";

const claimEvaluator: QuotaEvaluator = {
  handles: (operation, subresource) => (operation === "CREATE" || operation === "UPDATE") && subresource === "",
  counts: (name) =>
    ["persistentvolumeclaims", "count/persistentvolumeclaims", "requests.storage"].includes(name) ||
    name.endsWith(`${classSuffix}requests.storage`) ||
    name.endsWith(`${classSuffix}persistentvolumeclaims`),
  usage: (object) => {
    const claim = object as PersistentVolumeClaim; // chosen by type
    const used = new Map<string, ParsedQuantity>([
      ["persistentvolumeclaims", one],
      ["count/persistentvolumeclaims", one],
    ]);
    const className =
      claim.metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? claim.spec?.storageClassName ?? "";
    if (className !== "") used.set(`${className}${classSuffix}persistentvolumeclaims`, one);
    const storage = claim.spec?.resources?.requests?.storage;
    if (storage === undefined) return used;
    used.set("requests.storage", parseQuantity(storage));
    if (className !== "") used.set(`${className}${classSuffix}requests.storage`, parseQuantity(storage));
    return used;
  },
  inScope: (requirement, object) =>
    requirement.scopeName === "VolumeAttributesClass" &&
    matchesValue(requirement, (object as PersistentVolumeClaim).spec?.volumeAttributesClassName ?? ""), // chosen by type
};

/** A quota with scopes looks only at objects that are in all of them. */
export function isInQuotaScopes(quota: Stored<ResourceQuota>, evaluator: QuotaEvaluator, object: ApiObject): boolean {
  const requirements: readonly ScopedResourceSelectorRequirement[] = [
    ...(quota.spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: "Exists" })),
    ...(quota.spec?.scopeSelector?.matchExpressions ?? []),
  ];
  return requirements.every((requirement) => evaluator.inScope(requirement, object));
}

/** "pods=1,requests.cpu=500m", sorted by name. */
export function quotaUsageText(list: Readonly<Record<string, string | number>>): string {
  return Object.keys(list)
    .sort()
    .map((name) => `${name}=${canonicalQuantity(list[name] as string)}`) // a key of the list
    .join(",");
}
