// pods/binding: what a scheduler posts. Sets the node and says so in a condition; a pod is bound once.
import { type ApiObject, apiError, badRequest, conflict, notFound, objectSchema, type Stored } from "#api";
import { rfc3339 } from "#client";
import type { Answer } from "../answer.ts";
import { decodeObject, type ExpectedKind } from "../body.ts";
import { withMeta } from "../registry/metadata.ts";
import { writeOptions } from "../registry/options.ts";
import { admissionContext, admit, validateAdmission, type Writes } from "../registry/request.ts";
import { type VerbRequest, writeRequest } from "../registry/verbs.ts";

interface Binding extends ApiObject {
  readonly target?: { readonly kind?: string; readonly name?: string };
}

interface Pod extends ApiObject {
  readonly spec?: { readonly nodeName?: string; readonly schedulingGates?: readonly unknown[] };
  readonly status?: { readonly conditions?: readonly { readonly type: string }[] };
}

const expected = (): ExpectedKind => ({
  group: "",
  version: "v1",
  kind: "Binding",
  schema: objectSchema("io.k8s.api.core.v1.Binding"),
  strictKind: false,
});
const success = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };

/** `request.name` is "" for the old collection /bindings: the body names the pod. */
export async function bind(writes: Writes, request: VerbRequest): Promise<Answer> {
  const { resource } = request;
  const options = writeOptions("CreateOptions", request.query);
  const decoded = decodeObject(request.body, expected(), options.fieldValidation, request.warn) as Binding;
  const own = decoded.metadata.name ?? "";
  const name = request.name === "" ? own : request.name;
  if (name === "") throw badRequest("Name parameter required.");
  if (own !== "" && own !== name) throw badRequest("name in URL does not match name in Binding object");
  const namespace = decoded.metadata.namespace ?? request.namespace;
  if (namespace !== request.namespace)
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  const inner = { ...writeRequest(request, options), name, subresource: "binding" };
  const context = admissionContext(inner, "CREATE", name);
  const binding = (await admit(writes, withMeta(decoded, { name, namespace }), context)) as Binding;
  checkTarget(binding);
  await validateAdmission(writes, binding, context);
  for (
    let existing = writes.objects.current(resource, namespace, name);
    ;
    existing = await writes.objects.latest(resource, namespace, name)
  ) {
    if (existing === undefined) throw notFound(resource.type, name);
    const bound = boundPod(writes, existing.parse() as Pod & Stored<ApiObject>, binding, existing.key, request);
    if (options.dryRun || (await writes.objects.replace(resource, existing, bound)) !== undefined)
      return { kind: "object", code: 201, object: success };
  }
}

/** Upstream returns these as plain errors: code 500 and no reason. */
function checkTarget(binding: Binding): void {
  const { kind = "", name = "" } = binding.target ?? {};
  const errors: string[] = [];
  if (kind !== "" && kind !== "Node")
    errors.push(`target.kind: Unsupported value: ${JSON.stringify(kind)}: supported values: "Node", "<empty>"`);
  if (name === "") errors.push("target.name: Required value");
  if (errors.length > 0) throw apiError("", errors.length === 1 ? (errors[0] as string) : `[${errors.join(", ")}]`);
}

function boundPod(writes: Writes, pod: Pod & Stored<ApiObject>, binding: Binding, key: string, request: VerbRequest): ApiObject {
  const { name } = pod.metadata;
  const { uid, resourceVersion, annotations } = binding.metadata;
  if (request.name !== "" && uid !== undefined && uid !== "" && uid !== pod.metadata.uid)
    throw precondition(request, name, key, `UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid}`);
  if (resourceVersion !== undefined && resourceVersion !== "" && resourceVersion !== pod.metadata.resourceVersion) {
    throw precondition(
      request,
      name,
      key,
      `ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${pod.metadata.resourceVersion}`,
    );
  }
  const refuse = (why: string): Error => conflict({ group: "", plural: "pods/binding" }, name, why);
  if (pod.metadata.deletionTimestamp !== undefined) throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`);
  if ((pod.spec?.nodeName ?? "") !== "") throw refuse(`pod ${name} is already assigned to node "${pod.spec?.nodeName}"`);
  if ((pod.spec?.schedulingGates ?? []).length > 0) throw refuse(`pod ${name} has non-empty .spec.schedulingGates`);
  const nodeName = binding.target?.name as string; // checkTarget has seen it
  const labels =
    binding.metadata.labels === undefined ? pod.metadata.labels : { ...pod.metadata.labels, ...binding.metadata.labels };
  const time = rfc3339(writes.clock.now());
  const others = (pod.status?.conditions ?? []).filter((condition) => condition.type !== "PodScheduled");
  const scheduled = { type: "PodScheduled", status: "True", lastProbeTime: null, lastTransitionTime: time };
  const next: Pod = { ...pod, spec: { ...pod.spec, nodeName }, status: { ...pod.status, conditions: [...others, scheduled] } };
  return withMeta(next, {
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations: { ...pod.metadata.annotations, ...annotations } }),
  });
}

const precondition = (request: VerbRequest, name: string, key: string, what: string): Error =>
  conflict(
    request.resource.type,
    name,
    `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: ${what}`,
  );
