// Discovery documents: which groups, versions and resources there are, in the legacy and the aggregated form.

import { createHash } from "node:crypto";
import { apiVersionOf, type ResourceType } from "#api";
import { own } from "#base";
import type { Catalogue } from "../registry/catalogue.ts";

/** Order in which upstream lists its groups; others follow by name. */
const groupOrder = [
  "apiregistration.k8s.io",
  "apps",
  "events.k8s.io",
  "authentication.k8s.io",
  "authorization.k8s.io",
  "autoscaling",
  "batch",
  "certificates.k8s.io",
  "networking.k8s.io",
  "policy",
  "rbac.authorization.k8s.io",
  "storage.k8s.io",
  "admissionregistration.k8s.io",
  "apiextensions.k8s.io",
  "scheduling.k8s.io",
  "coordination.k8s.io",
  "node.k8s.io",
  "discovery.k8s.io",
  "resource.k8s.io",
  "flowcontrol.apiserver.k8s.io",
];

const rank = (group: string): number => {
  const index = groupOrder.indexOf(group);
  return index < 0 ? groupOrder.length : index;
};

/** v2, v1, v1beta2, v1alpha1, then anything else by name (KubeAwareCompare). */
function compareVersions(a: string, b: string): number {
  const [left, right] = [parsed(a), parsed(b)];
  if (left === undefined || right === undefined)
    return left === right ? (a < b ? -1 : a > b ? 1 : 0) : left === undefined ? 1 : -1;
  return right.stability - left.stability || right.major - left.major || right.minor - left.minor;
}

function parsed(version: string): { readonly major: number; readonly stability: number; readonly minor: number } | undefined {
  const match = /^v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?$/.exec(version);
  if (match === null) return undefined;
  return {
    major: Number(match[1]),
    stability: match[2] === undefined ? 2 : match[2] === "beta" ? 1 : 0,
    minor: Number(match[3] ?? 0),
  };
}

function groupNames(catalogue: Catalogue): string[] {
  return [...catalogue.groups.keys()].filter((group) => group !== "").sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

export const versionsOf = (catalogue: Catalogue, group: string): string[] =>
  [...(catalogue.groups.get(group) ?? [])].sort(compareVersions);

export function apiGroup(catalogue: Catalogue, group: string): object {
  const versions = versionsOf(catalogue, group).map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions, preferredVersion: versions[0] };
}

export const apiGroupList = (catalogue: Catalogue): object => ({
  kind: "APIGroupList",
  apiVersion: "v1",
  groups: groupNames(catalogue).map((group) => apiGroup(catalogue, group)),
});

export const apiVersions = (address: string): object => ({
  kind: "APIVersions",
  versions: ["v1"],
  serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress: address }],
});

/** Kinds whose hash upstream computes from another version than the one that is served. */
const oddHashes: Readonly<Record<string, string>> = {
  Event: "r2yiGXH7wu8=",
  MutatingAdmissionPolicy: "LYmCf+UMVdg=",
  MutatingAdmissionPolicyBinding: "90V5FRZZ3Zg=",
  CustomResourceDefinition: "jfWCUB31mvA=",
};

interface Named {
  readonly name: string;
  readonly [key: string]: unknown;
}

function storageVersionHash(catalogue: Catalogue, type: ResourceType): string | undefined {
  const served = catalogue.get(type.group, type.version, type.plural);
  if (served === undefined) return undefined;
  const known = own(oddHashes, type.kind);
  if (known !== undefined && !served.custom) return known;
  return createHash("sha256")
    .update(`${apiVersionOf(served.storedType)}/${type.kind}`)
    .digest()
    .subarray(0, 8)
    .toString("base64");
}

const names = (type: ResourceType): object => ({
  ...(type.shortNames.length === 0 ? {} : { shortNames: type.shortNames }),
  ...(type.categories.length === 0 ? {} : { categories: type.categories }),
});

export function apiResourceList(catalogue: Catalogue, group: string, version: string): object {
  const resources: Named[] = [];
  for (const type of catalogue.types(group, version)) {
    const hash = storageVersionHash(catalogue, type);
    resources.push({
      name: type.plural,
      singularName: type.singular,
      namespaced: type.namespaced,
      kind: type.kind,
      verbs: type.verbs,
      ...names(type),
      ...(hash === undefined ? {} : { storageVersionHash: hash }),
    });
    for (const [name, sub] of Object.entries(type.subresources)) {
      const foreign = sub.group !== type.group || sub.version !== type.version ? { group: sub.group, version: sub.version } : {};
      resources.push({
        name: `${type.plural}/${name}`,
        singularName: "",
        namespaced: type.namespaced,
        ...foreign,
        kind: sub.kind,
        verbs: sub.verbs,
      });
    }
  }
  if (!catalogue.isCustom(group)) resources.sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    kind: "APIResourceList",
    ...(group === "" ? {} : { apiVersion: "v1" }),
    groupVersion: group === "" ? version : `${group}/${version}`,
    resources,
  };
}

/** apidiscovery.k8s.io/v2: everything in one answer. */
export function aggregated(catalogue: Catalogue, core: boolean): object {
  const groups = core ? [""] : groupNames(catalogue);
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: "apidiscovery.k8s.io/v2",
    metadata: {},
    items: groups.map((group) => ({
      metadata: group === "" ? {} : { name: group },
      versions: versionsOf(catalogue, group).map((version) => ({
        version,
        resources: aggregatedResources(catalogue, group, version),
        freshness: "Current",
      })),
    })),
  };
}

function aggregatedResources(catalogue: Catalogue, group: string, version: string): object[] {
  return [...catalogue.types(group, version)]
    .sort((a, b) => (a.plural < b.plural ? -1 : 1))
    .map((type) => {
      const kindOf = (sub: { readonly group: string; readonly version: string; readonly kind: string }): object =>
        sub.group === type.group && sub.version === type.version
          ? { group: "", version: "", kind: sub.kind }
          : { group: sub.group, version: sub.version, kind: sub.kind };
      const subresources = Object.entries(type.subresources)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, sub]) => ({ subresource: name, responseKind: kindOf(sub), verbs: sub.verbs }));
      return {
        resource: type.plural,
        responseKind: kindOf(type),
        scope: type.namespaced ? "Namespaced" : "Cluster",
        singularResource: type.singular,
        verbs: type.verbs,
        ...names(type),
        ...(subresources.length === 0 ? {} : { subresources }),
      };
    });
}
