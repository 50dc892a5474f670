// get, list and watch: answered from the watch cache, with upstream's resourceVersion semantics (KEP-2340, KEP-3157).
import { ApiError, apiError, badRequest, expired, notFound } from "#api";
import type { Clock } from "#base";
import { type Key, prefixEnd, type Revision, type Store, StoreError } from "#store";
import type { Answer } from "../answer.ts";
import type { Entry } from "../cache/entry.ts";
import type { CacheHub } from "../cache/hub.ts";
import { type CacheWatcher, expiredWatcher } from "../cache/watcher.ts";
import type { Query } from "../query.ts";
import { type Filter, filterOf } from "./filter.ts";
import {
  decodeContinue,
  encodeContinue,
  type ListOptions,
  listOptions,
  parseResourceVersion,
  resourceVersionProblem,
} from "./list-options.ts";
import type { ServedResource } from "./resource.ts";
import { objectKey } from "./storage-keys.ts";
import { translated } from "./store-errors.ts";

const freshnessLimitMs = 3_000;
const watchCapacity = 10_000;

export interface Reads {
  readonly store: Store;
  readonly hub: CacheHub;
  readonly clock: Clock;
}

export interface Place {
  readonly resource: ServedResource;
  readonly namespace: string;
  /** "" for collections. */
  readonly name: string;
  readonly query: Query;
  readonly signal?: AbortSignal;
}

export async function get(reads: Reads, place: Place): Promise<Answer> {
  const { resource, namespace, name } = place;
  const wanted = place.query.first("resourceVersion") ?? "";
  const key = objectKey(resource.cache.prefix, resource.type.namespaced ? namespace : "", name);
  let fresh = true;
  if (wanted !== "" && wanted !== "0") {
    if (!/^[0-9]+$/.test(wanted)) throw apiError("", `invalid resource version: ${resourceVersionProblem(wanted)}`);
    await waitFor(reads, Number(wanted));
  } else if (wanted === "") fresh = (await newest(reads)).cached;
  const entry = fresh ? resource.cache.get(key) : await stored(reads, resource, key);
  if (entry === undefined) throw notFound(resource.type, name);
  return { kind: "entry", code: 200, resource, entry };
}

export async function list(reads: Reads, place: Place): Promise<Answer> {
  const options = listOptions(place.query, false);
  const filter = filterOf(place.resource, place.namespace, place.name, options.labelSelector, options.fieldSelector);
  const found = await select(reads, place.resource, filter, options);
  return {
    kind: "list",
    resource: place.resource,
    entries: found.entries,
    metadata: listMetadata(place.resource, filter, found),
  };
}

export function listMetadata(
  resource: ServedResource,
  filter: Filter,
  { revision, next, remaining }: Selection,
): { readonly resourceVersion: string; readonly continue?: string; readonly remainingItemCount?: number } {
  return {
    resourceVersion: String(revision),
    ...(next === undefined ? {} : { continue: encodeContinue({ revision, start: next.slice(resource.cache.prefix.length) }) }),
    ...(remaining === undefined || remaining === 0 || filter.selective ? {} : { remainingItemCount: remaining }),
  };
}

export interface Selection {
  readonly entries: readonly Entry[];
  readonly revision: number;
  /** The key to go on from. */
  readonly next?: string;
  readonly remaining?: number;
}

/** Exported for deletecollection. */
export async function select(reads: Reads, resource: ServedResource, filter: Filter, options: ListOptions): Promise<Selection> {
  const { hub } = reads;
  if (options.continue !== "") {
    const token = decodeContinue(options.continue);
    if (options.resourceVersion !== "" && options.resourceVersion !== "0")
      throw badRequest("specifying resource version is not allowed when using continue");
    const start =
      filter.prefix.length > resource.cache.prefix.length && !token.start.includes("/")
        ? filter.prefix + token.start
        : resource.cache.prefix + token.start;
    if (token.revision < 0) return fromCache(hub, resource, filter, options.limit, start);
    return await atRevision(reads, resource, filter, options.limit, token.revision, start, true);
  }
  const revision = parseResourceVersion(options.resourceVersion);
  if (revision > 0) {
    await waitFor(reads, revision);
    const exact = options.match === "Exact" || (options.match === "" && options.limit > 0 && revision !== 0);
    if (exact) return await atRevision(reads, resource, filter, options.limit, revision, filter.prefix, false);
  } else if (options.resourceVersion === "") {
    const { revision: wanted, cached } = await newest(reads);
    if (!cached) return await atRevision(reads, resource, filter, options.limit, wanted, filter.prefix, false);
  }
  return fromCache(hub, resource, filter, revision === 0 && options.resourceVersion === "0" ? 0 : options.limit, filter.prefix);
}

function fromCache(hub: CacheHub, resource: ServedResource, filter: Filter, limit: number, start: string): Selection {
  const { cache } = resource;
  const revision = hub.revision;
  if (filter.key !== undefined) {
    const entry = cache.get(filter.key);
    return { entries: entry !== undefined && entry.key >= start && (filter.matches?.(entry) ?? true) ? [entry] : [], revision };
  }
  if (limit === 0 && start === filter.prefix) return { entries: cache.select(filter.prefix, filter.matches), revision };
  return { ...page(cache.range(filter.prefix, start), filter, limit), revision };
}

