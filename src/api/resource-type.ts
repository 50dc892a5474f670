// What names a resource, and what every object has.
import type { ObjectMeta } from "./types/mod.ts";

export interface SubresourceType {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly verbs: readonly string[];
}

/** A resource: where it is served and what its objects are. The type parameter is the object's type. */
export interface ResourceType<T extends ApiObject = ApiObject> {
  /** "" for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly string[];
  readonly subresources: Readonly<Record<string, SubresourceType>>;
  /** Never set: it ties the constant to its object type. */
  readonly object?: T;
}

/** What every API object has. `metadata` may lack what the server sets. */
export interface ApiObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
}

/** An object as the server returned it. */
export type Stored<T extends ApiObject> = T & {
  readonly metadata: ObjectMeta & {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly creationTimestamp: string;
  };
};

/** "apps/v1", or "v1" for the core group. */
export const apiVersionOf = (type: { readonly group: string; readonly version: string }): string =>
  type.group === "" ? type.version : `${type.group}/${type.version}`;

/** "default/web", or "web" for an object without a namespace: the key of queues and caches. */
export const objectKey = (object: ApiObject): string =>
  object.metadata.namespace === undefined
    ? (object.metadata.name ?? "")
    : `${object.metadata.namespace}/${object.metadata.name ?? ""}`;
