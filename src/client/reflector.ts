// Keeps a cache equal to the server: one list, then one watch that is resumed from the last resourceVersion for ever.
import { ApiError, type ApiObject, isGone, type ResourceType, type Stored } from "#api";
import { type Clock, type Log, type Random, sleep } from "#base";
import type { Client, ListOptions } from "./client.ts";
import type { InformerCache } from "./informer-cache.ts";

export interface ReflectorOptions<T extends ApiObject> {
  readonly type: ResourceType<T>;
  readonly selection: Pick<ListOptions, "namespace" | "labelSelector" | "fieldSelector">;
  readonly client: Client;
  readonly cache: InformerCache<T>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onSynced: () => void;
  readonly signal: AbortSignal;
}

/** Upstream's reflector: 0.8 s doubling to 30 s, jitter up to twice, forgotten after two quiet minutes. */
const firstDelayMs = 800;
const longestDelayMs = 30_000;
const resetAfterMs = 120_000;
/** A watch asks for 5 to 10 minutes, so that the watches of a restarted server do not all end together. */
const watchSeconds = 300;
const pageSize = 500;

type State =
  | { readonly phase: "listing"; readonly from: "cache" | "store" }
  | { readonly phase: "watching"; readonly resourceVersion: string };

/** Runs until the signal aborts; never throws. */
export async function reflect<T extends ApiObject>(options: ReflectorOptions<T>): Promise<void> {
  const { clock, random, log, signal } = options;
  let state: State = { phase: "listing", from: "cache" };
  let delayMs = firstDelayMs / 2;
  let failedAt = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    try {
      state = state.phase === "listing" ? await list(options, state.from) : await watch(options, state.resourceVersion);
    } catch (error) {
      if (signal.aborted) return;
      state = afterFailure(options, state, error);
      const now = clock.monotonic();
      const quietMs = now - failedAt;
      failedAt = now;
      // One expiry is the normal course of things; a server that expires everything at once must not be asked in a busy loop.
      if (isGone(error) && quietMs > longestDelayMs) continue;
      delayMs = quietMs > resetAfterMs ? firstDelayMs : Math.min(delayMs * 2, longestDelayMs);
      log.warn("list or watch failed, trying again", { resource: options.type.plural, error: String(error), delayMs });
      await sleep(clock, delayMs * (1 + random.float()), signal).catch(() => {});
    }
  }
}

async function list<T extends ApiObject>(options: ReflectorOptions<T>, from: "cache" | "store"): Promise<State> {
  const { client, cache, type, selection, signal } = options;
  // Never older than what we have: a list from a lagging server would take the cache back in time.
  const first =
    from === "store" ? { limit: pageSize } : { resourceVersion: cache.resourceVersion === "" ? "0" : cache.resourceVersion };
  let page = await client.list(type, { ...selection, ...first, signal });
  let objects: readonly Stored<T>[] = page.items;
  while (page.metadata.continue !== undefined && page.metadata.continue !== "") {
    page = await client.list(type, { ...selection, limit: pageSize, continue: page.metadata.continue, signal });
    objects = [...objects, ...page.items];
  }
  if (from === "store") cache.forgetResourceVersion();
  cache.replace(objects, page.metadata.resourceVersion);
  options.onSynced();
  return { phase: "watching", resourceVersion: page.metadata.resourceVersion };
}

async function watch<T extends ApiObject>(options: ReflectorOptions<T>, from: string): Promise<State> {
  const { client, cache, clock, random, type, selection, signal } = options;
  const startedAt = clock.monotonic();
  let events = 0;
  const timeoutSeconds = Math.floor(watchSeconds * (1 + random.float()));
  for await (const event of client.watch(type, {
    ...selection,
    resourceVersion: from,
    allowBookmarks: true,
    timeoutSeconds,
    signal,
  })) {
    if (signal.aborted) break;
    events++;
    if (event.type === "BOOKMARK") cache.advance(event.resourceVersion);
    else cache.apply(event.type, event.object);
  }
  // A server that ends every watch at once would be asked in a busy loop.
  if (events === 0 && !signal.aborted && clock.monotonic() - startedAt < 1000)
    throw new Error("the watch ended at once and without an event");
  return { phase: "watching", resourceVersion: cache.resourceVersion };
}

function afterFailure<T extends ApiObject>(options: ReflectorOptions<T>, state: State, error: unknown): State {
  if (isGone(error) || isFromTheFuture(error)) return { phase: "listing", from: "store" };
  if (state.phase === "listing") return state;
  // A refusal with a reason other than overload says that this resourceVersion will not be served (too large, or from another life of the store).
  const refused = error instanceof ApiError && error.code >= 400 && error.code < 500 && error.code !== 429;
  return refused ? { phase: "listing", from: "cache" } : { phase: "watching", resourceVersion: options.cache.resourceVersion };
}

/** The server has not reached the resourceVersion we ask for, and says so after waiting: it lost history, for example by a restored backup. */
const isFromTheFuture = (error: unknown): boolean =>
  error instanceof ApiError && (error.status.details?.causes ?? []).some((cause) => cause.reason === "ResourceVersionTooLarge");
