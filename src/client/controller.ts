// Runs a controller: its sources fill a work queue, its workers reconcile one key at a time each.
import { type ApiObject, isConflict, isNotFound, objectKey, type ResourceType, type Stored } from "#api";
import type { Clock, Log, Running } from "#base";
import type { Informer } from "./informer.ts";
import { controllerOf } from "./owners.ts";
import { WorkQueue, type WorkQueueMetrics } from "./work-queue.ts";

/** Something that says which keys to look at. Make one with `watchFor`, `watchOwned` or `watchMapped`. */
export interface Source {
  readonly synced: Promise<void>;
  readonly hasSynced: boolean;
  readonly name: string;
  start(enqueue: (key: string) => void): Disposable;
}

export interface Controller {
  /** Upstream's name: "replicaset-controller". */
  readonly name: string;
  readonly sources: readonly Source[];
  /** Keys reconciled at the same time. Default 5, upstream's usual --concurrent-...-syncs. */
  readonly workers?: number;
  /**
   * Receives a key, never an event. Throwing means "retry with backoff"; `requeueAfterMs` means "look again then".
   * The signal aborts when the controller is stopped.
   */
  reconcile(key: string, signal: AbortSignal): Promise<Requeue | void>;
}

export interface Requeue {
  readonly requeueAfterMs: number;
}

export interface ControllerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics?: (controller: string) => WorkQueueMetrics;
}

/** Every object of the informer, under its own key. */
export const watchFor = <T extends ApiObject>(informer: Informer<T>): Source =>
  watchMapped(informer, (object) => [objectKey(object)]);

/** The controlling owners of the informer's objects, where they are of `owner`'s kind. */
export const watchOwned = <T extends ApiObject>(informer: Informer<T>, owner: ResourceType): Source =>
  watchMapped(informer, (object, before) => {
    const keys = ownerKeys(object, owner);
    return before === undefined ? keys : [...new Set([...keys, ...ownerKeys(before, owner)])];
  });

/** Whatever keys follow from a change; `before` is the state before an update. A deletion counts as a change of the last state. */
export function watchMapped<T extends ApiObject>(
  informer: Informer<T>,
  keys: (object: Stored<T>, before?: Stored<T>) => readonly string[],
): Source {
  return {
    name: informer.type.plural,
    synced: informer.synced,
    get hasSynced() {
      return informer.hasSynced;
    },
    start: (enqueue) =>
      informer.addHandler({
        added: (object) => keys(object).forEach(enqueue),
        updated: (object, before) => keys(object, before).forEach(enqueue),
        deleted: (object) => keys(object).forEach(enqueue),
      }),
  };
}

function ownerKeys(object: ApiObject, owner: ResourceType): readonly string[] {
  const reference = controllerOf(object);
  if (reference === undefined || reference.kind !== owner.kind || groupOf(reference.apiVersion) !== owner.group) return [];
  return [object.metadata.namespace === undefined ? reference.name : `${object.metadata.namespace}/${reference.name}`];
}

const groupOf = (apiVersion: string): string => (apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "");

/** Workers begin once every source has synced. Disposing waits for the reconciles under way. */
export function runController(controller: Controller, deps: ControllerDeps): Running {
  const log = deps.log.child({ controller: controller.name });
  const queue = new WorkQueue({ clock: deps.clock, metrics: deps.metrics?.(controller.name) });
  const stop = new AbortController();
  const handlers = controller.sources.map((source) =>
    source.start((key) => {
      log.debug("heard of a change", { source: source.name, key });
      queue.add(key);
    }),
  );
  const workers = Promise.all(controller.sources.map((source) => source.synced)).then(() =>
    Promise.all(Array.from({ length: controller.workers ?? 5 }, () => work(controller, queue, log, stop.signal))),
  );
  return {
    ready: () => {
      const missing = controller.sources.find((source) => !source.hasSynced);
      return missing === undefined ? undefined : `${controller.name} waits for its first list of ${missing.name}`;
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort(new Error(`${controller.name} is being stopped`));
      for (const handler of handlers) handler[Symbol.dispose]();
      queue[Symbol.dispose]();
      if (controller.sources.every((source) => source.hasSynced)) await workers;
    },
  };
}

async function work(controller: Controller, queue: WorkQueue, log: Log, signal: AbortSignal): Promise<void> {
  for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
    await turn();
    try {
      const result = await controller.reconcile(key, signal);
      queue.forget(key);
      if (result !== undefined) queue.addAfter(key, result.requeueAfterMs);
    } catch (error) {
      if (!signal.aborted) {
        queue.retry(key);
        // A conflict, or an object that is gone, says that our copy was old; the event that corrects it is on its way.
        if (isConflict(error) || isNotFound(error))
          log.debug("reconcile acted on an old copy, trying again", { key, error: String(error) });
        else log.warn("reconcile failed, trying again", { key, error: String(error), retries: queue.retries(key) });
      }
    } finally {
      queue.done(key);
    }
  }
}

/** Lets the events of this turn come in first, so that one reconcile answers them all. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
