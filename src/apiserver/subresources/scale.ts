// scale: the number of replicas of a workload, read and written as an autoscaling/v1 Scale.
import {
  type ApiObject,
  apiVersionOf,
  applyPatch,
  fieldNames,
  internalError,
  invalid,
  invalidValue,
  labelSelector,
  objectSchema,
  type Stored,
  selectorText,
  setSelector,
  updateManagedFields,
  type WriteContext,
} from "#api";
import type { Answer } from "../answer.ts";
import { decodeObject, type ExpectedKind } from "../body.ts";
import { checkName, withMeta } from "../registry/metadata.ts";
import { absent } from "../registry/object-store.ts";
import { writeOptions } from "../registry/options.ts";
import { patchedDocument, patchType } from "../registry/patch.ts";
import { managerOf, type Writes } from "../registry/request.ts";
import { type ServedResource, toServed } from "../registry/resource.ts";
import { guaranteedUpdate } from "../registry/update.ts";
import { notAllowed, type VerbRequest, writeRequest } from "../registry/verbs.ts";
import { scaleOwners, workloadOwners } from "./scale-ownership.ts";

interface Workload extends ApiObject {
  readonly spec?: { readonly replicas?: number; readonly selector?: unknown };
  readonly status?: { readonly replicas?: number };
}

interface Scale extends ApiObject {
  readonly spec?: { readonly replicas?: number };
}

const expected = (): ExpectedKind => ({
  group: "autoscaling",
  version: "v1",
  kind: "Scale",
  schema: objectSchema("io.k8s.api.autoscaling.v1.Scale"),
  strictKind: false,
});

/** Zero and empty fields are left out, as upstream's encoder does. */
export function scaleOf(resource: ServedResource, workload: Workload, isWritten = false): object {
  if (resource.scale !== undefined) return customScale(resource.scale, workload, isWritten);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = workload.metadata;
  const replicas = workload.spec?.replicas ?? 0;
  const selector = selectorOf(resource, workload.spec?.selector);
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, ...(resourceVersion === undefined ? {} : { resourceVersion }), creationTimestamp },
    spec: replicas === 0 ? {} : { replicas },
    status: { replicas: workload.status?.replicas ?? 0, ...(selector === "" ? {} : { selector }) },
  };
}

type ScalePaths = NonNullable<ServedResource["scale"]>;

const at = (object: unknown, path: string): unknown =>
  fieldNames(path).reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined | null)?.[name], object);

/** A copy with one nested field set. */
function withValue(object: object, names: readonly string[], value: unknown): object {
  const [first = "", ...rest] = names;
  const inner = (object as Record<string, unknown>)[first];
  return {
    ...object,
    [first]: rest.length === 0 ? value : withValue(typeof inner === "object" && inner !== null ? inner : {}, rest, value),
  };
}

/** A custom resource without replicas has no scale to show, but one to write. */
function customScale(paths: ScalePaths, object: ApiObject, isWritten: boolean): object {
  const replicas = at(object, paths.specReplicasPath) ?? (isWritten ? 0 : undefined);
  if (typeof replicas !== "number")
    throw internalError(new Error(`the spec replicas field ${JSON.stringify(paths.specReplicasPath)} does not exist`));
  const selector = paths.labelSelectorPath === undefined ? "" : at(object, paths.labelSelectorPath);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const current = at(object, paths.statusReplicasPath);
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion, creationTimestamp },
    spec: replicas === 0 ? {} : { replicas },
    status: {
      replicas: typeof current === "number" ? current : 0,
      ...(typeof selector === "string" && selector !== "" ? { selector } : {}),
    },
  };
}

function selectorOf(resource: ServedResource, selector: unknown): string {
  if (selector === undefined || selector === null) return "";
  if (resource.type.kind === "ReplicationController") return selectorText(setSelector(selector as Record<string, string>));
  return selectorText(labelSelector(selector as never)).replace(/ in \(([^,)]*)\)/g, "=$1");
}

