// patch: four kinds of patches on one path; the result goes through the same update as a PUT.

import {
  ApiError,
  type ApiObject,
  apiError,
  apiVersionOf,
  applyJsonPatch,
  applyMergePatch,
  applyPatch,
  applyStrategicMergePatch,
  badRequest,
  DecodeError,
  decodeJson,
  decodeTyped,
  decodeYaml,
  encodeJson,
  type FieldError,
  invalid,
  invalidValue,
  isConflict,
  type JsonValue,
  type ObjectSchema,
  type ResourceType,
  readJsonPatch,
  type Stored,
} from "#api";
import { own } from "#base";
import { checkKind, decodeObject, type ExpectedKind, type RequestBody, unsupportedBody, warnEach } from "../body.ts";
import { keepSaid } from "../empty-lists.ts";
import { parseMediaType } from "../http/media-type.ts";
import { checkName, placeInNamespace, withMeta } from "./metadata.ts";
import type { WriteOptions } from "./options.ts";
import type { WriteRequest, Writes } from "./request.ts";
import { type Change, guaranteedUpdate, owned, type Written } from "./update.ts";

type PatchType = "json" | "merge" | "strategic" | "apply";

const conflictTries = 5;

const types: Readonly<Record<string, PatchType>> = {
  "application/json-patch+json": "json",
  "application/merge-patch+json": "merge",
  "application/strategic-merge-patch+json": "strategic",
  "application/apply-patch+yaml": "apply",
};

/** Throws UnsupportedMediaType. Custom resources have no strategic merge. */
export function patchType(contentType: string, custom: boolean): PatchType {
  const type = own(types, parseMediaType(contentType)?.type ?? contentType);
  if (type === undefined) throw apiError("UnsupportedMediaType", "415: Unsupported Media Type", {});
  if (custom && type === "strategic") {
    throw unsupportedBody(
      Object.keys(types)
        .filter((name) => !custom || !name.includes("strategic"))
        .join(", "),
    );
  }
  return type;
}

export async function patch(writes: Writes, request: WriteRequest, type: PatchType, body: RequestBody): Promise<Written> {
  const change = type === "apply" ? applyChange(request, body) : patchChange(request, type, body);
  for (let attempt = 1; ; attempt++) {
    try {
      return await guaranteedUpdate(writes, request, change, {
        createsWhenAbsent: type === "apply" && request.subresource === "",
        applies: type === "apply",
      });
    } catch (error) {
      if (!isConflict(error) || attempt === conflictTries || type === "apply") throw error;
    }
  }
}

function patchChange(request: WriteRequest, type: Exclude<PatchType, "apply">, body: RequestBody): Change {
  const { resource } = request;
  let apply: PatchReader | undefined;
  return (live, time) => {
    if (live === undefined) throw new Error("a patch without an object");
    apply ??= reader(type, body, resource.strategy.schema);
    const patched = apply.to(live);
    const object = typed(request, patched, apply, type);
    const placed = placeInNamespace(object, resource.type.namespaced, request.namespace);
    checkName(placed, request.name, request.namespace);
    return owned(request, placed, live, time);
  };
}

/** A patch of a document that is no stored object (scale): gives what the patch makes of the current one. */
export function patchedDocument(
  type: PatchType,
  body: RequestBody,
  expected: ExpectedKind,
  options: WriteOptions,
  request: { warn(message: string): void },
): (current: ApiObject) => ApiObject {
  if (type === "apply") {
    const applied = decodeObject({ ...body, contentType: "application/yaml" }, expected, options.fieldValidation, request.warn);
    return () => applied;
  }
  const apply = reader(type, body, expected.schema);
  return (current) => {
    const patched = encodeJson(apply.to(current));
    try {
      return decodeObject({ contentType: "application/json", bytes: patched }, expected, options.fieldValidation, request.warn);
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 400) throw error;
      const why = error.message.replace(/^.* cannot be handled as a \w+: /, "");
      throw withoutKind(invalid({ group: "", kind: "" }, "", [invalidValue("patch", patched.toString("utf8"), why)]));
    }
  };
}

interface PatchReader {
  readonly value: unknown;
  readonly problems: readonly string[];
  to(live: ApiObject): unknown;
}