/** The list as it was at `revision`: from the cache if nothing has changed since, otherwise from the store's history. */
async function atRevision(
  reads: Reads,
  resource: ServedResource,
  filter: Filter,
  limit: number,
  revision: number,
  start: string,
  continued: boolean,
): Promise<Selection> {
  const { cache } = resource;
  const from = start < filter.prefix ? filter.prefix : start;
  try {
    if (cache.lastChange <= revision && reads.hub.revision >= revision) {
      // a token ends with the history that it points into, changes or not: clients and upstream's conformance tests count on it
      if (continued && revision < reads.store.revision)
        await translated(reads.store.range(from, { end: prefixEnd(filter.prefix), revision, limit: 1 }));
      return { ...page(cache.range(filter.prefix, start), filter, limit), revision };
    }
    const found = await translated(reads.store.range(from, { end: prefixEnd(filter.prefix), revision }));
    return {
      ...page(
        found.kvs.map((kv) => cache.entryOf(kv)),
        filter,
        limit,
      ),
      revision,
    };
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "compacted") throw error;
    if (!continued) throw expired("The resourceVersion for the provided list is too old.");
    // with it the client may go on from the same key, in the list as it is now
    const latest = encodeContinue({ revision: -1, start: start.slice(cache.prefix.length) });
    const { status } = apiError(
      "Expired",
      "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    );
    throw new ApiError({ ...status, metadata: { continue: latest } });
  }
}

function page(found: Iterable<Entry>, filter: Filter, limit: number): Omit<Selection, "revision"> {
  const entries: Entry[] = [];
  let next: string | undefined;
  let remaining = 0;
  for (const entry of found) {
    if (filter.matches !== undefined && !filter.matches(entry)) continue;
    if (limit > 0 && entries.length === limit) {
      next ??= `${(entries.at(-1) as Entry).key}\0`; // limit > 0, so there is a last one
      remaining++;
      if (filter.selective) break;
    } else entries.push(entry);
  }
  return { entries, ...(next === undefined ? {} : { next, remaining }) };
}

/**
 * What a read without a resourceVersion must see: every write that was acknowledged before it, by whatever API server. When the caches do not
 * get there in time (the watch of an etcd that has lost a member lags), the caller reads the store itself, as upstream does.
 */
async function newest(reads: Reads): Promise<{ readonly revision: Revision; readonly cached: boolean }> {
  const revision = await newestRevision(reads);
  return { revision, cached: await reached(reads, revision) };
}

async function newestRevision({ store }: Reads): Promise<Revision> {
  return store.currentRevision === undefined ? store.revision : await translated(store.currentRevision());
}

async function stored(reads: Reads, resource: ServedResource, key: Key): Promise<Entry | undefined> {
  const kv = await translated(reads.store.get(key));
  return kv === undefined ? undefined : resource.cache.entryOf(kv);
}

/** Waits until the caches have reached `revision`; 504 after three seconds, as upstream. */
async function waitFor(reads: Reads, revision: number): Promise<void> {
  if (await reached(reads, revision)) return;
  const message = `Too large resource version: ${revision}, current: ${reads.hub.revision}`;
  throw apiError("Timeout", `Timeout: ${message}`, {
    retryAfterSeconds: 1,
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
  });
}

async function reached(reads: Reads, revision: Revision): Promise<boolean> {
  if (reads.hub.revision >= revision) return true;
  const abort = new AbortController();
  const timer = reads.clock.after(freshnessLimitMs, () => abort.abort());
  const inTime = await reads.hub.reached(revision, abort.signal);
  timer.cancel();
  return inTime;
}

/** A watch that has begun. The caller takes from the watcher until it ends. */
export async function watch(reads: Reads, place: Place, minTimeoutSeconds: number): Promise<Answer> {
  const { resource } = place;
  const { hub } = reads;
  const options = listOptions(place.query, true);
  const filter = filterOf(resource, place.namespace, place.name, options.labelSelector, options.fieldSelector);
  const matches = (entry: Entry): boolean => entry.key.startsWith(filter.prefix) && (filter.matches?.(entry) ?? true);
  if (options.resourceVersion !== "" && !/^[0-9]+$/.test(options.resourceVersion))
    throw apiError("", resourceVersionProblem(options.resourceVersion));
  const since = parseResourceVersion(options.resourceVersion);
  const initialEvents = options.sendInitialEvents ?? since === 0;
  if (options.sendInitialEvents === true)
    await waitFor(reads, options.resourceVersion === "" ? await newestRevision(reads) : since);
  const initial = !initialEvents
    ? []
    : filter.key === undefined
      ? resource.cache.select(filter.prefix, filter.matches)
      : ([resource.cache.get(filter.key)].filter((entry) => entry !== undefined && matches(entry)) as Entry[]);
  const from = initialEvents || since === 0 ? hub.revision : since;
  const watcher = resource.cache.watch(
    {
      matches,
      since: from,
      initial,
      markInitialEnd: options.sendInitialEvents === true && options.allowBookmarks,
      bookmarks: options.allowBookmarks,
      capacity: watchCapacity + initial.length,
    },
    hub.revision,
  );
  if (watcher === undefined) {
    const because = `too old resource version: ${since} (${resource.cache.oldestWatchable})`;
    return { kind: "watch", resource, watcher: expiredWatcher(because) };
  }
  endLater(reads.clock, watcher, options.timeoutSeconds ?? minTimeoutSeconds, place.signal);
  return { kind: "watch", resource, watcher };
}

function endLater(clock: Clock, watcher: CacheWatcher, seconds: number, signal: AbortSignal | undefined): void {
  const timer = clock.after(Math.max(0, seconds) * 1_000, () => watcher.end("closed"));
  signal?.addEventListener(
    "abort",
    () => {
      timer.cancel();
      watcher.end("closed");
    },
    { once: true },
  );
}
