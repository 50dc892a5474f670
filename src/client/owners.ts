// Owner references: who controls an object, and how to say so.
import { type ApiObject, apiVersionOf, type OwnerReference, type ResourceType, type Stored } from "#api";

/** The owner reference with `controller: true`, of which an object has at most one. */
export const controllerOf = (object: ApiObject): OwnerReference | undefined =>
  object.metadata.ownerReferences?.find((reference) => reference.controller === true);

export const isControlledBy = (object: ApiObject, owner: Stored<ApiObject>): boolean =>
  controllerOf(object)?.uid === owner.metadata.uid;

/** The reference a controller puts on what it creates. */
export const controllerReference = <T extends ApiObject>(type: ResourceType<T>, owner: Stored<T>): OwnerReference => ({
  apiVersion: apiVersionOf(type),
  kind: type.kind,
  name: owner.metadata.name,
  uid: owner.metadata.uid,
  controller: true,
  blockOwnerDeletion: true,
});
