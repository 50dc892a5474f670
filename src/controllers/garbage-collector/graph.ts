// Who owns whom, by uid, kept up to date from events: pure data, no I/O.
import type { ApiObject, OwnerReference, ResourceType, Stored } from "#api";

export const foregroundFinalizer = "foregroundDeletion";
export const orphanFinalizer = "orphan";

export interface GraphNode {
  readonly uid: string;
  /** Undefined while nobody has seen the object: it is only known from references to it. */
  readonly seen: Seen | undefined;
  /** Uids of the objects that refer to this one. */
  readonly dependents: ReadonlySet<string>;
}

export interface Seen {
  readonly type: ResourceType;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly owners: readonly OwnerReference[];
  readonly deleting: boolean;
  /** Being deleted in the foreground: waits for its dependents. */
  readonly waitsForDependents: boolean;
  /** Being deleted and its dependents are to stay. */
  readonly orphansDependents: boolean;
}

interface MutableNode {
  readonly uid: string;
  seen: Seen | undefined;
  readonly dependents: Set<string>;
}

export class OwnerGraph {
  readonly #nodes = new Map<string, MutableNode>();

  get size(): number {
    return this.#nodes.size;
  }

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  uids(): readonly string[] {
    return [...this.#nodes.keys()];
  }

  /** Takes in an object's present state. Returns the uids that should be looked at because of the change. */
  see(type: ResourceType, object: Stored<ApiObject>): readonly string[] {
    const { uid, namespace, name, ownerReferences = [], deletionTimestamp, finalizers = [] } = object.metadata;
    const node = this.#nodeOf(uid);
    const before = node.seen;
    const deleting = deletionTimestamp !== undefined;
    const now: Seen = {
      type,
      namespace,
      name,
      owners: ownerReferences,
      deleting,
      waitsForDependents: deleting && finalizers.includes(foregroundFinalizer),
      orphansDependents: deleting && finalizers.includes(orphanFinalizer),
    };
    node.seen = now;
    const look = new Set<string>();
    for (const { uid: owner } of before?.owners ?? []) {
      if (ownerReferences.some((reference) => reference.uid === owner)) continue;
      this.#detach(owner, uid);
      if (this.#nodes.get(owner)?.seen?.waitsForDependents === true) look.add(owner);
    }
    for (const reference of ownerReferences) {
      const owner = this.#nodeOf(reference.uid);
      owner.dependents.add(uid);
      if (owner.seen === undefined) look.add(reference.uid);
      else if (owner.seen.waitsForDependents) {
        look.add(uid);
        look.add(reference.uid);
      }
    }
    // References that changed may leave nothing but owners that are gone.
    if (
      before !== undefined &&
      before.owners !== ownerReferences &&
      JSON.stringify(before.owners) !== JSON.stringify(ownerReferences)
    )
      look.add(uid);
    if (now.waitsForDependents && before?.waitsForDependents !== true)
      for (const dependent of node.dependents) look.add(dependent);
    if (now.waitsForDependents || now.orphansDependents) look.add(uid);
    return [...look];
  }

  /** The object is gone. Returns its dependents, and owners that waited for it. */
  remove(uid: string): readonly string[] {
    const node = this.#nodes.get(uid);
    if (node === undefined) return [];
    const look: string[] = [...node.dependents];
    for (const { uid: owner } of node.seen?.owners ?? []) {
      this.#detach(owner, uid);
      if (this.#nodes.get(owner)?.seen?.waitsForDependents === true) look.push(owner);
    }
    node.seen = undefined;
    if (node.dependents.size === 0) this.#nodes.delete(uid);
    return look;
  }

  /** Forgets all objects of a resource that is no longer served. */
  removeType(type: ResourceType): void {
    for (const [uid, { seen }] of [...this.#nodes]) if (seen?.type === type) this.remove(uid);
  }

  #nodeOf(uid: string): MutableNode {
    let node = this.#nodes.get(uid);
    if (node === undefined) {
      node = { uid, seen: undefined, dependents: new Set() };
      this.#nodes.set(uid, node);
    }
    return node;
  }

  #detach(owner: string, dependent: string): void {
    const node = this.#nodes.get(owner);
    node?.dependents.delete(dependent);
    if (node !== undefined && node.seen === undefined && node.dependents.size === 0) this.#nodes.delete(owner);
  }
}