export async function scale(writes: Writes, request: VerbRequest, method: string): Promise<Answer> {
  const { resource, namespace, name } = request;
  switch (method) {
    case "GET": {
      const entry = writes.objects.current(resource, namespace, name);
      if (entry === undefined) throw absent(resource, name);
      return { kind: "object", code: 200, object: scaleOf(resource, toServed(resource, entry.parse())) };
    }
    case "PUT": {
      const options = writeOptions("UpdateOptions", request.query);
      const given = decodeObject(request.body, expected(), options.fieldValidation, request.warn) as Scale;
      checkName(given, name, namespace);
      return await write(
        writes,
        request,
        options,
        changed(() => given),
        true,
      );
    }
    case "PATCH": {
      const type = patchType(request.body.contentType, false);
      const options = writeOptions("PatchOptions", request.query, { apply: type === "apply" });
      const patched = patchedDocument(type, request.body, expected(), options, request);
      if (type === "apply") return await write(writes, request, options, applied(patched, options.force));
      const wanted = changed((current) => {
        const next = patched(current) as Scale;
        checkName(next, name, namespace);
        return next;
      });
      return await write(writes, request, options, wanted);
    }
    default:
      throw notAllowed();
  }
}

type ScaleContext = Omit<WriteContext, "live"> & { readonly live: Scale };

/** What becomes of a Scale: the new one, its managed fields with it. */
type ScaleChange = (context: ScaleContext) => Scale;

const changed =
  (wanted: (current: Scale) => Scale): ScaleChange =>
  (context) => {
    const { live } = context;
    const next = wanted(live);
    // who never applied is not tracked
    if ((live.metadata.managedFields ?? []).length === 0) return withMeta(next, { managedFields: [] });
    return updateManagedFields({ ...context, next: withMeta(next, { managedFields: live.metadata.managedFields }) });
  };

const applied =
  (wanted: (current: Scale) => ApiObject, force: boolean): ScaleChange =>
  (context) =>
    applyPatch({ ...context, applied: wanted(context.live), force }) as Scale;

async function write(
  writes: Writes,
  request: VerbRequest,
  options: ReturnType<typeof writeOptions>,
  change: ScaleChange,
  uidIsPrecondition = false,
): Promise<Answer> {
  const { resource } = request;
  const { rules } = resource.strategy;
  const special = {
    prepare: (next: ApiObject) => next,
    ...(resource.custom ? { validate: (next: ApiObject, old: ApiObject) => rules.validateUpdate?.(next, old) ?? [] } : {}),
  };
  const inner = { ...writeRequest(request, options), special };
  const path = fieldNames(resource.scale?.specReplicasPath ?? ".spec.replicas");
  const { entry } = await guaranteedUpdate(
    writes,
    inner,
    (live, time) => {
      const workload = live as Workload & Stored<ApiObject>;
      const owners = workload.metadata.managedFields;
      const given = change({
        live: withMeta(scaleOf(resource, workload, true) as Scale, { managedFields: scaleOwners(owners, path) }),
        manager: managerOf(options, request.userAgent),
        subresource: "scale",
        apiVersion: "autoscaling/v1",
        time,
        schema: expected().schema,
        resetFields: [["status"]],
      });
      const replicas = given.spec?.replicas ?? 0;
      if (replicas < 0)
        throw invalid({ group: "autoscaling", kind: "Scale" }, request.name, [
          invalidValue("spec.replicas", replicas, "must be greater than or equal to 0"),
        ]);
      const { resourceVersion, uid, managedFields } = given.metadata;
      const managed = workloadOwners(owners, managedFields, apiVersionOf(resource.type), path);
      return withMeta(withValue(workload, path, replicas) as Workload, {
        resourceVersion: resourceVersion ?? workload.metadata.resourceVersion,
        ...(uid === undefined ? {} : { uid }),
        managedFields: managed.length === 0 ? undefined : managed,
      });
    },
    { createsWhenAbsent: false, uidIsPrecondition },
  );
  return { kind: "object", code: 200, object: scaleOf(resource, toServed(resource, entry.parse())) };
}