/** Reads the patch once; it may be applied several times. */
function reader(type: Exclude<PatchType, "apply">, body: RequestBody, schema: ObjectSchema): PatchReader {
  const { value, problems } = patchValue(type, body);
  if (type === "json") {
    const { operations, unknownFields } = readJsonPatch(value as never);
    return {
      value,
      problems: [
        ...problems.map((problem) => `json patch ${problem}`),
        ...unknownFields.map((field) => `json patch unknown field ${JSON.stringify(field)}`),
      ],
      to: (live) => applyJsonPatch(live as never, operations),
    };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badRequest(
      `${type === "merge" ? "error decoding patch: " : ""}json: cannot unmarshal ${Array.isArray(value) ? "array" : typeof value} into Go value of type map[string]interface {}`,
    );
  }
  if (type === "merge") return { value, problems, to: (live) => applyMergePatch(live as never, value as never) };
  return { value, problems, to: (live) => applyStrategicMergePatch(live as never, value as never, schema) };
}

function patchValue(type: PatchType, body: RequestBody): { readonly value: unknown; readonly problems: readonly string[] } {
  if (body.bytes === undefined) return { value: body.value, problems: [] };
  try {
    return decodeJson(body.bytes);
  } catch (error) {
    if (error instanceof DecodeError)
      throw badRequest(type === "strategic" ? error.message : `error decoding patch: ${error.message}`);
    throw error;
  }
}

/** The patched document as an object of the kind, with its defaults. */
function typed(
  request: WriteRequest,
  patched: unknown,
  { problems, value }: PatchReader,
  patchType: Exclude<PatchType, "apply">,
): ApiObject {
  const { resource, options } = request;
  const { strategy, type } = resource;
  const shown = (): string => (patchType === "strategic" ? goText(value) : encodeJson(patched).toString("utf8"));
  const refuse = (why: string): ApiError =>
    withoutKind(invalid({ group: "", kind: "" }, "", [invalidValue("patch", shown(), why)]));
  try {
    const decoded = strategy.decode?.(patched as JsonValue) ?? decodeTyped(strategy.schema, patched as JsonValue);
    // Go has put the fields of a merged built-in object in the order of their names
    const isSorted = strategy.decode === undefined && patchType !== "json";
    const all = [...problems, ...(isSorted ? [...decoded.problems].sort() : decoded.problems)];
    if (all.length > 0) {
      if (options.fieldValidation === "Strict") throw refuse(`strict decoding error: ${all.join(", ")}`);
      if (options.fieldValidation === "Warn") for (const problem of all) request.warn(problem);
    }
    const object = decoded.object as unknown as ApiObject;
    if (resource.custom) checkType(request, object);
    else if (patchType !== "strategic") checkBuiltIn(type, object, refuse);
    const whole = keepSaid(
      { ...object, kind: type.kind, apiVersion: apiVersionOf(type), metadata: object.metadata ?? {} },
      patched,
    );
    return strategy.rules.default?.(whole) ?? whole;
  } catch (error) {
    if (error instanceof DecodeError) throw refuse(patchType === "strategic" ? asConverted(error.message) : error.message);
    throw error;
  }
}

/** A merged object is not decoded upstream but converted, which says of a value that does not fit only what it should be. */
const asConverted = (text: string): string =>
  text.replace(/^json: cannot unmarshal .* of type (string|bool|int32|int64)$/, "unrecognized type: $1");

/** The same for built-in kinds, where the patched document is decoded anew. */
function checkBuiltIn(type: ResourceType, { apiVersion = "", kind = "" }: ApiObject, refuse: (why: string) => ApiError): void {
  try {
    checkKind(apiVersion, kind, { ...type, strictKind: false }, { contentType: "" });
  } catch (error) {
    throw refuse((error as ApiError).message.replace(/^.* cannot be handled as a \w+: /, ""));
  }
}

/** A patch may not make another type of a custom resource. Throws Invalid, in the name of the type that it would have. */
function checkType({ resource: { type }, name }: WriteRequest, { apiVersion = "", kind = "" }: ApiObject): void {
  const errors: FieldError[] = [];
  if (kind !== type.kind) errors.push(invalidValue("kind", kind, `must be ${type.kind}`));
  if (apiVersion !== apiVersionOf(type)) errors.push(invalidValue("apiVersion", apiVersion, `must be ${apiVersionOf(type)}`));
  const slash = apiVersion.indexOf("/");
  if (errors.length > 0) throw invalid({ group: slash < 0 ? "" : apiVersion.slice(0, slash), kind }, name, errors);
}

