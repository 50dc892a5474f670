// create: admission, system fields, the kind's preparation and validation, one compare-and-set.
import {
  ApiError,
  type ApiObject,
  alreadyExists,
  apiError,
  apiVersionOf,
  invalid,
  isAlreadyExists,
  updateManagedFields,
} from "#api";
import { rfc3339 } from "#client";
import type { Entry } from "../cache/entry.ts";
import {
  dedupeOwners,
  newMeta,
  ownedByCreator,
  placeInNamespace,
  withGeneration,
  withMeta,
  withOwnership,
  withStatus,
} from "./metadata.ts";
import { unstoredEntry } from "./object-store.ts";
import { admissionContext, admit, managerOf, validateAdmission, type WriteRequest, type Writes } from "./request.ts";
import { toStored } from "./resource.ts";

const generateNameTries = 8;

/** `object` is decoded and defaulted, in the served version. */
export async function create(writes: Writes, request: WriteRequest, object: ApiObject): Promise<Entry> {
  const { resource, options } = request;
  const { type, strategy } = resource;
  const time = rfc3339(writes.clock.now());
  const placed = withMeta(dedupeOwners(placeInNamespace(object, type.namespaced, request.namespace), request.warn), {
    deletionTimestamp: undefined,
    deletionGracePeriodSeconds: undefined,
  });
  const managed = withOwnership(placed, ownedByCreator(strategy.rules, placed), (next) =>
    updateManagedFields({
      live: undefined,
      next,
      manager: managerOf(options, request.userAgent),
      subresource: "",
      apiVersion: apiVersionOf(type),
      time,
      schema: strategy.schema,
    }),
  );
  const context = admissionContext(request, "CREATE", managed.metadata.name ?? "");
  const admitted = dedupeOwners(await admit(writes, managed, context), request.warn, true);
  return await createAdmitted(writes, request, admitted, time);
}

/** The rest of a creation, also of one by PUT or apply, once mutating admission has passed. */
export async function createAdmitted(writes: Writes, request: WriteRequest, admitted: ApiObject, time: string): Promise<Entry> {
  const generated = (admitted.metadata.name ?? "") === "" && (admitted.metadata.generateName ?? "") !== "";
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryCreate(writes, request, admitted, time);
    } catch (error) {
      if (!generated || !isAlreadyExists(error)) throw error;
      if (attempt === generateNameTries) throw exhausted(error as ApiError);
    }
  }
}

async function tryCreate(writes: Writes, request: WriteRequest, admitted: ApiObject, time: string): Promise<Entry> {
  const { resource, options } = request;
  const { type, strategy } = resource;
  const { rules } = strategy;
  let next = newMeta(admitted, writes.random, time);
  for (const warning of rules.warningsFirst?.(next) ?? []) request.warn(warning);
  next = rules.prepareForCreate?.(next) ?? next;
  if (rules.generation) next = withGeneration(next, 1);
  next = withStatus(next, strategy.emptyStatus);
  const name = next.metadata.name ?? "";
  const errors = rules.validate?.(next) ?? [];
  if (errors.length > 0) throw invalid(resource.storedType, name, errors);
  for (const warning of rules.warnings?.(next, undefined) ?? []) request.warn(warning);

  const allocation =
    type.group === "" && type.kind === "Service"
      ? await writes.security()?.allocateService(next, undefined, options.dryRun)
      : undefined;
  try {
    if (allocation !== undefined) next = allocation.object;
    await validateAdmission(writes, next, admissionContext(request, "CREATE", name));
    if (Number(next.metadata.resourceVersion ?? 0) > 0)
      throw apiError("", "resourceVersion should not be set on objects to be created");
    // A Job without labels takes those of its template, which the server has made: upstream as it reads what it has stored.
    if (type.kind === "Job" && type.group === "batch") next = rules.default?.(next) ?? next;
    const stored = toStored(resource, withMeta(next, { resourceVersion: undefined }));
    if (options.dryRun) {
      if (writes.objects.current(resource, next.metadata.namespace ?? "", name) !== undefined) throw alreadyExists(type, name);
      await allocation?.release();
      return unstoredEntry(stored);
    }
    const entry = await writes.objects.create(resource, stored);
    await allocation?.commit();
    return entry;
  } catch (error) {
    await allocation?.release();
    throw isAlreadyExists(error) ? explained(error as ApiError, writes, request, next) : error;
  }
}

/** Says so when the object that is in the way is on its way out. */
function explained(error: ApiError, writes: Writes, request: WriteRequest, next: ApiObject): ApiError {
  const existing = writes.objects.current(request.resource, next.metadata.namespace ?? "", next.metadata.name ?? "");
  if (existing === undefined || existing.parse().metadata.deletionTimestamp === undefined) return error;
  return new ApiError({ ...error.status, message: `object is being deleted: ${error.message}` });
}

function exhausted(error: ApiError): ApiError {
  return new ApiError({
    ...error.status,
    message: `${error.message}, the server was not able to generate a unique name for the object`,
    details: { ...error.status.details, retryAfterSeconds: 1 },
  });
}
