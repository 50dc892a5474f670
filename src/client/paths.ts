// Where a resource lives: URL paths and query parameters, as the API conventions lay them out.
import { apiVersionOf, type ResourceType } from "#api";
import type { ListOptions, WatchOptions, WriteOptions } from "./client.ts";

type Query = Readonly<Record<string, string>>;

/** "/apis/apps/v1/namespaces/default/deployments"; without a namespace the collection over all namespaces. */
export function collectionPath(type: ResourceType, namespace?: string): string {
  const root = type.group === "" ? `/api/${type.version}` : `/apis/${apiVersionOf(type)}`;
  const scope = type.namespaced && namespace !== undefined && namespace !== "" ? `/namespaces/${segment(namespace)}` : "";
  return `${root}${scope}/${type.plural}`;
}

/** "/api/v1/namespaces/default/pods/web" and, with a subresource, "/api/v1/namespaces/default/pods/web/status". */
export function objectPath(
  type: ResourceType,
  ref: { readonly namespace?: string; readonly name: string },
  subresource?: string,
): string {
  const path = `${collectionPath(type, ref.namespace)}/${segment(ref.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

// Names such as "system:node" travel as they are (RFC 3986 allows ":" and "@" in a segment); only what would change the path is escaped.
const segment = (name: string): string => encodeURIComponent(name).replaceAll("%3A", ":").replaceAll("%40", "@");

export function listQuery(options: ListOptions): Query {
  return defined({
    labelSelector: options.labelSelector,
    fieldSelector: options.fieldSelector,
    limit: options.limit,
    continue: options.continue,
    resourceVersion: options.resourceVersion,
    resourceVersionMatch: options.resourceVersionMatch,
  });
}

export function watchQuery(options: WatchOptions): Query {
  return defined({
    ...listQuery(options),
    watch: true,
    allowWatchBookmarks: options.allowBookmarks,
    sendInitialEvents: options.sendInitialEvents,
    timeoutSeconds: options.timeoutSeconds,
  });
}

export const writeQuery = (options: WriteOptions & { readonly force?: boolean }): Query =>
  defined({
    dryRun: options.dryRun === true ? "All" : undefined,
    fieldManager: options.fieldManager,
    fieldValidation: options.fieldValidation,
    force: options.force,
  });

function defined(values: Readonly<Record<string, string | number | boolean | undefined>>): Query {
  const query: Record<string, string> = {};
  for (const [name, value] of Object.entries(values)) if (value !== undefined && value !== "") query[name] = String(value);
  return query;
}
