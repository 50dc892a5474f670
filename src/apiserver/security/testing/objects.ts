// A small world of objects for tests: reader and writer over one map, changes told at once as the watch caches do.
import { type ApiObject, alreadyExists, notFound, type ResourceType, type Stored } from "#api";
import type { ObjectRef } from "#client";
import type { AdmissionContext, ObjectReader, ObjectWriter } from "../../contract.ts";

type Listener = (object: Stored<ApiObject>, event: "ADDED" | "MODIFIED" | "DELETED") => void;

export class FakeObjects implements ObjectReader, ObjectWriter {
  readonly #objects = new Map<string, Map<string, Stored<ApiObject>>>();
  readonly #listeners = new Map<string, Set<Listener>>();
  #revision = 0;
  /** How many writes there were. */
  writes = 0;

  /** Creates or replaces, whole or in part as the test needs it; uid and resourceVersion are made up unless given. */
  put<T extends ApiObject>(type: ResourceType<T>, object: Partial<T> & ApiObject): Stored<T> {
    const key = keyOf(object.metadata);
    const before = this.#of(type).get(key);
    this.#revision++;
    const metadata = {
      uid: before?.metadata.uid ?? `uid-${this.#revision}`,
      creationTimestamp: before?.metadata.creationTimestamp ?? "2026-01-01T00:00:00Z",
      name: "",
      ...object.metadata,
      resourceVersion: String(this.#revision),
    };
    const stored = { ...object, metadata } as unknown as Stored<T>; // has what Stored asks for
    this.#of(type).set(key, stored);
    this.#tell(type, stored, before === undefined ? "ADDED" : "MODIFIED");
    return stored;
  }

  get<T extends ApiObject>(type: ResourceType<T>, ref: ObjectRef): Stored<T> | undefined {
    return this.#of(type).get(keyOf(ref)) as Stored<T> | undefined; // put by type
  }

  list<T extends ApiObject>(type: ResourceType<T>, namespace?: string): readonly Stored<T>[] {
    const all = [...this.#of(type).values()] as Stored<T>[]; // put by type
    return namespace === undefined ? all : all.filter((object) => object.metadata.namespace === namespace);
  }

  onChange(type: ResourceType, changed: Listener): Disposable {
    const listeners = this.#listeners.get(type.plural) ?? new Set();
    this.#listeners.set(type.plural, listeners.add(changed));
    return { [Symbol.dispose]: () => void listeners.delete(changed) };
  }

  async createMissing(items: readonly { readonly type: ResourceType; readonly object: ApiObject }[]): Promise<void> {
    for (const { type, object } of items) {
      if (this.#of(type).has(keyOf(object.metadata))) continue;
      this.writes++;
      this.put(type, object);
    }
  }

  async create<T extends ApiObject>(type: ResourceType<T>, object: T): Promise<Stored<T>> {
    await Promise.resolve();
    if (this.#of(type).has(keyOf(object.metadata))) throw alreadyExists(type, object.metadata.name ?? "");
    this.writes++;
    return this.put(type, object);
  }

  async update<T extends ApiObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    change: (current: Stored<T>) => T | undefined,
  ): Promise<Stored<T>> {
    await Promise.resolve();
    const current = this.get(type, ref);
    if (current === undefined) throw notFound(type, ref.name);
    const next = change(current);
    if (next === undefined) return current;
    this.writes++;
    return this.put(type, next);
  }

  async remove(type: ResourceType, ref: ObjectRef): Promise<void> {
    await Promise.resolve();
    const found = this.#of(type).get(keyOf(ref));
    if (found === undefined) return;
    this.#of(type).delete(keyOf(ref));
    this.#tell(type, found, "DELETED");
  }

  #of(type: ResourceType): Map<string, Stored<ApiObject>> {
    const key = `${type.group}/${type.plural}`;
    let found = this.#objects.get(key);
    if (found === undefined) {
      found = new Map();
      this.#objects.set(key, found);
    }
    return found;
  }

  #tell(type: ResourceType, object: Stored<ApiObject>, event: "ADDED" | "MODIFIED" | "DELETED"): void {
    for (const listener of this.#listeners.get(type.plural) ?? []) listener(object, event);
  }
}

const keyOf = ({ namespace = "", name = "" }: { namespace?: string; name?: string }): string => `${namespace}/${name}`;

/** An admission context of a CREATE by an ordinary user, with what the test says instead. */
export const admissionContext = (type: ResourceType, more: Partial<AdmissionContext> = {}): AdmissionContext => ({
  operation: "CREATE",
  type,
  subresource: "",
  namespace: type.namespaced ? "default" : "",
  name: "",
  user: { name: "alice", groups: ["system:authenticated"] },
  dryRun: false,
  warn: () => {},
  ...more,
});
