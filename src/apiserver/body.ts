// Request bodies into objects: syntax, kind and version, unknown fields, with upstream's messages.

import {
  type ApiError,
  type ApiObject,
  apiError,
  apiVersionOf,
  badRequest,
  builtInResources,
  DecodeError,
  decodeJson,
  decodeProtobuf,
  decodeTyped,
  decodeYaml,
  inDocumentOrder,
  type JsonValue,
  type Literals,
  type ObjectSchema,
  type ResourceType,
  type SharedValues,
  stringifyJson,
} from "#api";
import { own } from "#base";
import { keepSaid } from "./empty-lists.ts";
import { type BodyFormat, formatOfType, parseMediaType } from "./http/media-type.ts";
import type { FieldValidation } from "./registry/options.ts";

/** A body as it came: bytes over HTTP, an already parsed value in process. */
export interface RequestBody {
  /** "" when none was given. */
  readonly contentType: string;
  readonly bytes?: Buffer;
  readonly value?: unknown;
}

export interface ExpectedKind {
  readonly group: string;
  readonly version: string;
  /** Other versions with the same fields that a body may name. */
  readonly sameVersions?: readonly string[];
  readonly kind: string;
  readonly schema: ObjectSchema;
  readonly decode?: (value: JsonValue) => { readonly object: ApiObject; readonly problems: readonly string[] };
  /** Specs that objects of the kind have in common. */
  readonly specs?: SharedValues | undefined;
  /** Custom resources say their kind and version exactly. */
  readonly strictKind: boolean;
}

const acceptedBodies = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

export const unsupportedBody = (accepted: string): ApiError =>
  apiError(
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${accepted}`,
  );

/** Throws UnsupportedMediaType. No type at all means JSON. */
export function bodyFormat(contentType: string): BodyFormat {
  if (contentType === "") return "json";
  const format = own(formatOfType, parseMediaType(contentType)?.type ?? "");
  if (format === undefined) throw unsupportedBody(acceptedBodies);
  return format;
}

export interface RawBody {
  readonly value: JsonValue;
  readonly problems: readonly string[];
  readonly literals?: Literals;
}

const asRecord = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : undefined;

/** Decodes a body as an object of the expected kind. Fields that are unknown or given twice are refused, warned about or dropped. */
export function decodeObject(
  body: RequestBody,
  expected: ExpectedKind,
  validation: FieldValidation,
  warn: (message: string) => void,
): ApiObject {
  const raw = rawBody(body, expected);
  const record = asRecord(raw.value ?? {});
  const apiVersion = typeof record?.["apiVersion"] === "string" ? record["apiVersion"] : "";
  const kind = typeof record?.["kind"] === "string" ? record["kind"] : "";
  const unrecognized = (why: string): ApiError =>
    badRequest(`the object provided is unrecognized (must be of type ${expected.kind}): ${why}${shown(body)}`);
  if (record === undefined) {
    throw unrecognized(noKindIn(raw.value));
  }
  for (const name of ["apiVersion", "kind"]) {
    const value = record[name];
    if (value === undefined || value === null || typeof value === "string") continue;
    throw unrecognized(
      `couldn't get version/kind; json parse error: json: cannot unmarshal ${typeWord(value)} into Go struct field .${name} of type string`,
    );
  }
  if (apiVersion.split("/").length > 2) throw unrecognized(`unexpected GroupVersion string: ${apiVersion}`);
  checkKind(apiVersion, kind, expected, body);
  const version = (apiVersion === "" ? expected.version : apiVersion.split("/").at(-1)) ?? expected.version;
  const cannot = (why: string): ApiError =>
    badRequest(
      `${kind === "" ? expected.kind : kind} in version ${JSON.stringify(version)} cannot be handled as a ${expected.kind}: ${why}`,
    );
  try {
    if (expected.decode !== undefined) checkRange(raw.literals, cannot);
    const spec = expected.specs === undefined ? undefined : specIn(record, raw.literals);
    const ready = spec === undefined ? undefined : expected.specs?.get(spec.text);
    const typed =
      expected.decode?.(raw.value) ??
      decodeTyped(expected.schema, raw.value, {
        literals: raw.literals,
        owned: body.bytes !== undefined,
        ...(spec === undefined || ready === undefined ? {} : { ready: { part: spec.value, typed: ready as JsonValue } }),
      });
    if (spec !== undefined && ready === undefined && typed.problems.length === 0) {
      const read = asRecord((typed.object as { readonly spec?: unknown }).spec);
      if (read !== undefined) expected.specs?.add(spec.text, read);
    }
    const found = [...raw.problems, ...typed.problems];
    const problems =
      found.length < 2 || body.bytes === undefined
        ? found
        : expected.decode !== undefined
          ? found
          : bodyFormat(body.contentType) === "yaml"
            ? [...raw.problems, ...[...typed.problems].sort()]
            : inDocumentOrder(body.bytes.toString("utf8"), found);
    if (problems.length > 0) {
      if (validation === "Strict") throw cannot(`strict decoding error: ${problems.join(", ")}`);
      if (validation === "Warn") for (const problem of problems) warnEach(problem, warn);
    }
    const object = typed.object as unknown as ApiObject;
    return keepSaid(
      { ...object, kind: expected.kind, apiVersion: apiVersionOf(expected), metadata: object.metadata ?? {} },
      raw.value,
    );
  } catch (error) {
    if (error instanceof DecodeError) throw cannot(error.message);
    throw error;
  }
}

