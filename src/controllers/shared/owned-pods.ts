// The pods of one kind of owner: whom a change of a pod concerns, and creating and deleting pods so that nothing is done twice.
import {
  type ApiObject,
  isNotFound,
  type ObjectReference,
  objectKey,
  type Pod,
  pods as podType,
  type Selector,
  type Stored,
  selectorMatches,
} from "#api";
import { type Client, controllerOf, type EventRecorder, type Informer, isControlledBy, type Source, watchMapped } from "#client";
import { isNamespaceTerminating, OwnWrites, wasRefused } from "./own-writes.ts";

/** What an event says of a pod that was (or, with `error`, could not be) created or deleted. */
export type PodWords = (done: "create" | "delete", pod: string, owner: string, error?: string) => string;

/** Upstream's pod control, which most controllers use. */
const usualWords: PodWords = (done, pod, _, error) =>
  error === undefined
    ? `${done === "create" ? "Created" : "Deleted"} pod: ${pod}`
    : `Error ${done === "create" ? "creating" : "deleting"}: ${error}`;

export interface PodWritesOptions {
  readonly informer: Informer<Pod>;
  readonly client: Client;
  readonly events: EventRecorder;
  readonly words?: PodWords;
}

export class PodWrites extends OwnWrites<Pod> {
  readonly #client: Client;
  readonly #events: EventRecorder;
  readonly #words: PodWords;

  constructor({ informer, client, events, words = usualWords }: PodWritesOptions) {
    super({ informer, client, type: podType });
    this.#client = client;
    this.#events = events;
    this.#words = words;
  }

  /** The cached pods of a key as they will be: what was deleted, and is not shown so yet, is terminating. */
  split(
    key: string,
    pods: readonly Stored<Pod>[],
  ): { readonly living: readonly Stored<Pod>[]; readonly leaving: readonly Stored<Pod>[] } {
    const { living, dying } = this.living(key, pods);
    const leaving = dying.map((pod) => ({
      ...pod,
      metadata: { ...pod.metadata, deletionTimestamp: pod.metadata.creationTimestamp },
    }));
    return { living, leaving };
  }

  /** Throws when the pod was not created; an event has said so, except of a namespace that is being deleted. */
  async create(key: string, pod: Pod, about: ObjectReference, signal: AbortSignal): Promise<void> {
    try {
      const created = await this.#client.create(podType, pod, { signal });
      this.wrote(key, created);
      this.#tell("create", created.metadata.name, about);
    } catch (error) {
      if (!wasRefused(error)) this.unsure(key);
      if (!isNamespaceTerminating(error)) this.#tell("create", pod.metadata.name ?? "", about, error);
      throw error;
    }
  }

  /** Deletes this very pod, not one that has its name since. */
  async remove(key: string, pod: Stored<Pod>, about: ObjectReference, signal: AbortSignal): Promise<void> {
    const { namespace, name, uid } = pod.metadata;
    this.deleted(key, uid);
    try {
      await this.#client.delete(podType, { namespace, name }, { preconditions: { uid }, signal });
      this.#tell("delete", name, about);
    } catch (error) {
      if (isNotFound(error)) return;
      if (wasRefused(error)) this.notDeleted(key, uid);
      else this.unsure(key);
      this.#tell("delete", name, about, error);
      throw error;
    }
  }

  #tell(done: "create" | "delete", pod: string, about: ObjectReference, error?: unknown): void {
    const what = done === "create" ? "Create" : "Delete";
    const failure = error === undefined ? undefined : error instanceof Error ? error.message : String(error);
    this.#events.event(about, {
      type: failure === undefined ? "Normal" : "Warning",
      reason: failure === undefined ? `Successful${what}` : `Failed${what}`,
      message: this.#words(done, pod, about.name ?? "", failure),
    });
  }
}

/** Keys of the owners that a pod concerns: the one that controls it; of an orphan, each that might adopt it. */
export const ownersOfPods =
  <T extends ApiObject>(owners: Informer<T>, selectorOf: (owner: T) => Selector) =>
  (pod: Stored<Pod>): readonly string[] => {
    const controller = controllerOf(pod);
    const namespace = pod.metadata.namespace ?? "";
    if (controller !== undefined) {
      const owner = owners.get(`${namespace}/${controller.name}`);
      return owner !== undefined && isControlledBy(pod, owner) ? [objectKey(owner)] : [];
    }
    if (pod.metadata.labels === undefined || pod.metadata.deletionTimestamp !== undefined) return [];
    return owners
      .list(namespace)
      .filter((owner) => selectorMatches(selectorOf(owner), pod.metadata.labels))
      .map(objectKey);
  };

/** A change concerns the owners of the pod as it is and as it was. */
export const watchPods = (pods: Informer<Pod>, ownersOf: (pod: Stored<Pod>) => readonly string[]): Source =>
  watchMapped(pods, (pod, before) => [...new Set([...ownersOf(pod), ...(before === undefined ? [] : ownersOf(before))])]);
