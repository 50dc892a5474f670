// delete and deletecollection: preconditions, grace, garbage-collection finalizers, then the removal itself.
import { type ApiObject, conflict, type DeleteOptions, forbidden, notFound, type Status, type Stored } from "#api";
import { rfc3339 } from "#client";
import type { Entry } from "../cache/entry.ts";
import { cleanupFinalizer } from "../crd/definition-rules.ts";
import { finishDeletion, isNamespace } from "./finalize.ts";
import { withGeneration, withMeta } from "./metadata.ts";
import { unstoredEntry } from "./object-store.ts";
import { admissionContext, validateAdmission, type WriteRequest, type Writes } from "./request.ts";
import type { ServedResource } from "./resource.ts";
import { toServed, toStored } from "./resource.ts";

export interface Deletion {
  /** 200, or 202 when a caller of the old orphanDependents=false waits for a finalizer. */
  readonly code: number;
  /** What is answered: the object, or a Status when it is gone at once. */
  readonly entry?: Entry;
  readonly status?: Status;
}

const orphan = "orphan";
const foreground = "foregroundDeletion";

/** Kinds whose deletion answers the object even when it is gone at once. */
const answersObject = new Set([
  "/Namespace",
  "/Pod",
  "/PodTemplate",
  "/Service",
  "/ServiceAccount",
  "/PersistentVolume",
  "/PersistentVolumeClaim",
  "/ResourceQuota",
  "storage.k8s.io/StorageClass",
  "storage.k8s.io/CSIDriver",
  "storage.k8s.io/CSINode",
  "storage.k8s.io/CSIStorageCapacity",
  "storage.k8s.io/VolumeAttachment",
  "storage.k8s.io/VolumeAttributesClass",
  "resource.k8s.io/ResourceClaim",
  "resource.k8s.io/ResourceClaimTemplate",
  "resource.k8s.io/DeviceClass",
  "resource.k8s.io/ResourceSlice",
]);

const kindKey = (resource: ServedResource): string => `${resource.type.group}/${resource.type.kind}`;

export async function remove(writes: Writes, request: WriteRequest, options: DeleteOptions): Promise<Deletion> {
  const { resource, namespace, name } = request;
  let existing = writes.objects.current(resource, namespace, name);
  let admitted = false;
  for (;;) {
    if (existing === undefined) throw notFound(resource.type, name);
    const old = toServed(resource, existing.parse());
    checkPreconditions(resource, old, options);
    if (!admitted) {
      const context = admissionContext(request, "DELETE", name, old);
      await validateAdmission(writes, undefined, context);
      admitted = true;
    }
    const done = await tryRemove(writes, request, existing, options);
    if (done !== undefined) return done;
    existing = await writes.objects.latest(resource, namespace, name);
  }
}