/** Upstream's text for a failed patch names no kind, not even an empty one. */
function withoutKind(error: ApiError): ApiError {
  const { kind: _kind, ...details } = error.status.details ?? {};
  return new ApiError({ ...error.status, details });
}

/** A value as Go's %v prints it: map[a:1 b:[x y]]. */
function goText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goText).join(" ")}]`;
  if (typeof value === "object" && value !== null)
    return `map[${Object.keys(value)
      .sort()
      .map((key) => `${key}:${goText((value as Record<string, unknown>)[key])}`)
      .join(" ")}]`;
  return value === null ? "<nil>" : String(value);
}

function applyChange(request: WriteRequest, body: RequestBody): Change {
  const { resource, options } = request;
  const { type, strategy } = resource;
  const { object: applied, tell } = appliedObject(request, body);
  return (live, time) => {
    const merged = applyPatch({
      live,
      applied,
      manager: options.fieldManager,
      force: options.force,
      subresource: request.subresource,
      apiVersion: apiVersionOf(type),
      time,
      schema: strategy.schema,
    });
    tell();
    if (merged === live) return live;
    const whole = { ...(merged as ApiObject), kind: type.kind, apiVersion: apiVersionOf(type) };
    const defaulted = strategy.rules.default?.(whole) ?? whole;
    const placed = placeInNamespace(
      live === undefined ? defaulted : keepRevision(defaulted, live, applied),
      type.namespaced,
      request.namespace,
    );
    // the result has the name of what is stored: only a patch that creates must name its object
    checkName(placed, request.name, request.namespace);
    return placed;
  };
}

/** An apply that names no resourceVersion or uid takes the live ones. */
const keepRevision = (object: ApiObject, live: Stored<ApiObject>, applied: ApiObject): ApiObject =>
  withMeta(object, {
    resourceVersion: applied.metadata.resourceVersion ?? live.metadata.resourceVersion,
    uid: applied.metadata.uid ?? live.metadata.uid,
  });

const wrongType = ({ apiVersion = "", kind = "" }: Partial<ApiObject>): string =>
  `invalid object type: ${apiVersion.includes("/") ? "" : "/"}${apiVersion}, Kind=${kind}`;

const notAnObject = (value: unknown): string =>
  value === null || value === undefined
    ? wrongType({})
    : `error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${Array.isArray(value) ? "array" : typeof value} into Go value of type map[string]interface {}`;

/** What is applied, and `tell`, to be called when its fields are known to be right: keys that stand twice are refused, or warned of once. */
function appliedObject(request: WriteRequest, body: RequestBody): { readonly object: ApiObject; readonly tell: () => void } {
  const { resource } = request;
  const { type } = resource;
  let value: unknown;
  let problems: readonly string[];
  try {
    const raw = body.bytes === undefined ? { value: body.value, problems: [] } : decodeYaml(body.bytes);
    ({ value, problems } = raw);
  } catch (error) {
    if (error instanceof DecodeError) throw badRequest(`error decoding YAML: error converting YAML to JSON: ${error.message}`);
    throw error;
  }
  const object = value as Partial<ApiObject> | null;
  if (typeof object !== "object" || object === null || Array.isArray(object)) throw badRequest(notAnObject(value));
  if (object.apiVersion !== apiVersionOf(type) || object.kind !== type.kind) throw badRequest(wrongType(object));
  const metadata = object.metadata ?? {};
  if (
    (metadata as { managedFields?: unknown }).managedFields !== undefined &&
    (metadata as { managedFields?: unknown }).managedFields !== null
  )
    throw badRequest("metadata.managedFields must be nil");
  return {
    object: { ...object, metadata } as ApiObject,
    tell: () => {
      const told = problems;
      problems = [];
      if (told.length > 0 && request.options.fieldValidation === "Strict")
        throw badRequest(`error strict decoding YAML: error converting YAML to JSON: ${told.join(", ")}`);
      if (request.options.fieldValidation === "Warn") for (const problem of told) warnEach(problem, request.warn);
    },
  };
}