/** Numbers that no 64-bit float holds. Built-in types say so themselves. */
function checkRange(literals: Literals | undefined, refuse: (why: string) => ApiError): void {
  for (const held of literals?.values() ?? [])
    for (const text of held.values())
      if (!Number.isFinite(Number(text))) throw refuse(`json: cannot unmarshal number ${text} into Go value of type float64`);
}

/** A spec and the text by which an equal one is found. Numbers written in an unusual way are not in that text. */
function specIn(
  record: Readonly<Record<string, unknown>>,
  literals: Literals | undefined,
): { readonly value: JsonValue; readonly text: string } | undefined {
  const value = record["spec"];
  if (asRecord(value) === undefined || (literals !== undefined && literals.size > 0)) return undefined;
  return { value: value as JsonValue, text: stringifyJson(value) };
}

/** A YAML decoder's complaint has a line for each duplicate: each becomes a warning. */
export function warnEach(problem: string, warn: (message: string) => void): void {
  if (problem.startsWith("yaml: unmarshal errors:\n")) for (const line of problem.split("\n").slice(1)) warn(line.trim());
  else warn(problem);
}

/** Syntax only. */
export function rawBody(body: RequestBody, expected: Pick<ExpectedKind, "group" | "version" | "kind">): RawBody {
  const { kind } = expected;
  if (body.bytes === undefined) return { value: (body.value ?? {}) as JsonValue, problems: [] };
  const format = bodyFormat(body.contentType);
  try {
    if (format === "protobuf" && body.bytes.length === 0) throw new DecodeError("empty data");
    if (format === "protobuf" && body.bytes.length === 4) throw new DecodeError("empty body");
    if (format === "protobuf") return { value: decodeProtobuf(body.bytes, expected), problems: [] };
    if (format === "json") return decodeJson(body.bytes);
    const decoded = decodeYaml(body.bytes);
    return decoded.value === null ? { ...decoded, value: {} } : decoded;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    const unknown = /^no kind "([^"]*)" is registered for version "(?:[^"/]*\/)?([^"]*)"/.exec(error.message);
    if (format === "protobuf" && unknown !== null)
      throw badRequest(`${unknown[1]} in version ${JSON.stringify(unknown[2])} cannot be handled as a ${kind}: ${error.message}`);
    const where = format === "json" ? `couldn't get version/kind; json parse error: ${error.message}` : error.message;
    throw badRequest(`the object provided is unrecognized (must be of type ${kind}): ${where}${shown(body)}`);
  }
}

