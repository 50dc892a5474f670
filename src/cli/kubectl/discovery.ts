// Which resources the server has, and which one a user means by "po", "deploy.apps" or "deployments.v1.apps".
import type { ResourceType, SubresourceType } from "#api";
import type { Client } from "#client";
import { Failure } from "./failure.ts";

interface DiscoveredKind {
  readonly group?: string;
  readonly version?: string;
  readonly kind?: string;
}

interface DiscoveredResource {
  readonly resource: string;
  readonly responseKind?: DiscoveredKind;
  readonly scope?: "Cluster" | "Namespaced";
  readonly singularResource?: string;
  readonly verbs?: readonly string[];
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly subresources?: readonly {
    readonly subresource: string;
    readonly responseKind?: DiscoveredKind;
    readonly verbs?: readonly string[];
  }[];
}

export interface DiscoveredGroups {
  readonly kind?: string;
  readonly items?: readonly {
    readonly metadata?: { readonly name?: string };
    readonly versions?: readonly { readonly version: string; readonly resources?: readonly DiscoveredResource[] }[];
  }[];
}

/** In the server's order: groups as it prefers them, versions newest first. */
export type Resources = readonly ResourceType[];

const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

export async function discover(client: Client): Promise<Resources> {
  const [core, groups] = await Promise.all(["/api", "/apis"].map((path) => ask(client, path)));
  return [...readGroups(core ?? {}), ...readGroups(groups ?? {})];
}

async function ask(client: Client, path: string): Promise<DiscoveredGroups> {
  const reply = await client.send({ method: "GET", path, query: {}, accept: aggregated });
  const answer = ("object" in reply ? reply.object : {}) as DiscoveredGroups;
  if (answer.kind === "APIGroupDiscoveryList") return answer;
  throw new Failure(
    "error: the server has no aggregated discovery (Kubernetes 1.30 and newer have): use the real kubectl for it",
  );
}

export const readGroups = ({ items = [] }: DiscoveredGroups): ResourceType[] =>
  items.flatMap(({ metadata, versions = [] }) =>
    versions.flatMap(({ version, resources = [] }) =>
      resources.map((resource) => toType(resource, metadata?.name ?? "", version)),
    ),
  );

function toType(found: DiscoveredResource, group: string, version: string): ResourceType {
  const {
    resource,
    responseKind,
    scope,
    singularResource,
    verbs = [],
    shortNames = [],
    categories = [],
    subresources = [],
  } = found;
  return {
    group,
    version,
    kind: responseKind?.kind ?? "",
    plural: resource,
    singular: singularResource ?? "",
    namespaced: scope === "Namespaced",
    shortNames,
    categories,
    verbs,
    subresources: Object.fromEntries(
      subresources.map((one): [string, SubresourceType] => [
        one.subresource,
        {
          group: one.responseKind?.group ?? group,
          version: one.responseKind?.version ?? version,
          kind: one.responseKind?.kind ?? "",
          verbs: one.verbs ?? [],
        },
      ]),
    ),
  };
}

/** One resource for a name, or all of a category. Throws as kubectl does for a name that nothing has. */
export function resourcesNamed(resources: Resources, text: string): ResourceType[] {
  const [name = "", ...rest] = text.toLowerCase().split(".");
  const suffix = rest.join(".");
  const [version = "", ...groupParts] = rest;
  const inGroup = (type: ResourceType): boolean =>
    suffix === "" ||
    type.group === suffix ||
    type.group.startsWith(`${suffix}.`) ||
    (type.version === version && type.group === groupParts.join("."));
  const candidates = resources.filter(inGroup);
  const found =
    candidates.find((type) => type.plural === name || type.singular === name) ??
    candidates.find((type) => type.shortNames.includes(name)) ??
    candidates.find((type) => type.kind.toLowerCase() === name);
  if (found !== undefined) return [found];
  const category = suffix === "" ? preferred(resources).filter((type) => type.categories.includes(name)) : [];
  if (category.length > 0) return category;
  throw new Failure(`error: the server doesn't have a resource type "${text}"`);
}

export function resourceNamed(resources: Resources, text: string): ResourceType {
  const [first, ...others] = resourcesNamed(resources, text);
  if (first === undefined || others.length > 0) throw new Failure(`error: the server doesn't have a resource type "${text}"`);
  return first;
}

/** Each resource once, in its group's first version that has it. */
export function preferred(resources: Resources): Resources {
  const seen = new Set<string>();
  return resources.filter(({ group, plural }) => {
    const key = `${plural}.${group}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** For an object of a file. */
export function resourceOf(resources: Resources, apiVersion: string, kind: string): ResourceType | undefined {
  return resources.find(
    (type) => type.kind === kind && (type.group === "" ? type.version : `${type.group}/${type.version}`) === apiVersion,
  );
}
