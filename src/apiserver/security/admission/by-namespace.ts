// The objects of a kind by namespace, kept from the reader's changes: plugins ask for each write, and nearly always the answer is "none".
import type { ApiObject, ResourceType, Stored } from "#api";
import type { ObjectReader } from "../../contract.ts";

export interface ByNamespace<T extends ApiObject> extends Disposable {
  /** In the order of their names. */
  of(namespace: string): readonly Stored<T>[];
}

export function byNamespace<T extends ApiObject>(reader: ObjectReader, type: ResourceType<T>): ByNamespace<T> {
  const lists = new Map<string, readonly Stored<T>[]>();
  const put = (object: Stored<T>, isGone: boolean): void => {
    const namespace = object.metadata.namespace ?? "";
    const others = (lists.get(namespace) ?? []).filter((each) => each.metadata.name !== object.metadata.name);
    const list = isGone ? others : [...others, object].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    if (list.length === 0) lists.delete(namespace);
    else lists.set(namespace, list);
  };
  for (const object of reader.list(type)) put(object, false);
  const subscription = reader.onChange(type, (object, event) => put(object as Stored<T>, event === "DELETED")); // the type asked for
  return { of: (namespace) => lists.get(namespace) ?? [], [Symbol.dispose]: () => subscription[Symbol.dispose]() };
}
