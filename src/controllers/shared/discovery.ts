// What resources the server has, read through discovery as any client would: built-in, custom and aggregated ones.
import type { ResourceType, Status } from "#api";
import type { Client } from "#client";

export interface Discovered {
  /** One version of each resource, the preferred one where it has it. */
  readonly resources: readonly ResourceType[];
  /** Group versions that could not be read ("metrics.k8s.io/v1beta1"), with the reason. */
  readonly failures: readonly { readonly groupVersion: string; readonly message: string }[];
}

export type Discover = () => Promise<Discovered>;

interface ApiResource {
  readonly name: string;
  readonly singularName?: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

interface GroupList {
  readonly groups: readonly {
    readonly preferredVersion?: { readonly groupVersion: string };
    readonly versions: readonly { readonly groupVersion: string }[];
  }[];
}

export function discovery(client: Client): Discover {
  const read = async (path: string): Promise<unknown> => {
    const reply = await client.send({ method: "GET", path, query: {} });
    return "object" in reply ? reply.object : undefined;
  };
  return async () => {
    const { groups } = (await read("/apis")) as GroupList;
    const groupVersions = [
      "v1",
      ...groups.flatMap(({ preferredVersion, versions }) => {
        const all = versions.map(({ groupVersion }) => groupVersion);
        const first = preferredVersion?.groupVersion;
        return first === undefined ? all : [first, ...all.filter((groupVersion) => groupVersion !== first)];
      }),
    ];
    const failures: { groupVersion: string; message: string }[] = [];
    const lists = await Promise.all(
      groupVersions.map(async (groupVersion) => {
        try {
          const list = (await read(groupVersion === "v1" ? "/api/v1" : `/apis/${groupVersion}`)) as
            | { resources?: readonly ApiResource[] }
            | Status;
          return { groupVersion, resources: ("resources" in list ? list.resources : undefined) ?? [] };
        } catch (error) {
          failures.push({ groupVersion, message: error instanceof Error ? error.message : String(error) });
          return { groupVersion, resources: [] };
        }
      }),
    );
    const found = new Map<string, ResourceType>();
    for (const { groupVersion, resources } of lists) {
      for (const resource of resources) {
        const type = typeOf(groupVersion, resource);
        const key = `${type.group}/${type.plural}`;
        if (!resource.name.includes("/") && !found.has(key)) found.set(key, type);
      }
    }
    return { resources: [...found.values()], failures };
  };
}

function typeOf(groupVersion: string, resource: ApiResource): ResourceType {
  const slash = groupVersion.indexOf("/");
  return {
    group: slash === -1 ? "" : groupVersion.slice(0, slash),
    version: groupVersion.slice(slash + 1),
    kind: resource.kind,
    plural: resource.name,
    singular: resource.singularName ?? "",
    namespaced: resource.namespaced,
    shortNames: [],
    categories: [],
    verbs: resource.verbs,
    subresources: {},
  };
}
