// Objects without a controller, by namespace: candidates for adoption.
import type { ApiObject, Stored } from "#api";
import { controllerOf, type Informer } from "#client";

export function indexOrphans<T extends ApiObject>(informer: Informer<T>): (namespace: string) => readonly Stored<T>[] {
  informer.addIndex("orphan", (object) => (controllerOf(object) === undefined ? [object.metadata.namespace ?? ""] : []));
  return (namespace) => informer.byIndex("orphan", namespace);
}
