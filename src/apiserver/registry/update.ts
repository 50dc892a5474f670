// update: read, change, check, compare-and-set; again when somebody else was faster and the caller did not insist on a revision.
import {
  type ApiObject,
  apiError,
  apiVersionOf,
  conflict,
  deepEqual,
  invalid,
  invalidValue,
  notFound,
  type Stored,
  updateManagedFields,
} from "#api";
import { rfc3339 } from "#client";
import type { Entry } from "../cache/entry.ts";
import { createAdmitted } from "./create.ts";
import { finishDeletion, isReadyToGo } from "./finalize.ts";
import {
  checkName,
  dedupeOwners,
  keepSystemMeta,
  ownedByCreator,
  placeInNamespace,
  sameState,
  withGeneration,
  withMeta,
  withOwnership,
  withStatus,
} from "./metadata.ts";
import { unstoredEntry } from "./object-store.ts";
import { admissionContext, admit, managerOf, updateRules, validateAdmission, type WriteRequest, type Writes } from "./request.ts";
import { toServed, toStored } from "./resource.ts";

export interface Written {
  readonly entry: Entry;
  readonly created: boolean;
}

/** Makes the new object of the live one (both served version); the managed fields are already those of the result. */
export type Change = (live: Stored<ApiObject> | undefined, time: string) => ApiObject | Promise<ApiObject>;

export const modified = "the object has been modified; please apply your changes to the latest version and try again";

/** PUT. `object` is decoded and defaulted. */
export async function update(writes: Writes, request: WriteRequest, object: ApiObject): Promise<Written> {
  const { resource } = request;
  const placed = dedupeOwners(placeInNamespace(object, resource.type.namespaced, request.namespace), request.warn);
  checkName(placed, request.name, request.namespace);
  return await guaranteedUpdate(writes, request, (live, time) => owned(request, placed, live, time), {
    createsWhenAbsent: resource.strategy.rules.createOnUpdate && request.subresource === "",
    uidIsPrecondition: true,
  });
}

/** The object with the managed fields of a write that is no apply. */
export function owned(request: WriteRequest, next: ApiObject, live: Stored<ApiObject> | undefined, time: string): ApiObject {
  const { resource, options, subresource } = request;
  const { schema } = resource.strategy;
  return withOwnership(next, writtenPart(request, next, live), (object) =>
    updateManagedFields({
      live,
      next: object,
      manager: managerOf(options, request.userAgent),
      subresource,
      apiVersion: apiVersionOf(resource.type),
      time,
      schema,
    }),
  );
}

/** What of an object its writer comes to own: also what the kind's preparation takes back, but nothing of a status that is written elsewhere. */
function writtenPart(request: WriteRequest, next: ApiObject, live: Stored<ApiObject> | undefined): ApiObject {
  const { rules } = request.resource.strategy;
  if (live === undefined) return ownedByCreator(rules, next);
  if (request.subresource !== "" || request.special !== undefined || rules.owned !== undefined)
    return updateRules(request).prepare?.(next, live) ?? next;
  return rules.status ? ({ ...next, status: (live as { readonly status?: unknown }).status } as ApiObject) : next;
}

const maxUint64 = 18_446_744_073_709_551_615n;

interface UpdateMode {
  /** PUT of some kinds, and server-side apply. */
  readonly createsWhenAbsent: boolean;
  /** A uid in the object is a precondition (PUT, apply); otherwise changing it is a validation error. */
  readonly uidIsPrecondition?: boolean;
  readonly applies?: boolean;
}

const uidPrecondition = (key: string, wanted: string, actual: string): string =>
  `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${wanted}, UID in object meta: ${actual}`;

export async function guaranteedUpdate(
  writes: Writes,
  request: WriteRequest,
  change: Change,
  mode: UpdateMode,
): Promise<Written> {
  const { resource, name, namespace } = request;
  let existing = writes.objects.current(resource, namespace, name);
  for (;;) {
    const time = rfc3339(writes.clock.now());
    if (existing === undefined) {
      const made = await createInstead(writes, request, change, mode, time);
      return { entry: made, created: true };
    }
    const entry = await tryUpdate(writes, request, existing, change, time, mode);
    if (entry !== undefined) return { entry, created: false };
    existing = await writes.objects.latest(resource, namespace, name);
  }
}

async function createInstead(
  writes: Writes,
  request: WriteRequest,
  change: Change,
  mode: UpdateMode,
  time: string,
): Promise<Entry> {
  const { resource, name } = request;
  const wanted = mode.createsWhenAbsent ? await change(undefined, time) : undefined;
  if (wanted === undefined) throw notFound(resource.type, name);
  await request.authorize("create");
  const { uid } = wanted.metadata;
  if (uid !== undefined && uid !== "") {
    const key = writes.objects.keyOf(resource, request.namespace, name);
    throw conflict(
      resource.type,
      name,
      mode.applies === true
        ? `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`
        : uidPrecondition(key, uid, ""),
    );
  }
  const admitted = await admit(writes, wanted, admissionContext(request, "CREATE", name));
  return await createAdmitted(writes, request, withMeta(admitted, { resourceVersion: undefined }), time);
}