function checkPreconditions(resource: ServedResource, old: Stored<ApiObject>, options: DeleteOptions): void {
  const { preconditions } = options;
  if (preconditions === undefined || preconditions === null) return;
  const { uid, resourceVersion } = preconditions;
  const { group, kind } = resource.storedType;
  const kindName = { group, plural: isNamespace(resource) ? resource.type.plural : kind };
  if (uid !== undefined && uid !== old.metadata.uid) {
    throw conflict(
      kindName,
      old.metadata.name,
      `the UID in the precondition (${uid}) does not match the UID in record (${old.metadata.uid}). The object might have been deleted and then recreated`,
    );
  }
  if (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion) {
    throw conflict(
      kindName,
      old.metadata.name,
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${old.metadata.resourceVersion}). The object might have been modified`,
    );
  }
}

/** Undefined: somebody else was faster. */
async function tryRemove(
  writes: Writes,
  request: WriteRequest,
  existing: Entry,
  options: DeleteOptions,
): Promise<Deletion | undefined> {
  const { resource } = request;
  const { dryRun } = request.options;
  const nowMs = writes.clock.now();
  const old = toServed(resource, existing.parse());
  if (isNamespace(resource)) return await removeNamespace(writes, request, existing, old, options, rfc3339(nowMs));

  const grace = gracefulDeletion(resource, old, options, nowMs);
  if (grace.kind === "already") return answer(resource, existing);
  let next: ApiObject = grace.kind === "graceful" ? grace.object : old;
  const finalizers = finalizersOf(resource, old, options);
  const finalizersChanged = finalizers.join() !== (old.metadata.finalizers ?? []).join();
  if (finalizersChanged) next = withMeta(next, { finalizers: finalizers.length === 0 ? undefined : finalizers });
  const held = finalizers.length > 0;
  if (grace.kind !== "graceful" && held && next.metadata.deletionTimestamp === undefined)
    next = markDeleting(next, rfc3339(nowMs));
  const changed = next !== old;
  let current = existing;
  if (changed && (grace.kind === "graceful" || held || finalizersChanged)) {
    if (held || (grace.kind === "graceful" && grace.seconds > 0)) {
      if (dryRun) return answer(resource, unstoredEntry(toStored(resource, next)), options, held);
      const stored = await writes.objects.replace(resource, existing, toStored(resource, next));
      return stored === undefined ? undefined : answer(resource, stored, options, held);
    }
    if (grace.kind === "graceful") {
      const stored = dryRun
        ? unstoredEntry(toStored(resource, next))
        : await writes.objects.replace(resource, existing, toStored(resource, next));
      if (stored === undefined) return undefined;
      current = stored;
    }
  } else if (held) return answer(resource, existing, options, true);
  if (!dryRun) {
    const gone = await finishDeletion(writes, resource, current);
    if (gone === undefined) return current === existing ? undefined : gonePlain(resource, current);
    return gonePlain(resource, gone);
  }
  return gonePlain(resource, current);
}

function gonePlain(resource: ServedResource, entry: Entry): Deletion {
  if (answersObject.has(kindKey(resource))) return { code: 200, entry };
  return { code: 200, status: deletedStatus(resource, entry) };
}

const deletedStatus = (resource: ServedResource, entry: Entry): Status => ({
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Success",
  details: {
    name: entry.sidecar.name,
    ...(resource.storedType.group === "" ? {} : { group: resource.storedType.group }),
    kind: resource.type.plural,
    uid: entry.sidecar.uid,
  },
});

function answer(_resource: ServedResource, entry: Entry, options?: DeleteOptions, held = false): Deletion {
  return { code: held && options?.orphanDependents === false ? 202 : 200, entry };
}

function markDeleting(object: ApiObject, time: string): ApiObject {
  const marked = withMeta(object, { deletionTimestamp: time, deletionGracePeriodSeconds: 0 });
  const { generation = 0 } = object.metadata;
  return generation > 0 ? withGeneration(marked, generation + 1) : marked;
}

type Grace =
  | { readonly kind: "none" }
  | { readonly kind: "already" }
  | { readonly kind: "graceful"; readonly object: ApiObject; readonly seconds: number };

interface PodLike {
  readonly spec?: { readonly nodeName?: string; readonly terminationGracePeriodSeconds?: number };
  readonly status?: { readonly phase?: string };
}

/** Pods alone are deleted with grace. */
function gracefulDeletion(resource: ServedResource, old: Stored<ApiObject>, options: DeleteOptions, nowMs: number): Grace {
  if (kindKey(resource) !== "/Pod") return { kind: "none" };
  const { deletionTimestamp, deletionGracePeriodSeconds, generation = 0 } = old.metadata;
  if (deletionTimestamp !== undefined) {
    if (deletionGracePeriodSeconds === undefined) return { kind: "none" };
    const wanted = options.gracePeriodSeconds;
    if (wanted === undefined || wanted === null || wanted >= deletionGracePeriodSeconds) {
      return deletionGracePeriodSeconds === 0 ? { kind: "none" } : { kind: "already" };
    }
    const seconds = Math.max(wanted, wanted < 0 ? 1 : 0);
    const time = rfc3339(Date.parse(deletionTimestamp) + (seconds - deletionGracePeriodSeconds) * 1_000);
    return { kind: "graceful", seconds, object: withMeta(old, { deletionTimestamp: time, deletionGracePeriodSeconds: seconds }) };
  }
  const { spec, status } = old as PodLike;
  let seconds = options.gracePeriodSeconds ?? spec?.terminationGracePeriodSeconds ?? 0;
  if ((spec?.nodeName ?? "") === "" || status?.phase === "Failed" || status?.phase === "Succeeded") seconds = 0;
  if (seconds < 0) seconds = 1;
  const object = withMeta(old, { deletionTimestamp: rfc3339(nowMs + seconds * 1_000), deletionGracePeriodSeconds: seconds });
  return { kind: "graceful", seconds, object: generation > 0 ? withGeneration(object, generation + 1) : object };
}

/** The finalizers that the propagation policy asks for. */
function finalizersOf(resource: ServedResource, old: ApiObject, options: DeleteOptions): string[] {
  const key = kindKey(resource);
  const own = old.metadata.finalizers ?? [];
  const cleansUp =
    key === "apiextensions.k8s.io/CustomResourceDefinition" &&
    old.metadata.deletionTimestamp === undefined &&
    !own.includes(cleanupFinalizer);
  const existing = cleansUp ? [...own, cleanupFinalizer] : own;
  if (key === "/Event" || key === "events.k8s.io/Event") return [...existing];
  const { orphanDependents, propagationPolicy } = options;
  let wantsOrphan: boolean;
  let wantsForeground = false;
  if (orphanDependents !== undefined && orphanDependents !== null) wantsOrphan = orphanDependents;
  else if (propagationPolicy !== undefined && propagationPolicy !== null) {
    wantsOrphan = propagationPolicy === "Orphan";
    wantsForeground = propagationPolicy === "Foreground";
  } else if (existing.includes(orphan)) wantsOrphan = true;
  else if (existing.includes(foreground)) [wantsOrphan, wantsForeground] = [false, true];
  else wantsOrphan = key === "batch/Job" || key === "/ReplicationController";
  const kept = existing.filter((name) => name !== orphan && name !== foreground);
  if (wantsOrphan === existing.includes(orphan) && wantsForeground === existing.includes(foreground)) return [...existing];
  return [...kept, ...(wantsOrphan ? [orphan] : []), ...(wantsForeground ? [foreground] : [])];
}

interface NamespaceLike extends ApiObject {
  readonly spec?: { readonly finalizers?: readonly string[] };
  readonly status?: { readonly phase?: string };
}

/** A namespace is marked as terminating and goes when both its lists of finalizers are empty. */
async function removeNamespace(
  writes: Writes,
  request: WriteRequest,
  existing: Entry,
  old: Stored<ApiObject>,
  options: DeleteOptions,
  time: string,
): Promise<Deletion | undefined> {
  const { resource, name } = request;
  if (protectedNamespaces.has(name)) throw forbidden(resource.type, name, "this namespace may not be deleted");
  const namespace = old as NamespaceLike & Stored<ApiObject>;
  const finalizers = finalizersOf(resource, old, options);
  const isMarked = namespace.metadata.deletionTimestamp !== undefined;
  // a first deletion only marks it, also when nothing holds it: what it contains must go first
  if (isMarked && (namespace.spec?.finalizers ?? []).length === 0 && finalizers.length === 0) {
    const gone = request.options.dryRun ? existing : await finishDeletion(writes, resource, existing);
    return gone === undefined ? undefined : { code: 200, entry: gone };
  }
  if (isMarked && namespace.status?.phase === "Terminating" && finalizers.join() === (old.metadata.finalizers ?? []).join()) {
    return { code: 200, entry: existing };
  }
  const { deletionGracePeriodSeconds: _none, ...metadata } = {
    ...namespace.metadata,
    deletionTimestamp: namespace.metadata.deletionTimestamp ?? time,
  };
  const marked: NamespaceLike = withMeta(
    { ...namespace, metadata, status: { ...namespace.status, phase: "Terminating" } } as NamespaceLike,
    { finalizers: finalizers.length === 0 ? undefined : finalizers },
  );
  if (request.options.dryRun) return { code: 200, entry: unstoredEntry(marked) };
  const stored = await writes.objects.replace(resource, existing, marked);
  return stored === undefined ? undefined : { code: 200, entry: stored };
}

const protectedNamespaces = new Set(["default", "kube-system", "kube-public"]);