/** Throws BadRequest for a body of another kind or version. */
export function checkKind(
  apiVersion: string,
  kind: string,
  expected: Pick<ExpectedKind, "group" | "version" | "kind" | "sameVersions" | "strictKind">,
  body: RequestBody,
): void {
  const slash = apiVersion.indexOf("/");
  const group = slash < 0 ? "" : apiVersion.slice(0, slash);
  const version = slash < 0 ? apiVersion : apiVersion.slice(slash + 1);
  const isVersion = version === expected.version || expected.sameVersions?.includes(version) === true;
  const known = (kind === "" || kind === expected.kind) && (apiVersion === "" || (group === expected.group && isVersion));
  if (known && !expected.strictKind) {
    if (apiVersion === "" || kind === "" || version !== "") return;
  }
  const head = `${kind === "" ? expected.kind : kind} in version ${JSON.stringify(apiVersion === "" ? expected.version : version)} cannot be handled as a ${expected.kind}: `;
  if (expected.strictKind && kind === "") throw badRequest(`${head}Object 'Kind' is missing in '${bodyText(body)}'`);
  if (expected.strictKind && apiVersion === "") throw badRequest(`${head}Object 'apiVersion' is missing in '${bodyText(body)}'`);
  if (known) {
    if (version === "" && apiVersion !== "") throw badRequest(`${head}Object 'apiVersion' is missing in '${bodyText(body)}'`);
    return;
  }
  if (expected.strictKind) {
    if (kind === expected.kind)
      throw badRequest(
        `the API version in the data (${apiVersion}) does not match the expected API version (${apiVersionOf(expected)})`,
      );
    throw badRequest(`${head}converting (${kind}) to (${expected.kind}): unknown conversion`);
  }
  if (version === "" && apiVersion !== "") throw badRequest(`${head}Object 'apiVersion' is missing in '${bodyText(body)}'`);
  const other = isRegistered(
    group === "" && apiVersion === "" ? expected.group : group,
    apiVersion === "" ? expected.version : version,
    kind === "" ? expected.kind : kind,
  );
  if (!other) {
    // Versions that were served once are still known to upstream's decoder.
    const once =
      group === expected.group ||
      (kind === "Scale" && (group === "apps" || group === "extensions")) ||
      (group === "extensions" && version === "v1beta1" && extensionsKinds.has(kind));
    if (kind === expected.kind && once && group !== "" && /^v\d+(alpha|beta)\d+$/.test(version)) {
      throw badRequest(
        `the API version in the data (${apiVersion}) does not match the expected API version (${apiVersionOf(expected)})`,
      );
    }
    const text = group === "" ? (apiVersion === "" ? apiVersionOf(expected) : version) : `${group}/${version}`;
    throw badRequest(
      `${head}no kind ${JSON.stringify(kind === "" ? expected.kind : kind)} is registered for version ${JSON.stringify(text)} in scheme "pkg/api/legacyscheme/scheme.go:30"`,
    );
  }
  if (
    kind === expected.kind &&
    apiVersion !== "" &&
    (group !== expected.group || version !== expected.version) &&
    group === expected.group
  ) {
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${apiVersionOf(expected)})`,
    );
  }
  const internal = expected.group === "" ? "core" : (expected.group.split(".")[0] as string);
  throw badRequest(`${head}converting (${version}.${kind}) to (${internal}.${expected.kind}): unknown conversion`);
}

/** Kinds that began in the group "extensions". */
const extensionsKinds = new Set(["DaemonSet", "Deployment", "Ingress", "NetworkPolicy", "ReplicaSet"]);

const listKinds = new Set([
  "List",
  "Status",
  "DeleteOptions",
  "ListOptions",
  "APIGroup",
  "APIGroupList",
  "APIResourceList",
  "APIVersions",
]);

function isRegistered(group: string, version: string, kind: string): boolean {
  if (listKinds.has(kind) && group === "" && version === "v1") return true;
  return (builtInResources as readonly ResourceType[]).some(
    (type) =>
      type.group === group &&
      type.version === version &&
      (type.kind === kind ||
        `${type.kind}List` === kind ||
        Object.values(type.subresources).some((sub) => sub.kind === kind && sub.group === group && sub.version === version)),
  );
}

/** A body that is no object has no kind. */
export const noKindIn = (value: unknown): string =>
  `couldn't get version/kind; json parse error: json: cannot unmarshal ${typeWord(value)} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`;

function typeWord(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "boolean") return "bool";
  return typeof value === "bigint" ? "number" : typeof value;
}

const bodyText = (body: RequestBody): string => body.bytes?.toString("utf8") ?? JSON.stringify(body.value);

/** The first bytes of a body that could not be understood: as text when it looks like JSON, otherwise in hexadecimal. */
function shown(body: RequestBody): string {
  const { bytes } = body;
  if (bytes === undefined) return "";
  if (bytes.length === 0) return " (<empty>)";
  const cut = bytes.length > 30;
  const head = bytes.subarray(0, 30);
  const text = bytes[0] === 0x7b ? head.toString("utf8") : head.toString("hex");
  return ` (${text}${cut ? " ..." : ""})`;
}