/** Undefined: somebody else was faster. */
async function tryUpdate(
  writes: Writes,
  request: WriteRequest,
  existing: Entry,
  change: Change,
  time: string,
  mode: UpdateMode,
): Promise<Entry | undefined> {
  const { resource, name, options, subresource } = request;
  const { type, strategy } = resource;
  const { rules } = strategy;
  const old = toServed(resource, existing.parse());
  const changed = await change(old, time);
  if (changed === old) return existing;
  const context = admissionContext(request, "UPDATE", name, old);
  const admitted = dedupeOwners(await admit(writes, changed, context), request.warn, true);
  const { uid, resourceVersion = "" } = admitted.metadata;
  if (mode.uidIsPrecondition === true && uid !== undefined && uid !== "" && uid !== old.metadata.uid) {
    throw conflict(type, name, uidPrecondition(existing.key, uid, old.metadata.uid));
  }
  if (resourceVersion === "" || resourceVersion === "0") {
    if (!rules.unconditionalUpdate)
      throw invalid({ group: type.group, kind: type.plural }, name, [
        invalidValue("metadata.resourceVersion", 0, "must be specified for an update"),
      ]);
  } else if (!/^[0-9]+$/.test(resourceVersion)) {
    throw apiError("", `strconv.ParseUint: parsing ${JSON.stringify(resourceVersion)}: invalid syntax`);
  } else if (BigInt(resourceVersion) > maxUint64) {
    throw apiError("", `strconv.ParseUint: parsing ${JSON.stringify(resourceVersion)}: value out of range`);
  } else if (resourceVersion !== old.metadata.resourceVersion) throw conflict(type, name, modified);

  const next = prepared(request, withMeta(admitted, { resourceVersion: old.metadata.resourceVersion }), old);
  const errors = updateRules(request).validate?.(next, old) ?? [];
  if (errors.length > 0) throw invalid(resource.storedType, name, errors);
  for (const warning of rules.warnings?.(next, old) ?? []) request.warn(warning);

  const allocation =
    type.group === "" && type.kind === "Service" && subresource === ""
      ? await writes.security()?.allocateService(next, old, options.dryRun)
      : undefined;
  try {
    const final = allocation?.object ?? next;
    await validateAdmission(writes, final, context);
    const entry = await store(writes, request, existing, old, final);
    if (entry === undefined || options.dryRun) await allocation?.release();
    else await allocation?.commit();
    return entry;
  } catch (error) {
    await allocation?.release();
    throw error;
  }
}

function prepared(request: WriteRequest, admitted: ApiObject, old: Stored<ApiObject>): ApiObject {
  const { rules, generationOf } = request.resource.strategy;
  let next = withGeneration(admitted, old.metadata.generation);
  next = updateRules(request).prepare?.(next, old) ?? next;
  next = withStatus(keepSystemMeta(next, old), request.resource.strategy.emptyStatus);
  if (
    rules.generation &&
    request.subresource !== "status" &&
    !deepEqual((generationOf ?? specOf)(next), (generationOf ?? specOf)(old))
  )
    next = withGeneration(next, (old.metadata.generation ?? 0) + 1);
  return next;
}

/** Kinds without a spec whose every change counts. */
const countsWhole = new Set(["PodTemplate", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]);

/** What a new generation is about. */
function specOf(object: ApiObject): unknown {
  const {
    metadata,
    kind,
    apiVersion: _apiVersion,
    status: _status,
    ...rest
  } = object as ApiObject & { readonly status?: unknown };
  const { spec } = rest as { readonly spec?: unknown };
  // A Deployment's annotations count too: its controller copies them to replica sets.
  if (kind === "Deployment") return { spec, annotations: metadata.annotations ?? {} };
  // and a slice's labels, by which proxies choose
  if (kind === "EndpointSlice") return { ...rest, labels: metadata.labels ?? {} };
  return kind !== undefined && countsWhole.has(kind) ? rest : spec;
}

async function store(
  writes: Writes,
  request: WriteRequest,
  existing: Entry,
  old: Stored<ApiObject>,
  next: ApiObject,
): Promise<Entry | undefined> {
  const { resource, options } = request;
  if (isReadyToGo(resource, next)) {
    if (options.dryRun) return unstoredEntry(toStored(resource, next));
    const gone = await finishDeletion(writes, resource, existing);
    return gone === undefined ? undefined : unstoredEntry(toStored(resource, next));
  }
  if (sameState(next, old)) return existing;
  const stored = toStored(resource, next);
  if (options.dryRun) return unstoredEntry(withMeta(stored, { resourceVersion: old.metadata.resourceVersion }));
  return await writes.objects.replace(resource, existing, stored);
}
