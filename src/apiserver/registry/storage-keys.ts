// Where objects live in the store: upstream's keys, so that etcdctl and a second API server find them.

import type { ResourceType } from "#api";
import { own } from "#base";
import { type Key, keyFromText } from "#store";

export const registryPrefix = "/registry/";

const oddPlaces: Readonly<Record<string, string>> = {
  replicationcontrollers: "controllers",
  endpoints: "services/endpoints",
  services: "services/specs",
  nodes: "minions",
  ingresses: "ingress",
};
/** Groups served by upstream's extension and aggregation servers, which put the group into the key. */
const groupedPlaces = new Set(["apiextensions.k8s.io", "apiregistration.k8s.io"]);

/** "/registry/pods/": every key of a built-in resource begins with it. */
export function builtInKeyPrefix(type: Pick<ResourceType, "group" | "plural">): string {
  if (groupedPlaces.has(type.group)) return customKeyPrefix(type);
  return `${registryPrefix}${own(oddPlaces, type.plural) ?? type.plural}/`;
}

/** "/registry/stable.example.com/crontabs/". */
export const customKeyPrefix = (type: Pick<ResourceType, "group" | "plural">): string =>
  `${registryPrefix}${type.group}/${type.plural}/`;

export const objectKey = (prefix: string, namespace: string, name: string): Key =>
  keyFromText(namespace === "" ? `${prefix}${name}` : `${prefix}${namespace}/${name}`);
