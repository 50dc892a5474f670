// A served resource: a built-in kind or a custom one, its place in the store and its cache.
import type { ApiObject, ResourceType, SharedValues } from "#api";
import type { ResourceCache } from "../cache/resource-cache.ts";
import type { TableKind } from "../tables/table.ts";
import type { SelectableFields } from "./selectable-fields.ts";
import type { Strategy } from "./strategy.ts";

export interface ServedResource {
  /** As it is served: group, version, kind. */
  readonly type: ResourceType;
  /** As it is stored: another version of the same kind for HorizontalPodAutoscaler v1 and events.k8s.io Events. */
  readonly storedType: ResourceType;
  readonly cache: ResourceCache;
  readonly strategy: Strategy;
  readonly fields: SelectableFields;
  /** Between the served and the stored version; absent when they are the same. */
  readonly convert?: { readonly toStored: (object: ApiObject) => ApiObject; readonly toServed: (object: ApiObject) => ApiObject };
  /** Table columns of a custom resource; built-in kinds have theirs in tables/columns.ts. */
  readonly table?: TableKind;
  /** Where a custom resource keeps what its Scale says. */
  readonly scale?: {
    readonly specReplicasPath: string;
    readonly statusReplicasPath: string;
    readonly labelSelectorPath?: string;
  };
  /** Where the kind has `sharedSpec`. */
  readonly specs?: SharedValues;
  /** Told in a Warning with every answer. */
  readonly deprecation?: string;
  /** True for resources that a CustomResourceDefinition serves. */
  readonly custom: boolean;
}

export const toStored = (resource: ServedResource, object: ApiObject): ApiObject => resource.convert?.toStored(object) ?? object;
export const toServed = <T extends ApiObject>(resource: ServedResource, object: T): T =>
  (resource.convert?.toServed(object) as T | undefined) ?? object;
