// Stand-ins for what `api` does not export yet; each goes when the real one lands.
import type { ApiObject, ObjectSchema } from "#api";

export interface ManagedFieldsUpdate { live: ApiObject | undefined; next: ApiObject; manager: string; subresource: string; apiVersion: string; time: string; schema: ObjectSchema }
export const updateManagedFields = (update: ManagedFieldsUpdate): ApiObject => update.next;
export interface ApplyRequest { live: ApiObject | undefined; applied: ApiObject; manager: string; force: boolean; subresource: string; apiVersion: string; time: string; schema: ObjectSchema }
export const applyPatch = (request: ApplyRequest): ApiObject => request.applied;
