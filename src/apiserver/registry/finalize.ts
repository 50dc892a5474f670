// When an object may really go: no finalizers left, its grace over.
import type { ApiObject } from "#api";
import type { Entry } from "../cache/entry.ts";
import type { Writes } from "./request.ts";
import type { ServedResource } from "./resource.ts";

/** Whether an update leaves nothing that holds a dying object. */
export function isReadyToGo(resource: ServedResource, object: ApiObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata;
  if (deletionTimestamp === undefined || (finalizers ?? []).length > 0 || (deletionGracePeriodSeconds ?? 0) > 0) return false;
  if (isNamespace(resource))
    return ((object as { spec?: { finalizers?: readonly string[] } }).spec?.finalizers ?? []).length === 0;
  return true;
}

export const isNamespace = (resource: ServedResource): boolean =>
  resource.type.group === "" && resource.type.kind === "Namespace";

/** Removes it; the last stored state is returned. Undefined: it has changed meanwhile. */
export async function finishDeletion(writes: Writes, resource: ServedResource, existing: Entry): Promise<Entry | undefined> {
  const revision = await writes.objects.remove(existing);
  if (revision === undefined) return undefined;
  if (resource.type.group === "" && resource.type.kind === "Service") await writes.security()?.releaseService(existing.parse());
  return resource.cache.entryGone(existing, revision);
}
