// The one error class of the API: upstream's Status reasons, codes and texts (k8s.io/apimachinery api/errors).
import type { Status, StatusCause, StatusDetails } from "./types/mod.ts";

export type StatusReason =
  | "Unauthorized"
  | "Forbidden"
  | "NotFound"
  | "AlreadyExists"
  | "Conflict"
  | "Gone"
  | "Invalid"
  | "ServerTimeout"
  | "StoreReadError"
  | "Timeout"
  | "TooManyRequests"
  | "BadRequest"
  | "MethodNotAllowed"
  | "NotAcceptable"
  | "RequestEntityTooLarge"
  | "UnsupportedMediaType"
  | "InternalError"
  | "Expired"
  | "ServiceUnavailable"
  | "";

/** HTTP code of each reason. */
export const reasonCode = {
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Invalid: 422,
  ServerTimeout: 500,
  StoreReadError: 500,
  Timeout: 504,
  TooManyRequests: 429,
  BadRequest: 400,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  InternalError: 500,
  Expired: 410,
  ServiceUnavailable: 503,
  "": 500,
} as const satisfies Record<StatusReason, number>;

/** A failed API request, the same in process and over HTTP. `status` is what travels. */
export class ApiError extends Error {
  readonly status: Status & { readonly code: number };

  constructor(status: Status, options?: ErrorOptions) {
    super(status.message ?? status.reason ?? "unknown error", options);
    this.name = "ApiError";
    this.status = { ...status, code: status.code ?? reasonCode[(status.reason ?? "") as StatusReason] ?? 500 };
  }

  get reason(): StatusReason {
    return (this.status.reason ?? "") as StatusReason;
  }

  get code(): number {
    return this.status.code;
  }
}

export function apiError(reason: StatusReason, message: string, details?: StatusDetails, code?: number): ApiError {
  const status: Status = {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    ...(reason === "" ? {} : { reason }),
    ...(details === undefined ? {} : { details }),
    code: code ?? reasonCode[reason],
  };
  return new ApiError(status);
}

export interface ResourceName {
  readonly group: string;
  readonly plural: string;
}

/** "pods", or "deployments.apps": how upstream writes a resource in a message. */
export const qualified = (resource: ResourceName): string =>
  resource.group === "" ? resource.plural : `${resource.plural}.${resource.group}`;

const detailsOf = (resource: ResourceName, name: string, more: Partial<StatusDetails> = {}): StatusDetails => ({
  ...(name === "" ? {} : { name }),
  ...(resource.group === "" ? {} : { group: resource.group }),
  kind: resource.plural,
  ...more,
});

export const notFound = (resource: ResourceName, name: string): ApiError =>
  apiError("NotFound", `${qualified(resource)} "${name}" not found`, detailsOf(resource, name));

export const alreadyExists = (resource: ResourceName, name: string): ApiError =>
  apiError("AlreadyExists", `${qualified(resource)} "${name}" already exists`, detailsOf(resource, name));

export const conflict = (resource: ResourceName, name: string, why: string): ApiError =>
  apiError("Conflict", `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`, detailsOf(resource, name));

export const forbidden = (resource: ResourceName, name: string, why: string): ApiError => {
  const head =
    resource.plural === ""
      ? "forbidden"
      : name === ""
        ? `${qualified(resource)} is forbidden`
        : `${qualified(resource)} "${name}" is forbidden`;
  return apiError("Forbidden", `${head}: ${why}`, resource.plural === "" ? {} : detailsOf(resource, name));
};

/** A validation failure: `causes` in the order found; the message joins them as upstream does. */
export function invalid(
  kind: { readonly group: string; readonly kind: string },
  name: string,
  causes: readonly FieldError[],
): ApiError {
  const qualifiedKind = kind.group === "" ? kind.kind : `${kind.kind}.${kind.group}`;
  const texts = [...new Set(causes.map((cause) => fieldErrorText(cause)))];
  const list = texts.length === 1 ? texts[0] : `[${texts.join(", ")}]`;
  const message = texts.length === 0 ? `${qualifiedKind} "${name}" is invalid` : `${qualifiedKind} "${name}" is invalid: ${list}`;
  return apiError("Invalid", message, {
    ...(name === "" ? {} : { name }),
    ...(kind.group === "" ? {} : { group: kind.group }),
    kind: kind.kind,
    causes: causes.map((cause): StatusCause => ({ reason: cause.type, message: fieldErrorBody(cause), field: cause.field })),
  });
}

export const badRequest = (message: string): ApiError => apiError("BadRequest", message);
export const unauthorized = (): ApiError => apiError("Unauthorized", "Unauthorized");
export const expired = (message: string): ApiError => apiError("Expired", message);
export const internalError = (cause: unknown): ApiError => {
  const text = cause instanceof Error ? cause.message : String(cause);
  return apiError("InternalError", `Internal error occurred: ${text}`, { causes: [{ message: text }] });
};
export const methodNotAllowed = (resource: ResourceName, verb: string): ApiError =>
  apiError("MethodNotAllowed", `${verb} is not supported on resources of kind "${qualified(resource)}"`, detailsOf(resource, ""));
export const tooManyRequests = (message: string, retryAfterSeconds: number): ApiError =>
  apiError("TooManyRequests", message, retryAfterSeconds > 0 ? { retryAfterSeconds } : {});

// Field errors: k8s.io/apimachinery/pkg/util/validation/field.

export type FieldErrorType =
  | "FieldValueNotFound"
  | "FieldValueRequired"
  | "FieldValueDuplicate"
  | "FieldValueInvalid"
  | "FieldValueNotSupported"
  | "FieldValueForbidden"
  | "FieldValueTooLong"
  | "FieldValueTooMany"
  | "InternalError"
  | "FieldValueTypeInvalid";

export interface FieldError {
  readonly type: FieldErrorType;
  /** "spec.containers[0].name" */
  readonly field: string;
  /** What upstream prints after the type's words, `undefined` where it prints none. */
  readonly value?: unknown;
  readonly detail: string;
}

/** As a field error's value: print none ("Invalid value: <detail>"). */
export const noValue: unique symbol = Symbol("no value");

const words: Readonly<Record<FieldErrorType, string>> = {
  FieldValueNotFound: "Not found",
  FieldValueRequired: "Required value",
  FieldValueDuplicate: "Duplicate value",
  FieldValueInvalid: "Invalid value",
  FieldValueNotSupported: "Unsupported value",
  FieldValueForbidden: "Forbidden",
  FieldValueTooLong: "Too long",
  FieldValueTooMany: "Too many",
  InternalError: "Internal error",
  FieldValueTypeInvalid: "Invalid value",
};

/** "spec.a: Invalid value: 1: must be a string" */
export const fieldErrorText = (error: FieldError): string => `${error.field}: ${fieldErrorBody(error)}`;

function fieldErrorBody(error: FieldError): string {
  const head = words[error.type];
  const bare =
    error.type === "FieldValueRequired" ||
    error.type === "FieldValueForbidden" ||
    error.type === "FieldValueTooLong" ||
    error.type === "InternalError";
  const shown = bare || error.value === noValue ? head : `${head}: ${showValue(error.value)}`;
  return error.detail === "" ? shown : `${shown}: ${error.detail}`;
}

function showValue(value: unknown): string {
  if (value === undefined || value === null) return "null";
  if (typeof value === "string") return goQuote(value);
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  return JSON.stringify(value);
}

const escapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
};

/** A text as Go's %q writes it. */
export function goQuote(text: string): string {
  let quoted = '"';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (escapes[character] !== undefined) quoted += escapes[character];
    else if (code < 0x20 || code === 0x7f) quoted += `\\x${code.toString(16).padStart(2, "0")}`;
    else if ((code >= 0x80 && code < 0xa0) || code === 0xad || (code >= 0x2028 && code <= 0x202e) || code === 0xfeff)
      quoted += `\\u${code.toString(16).padStart(4, "0")}`;
    else quoted += character;
  }
  return `${quoted}"`;
}

export const required = (field: string, detail = ""): FieldError => ({ type: "FieldValueRequired", field, detail });
export const invalidValue = (field: string, value: unknown, detail: string): FieldError => ({
  type: "FieldValueInvalid",
  field,
  value,
  detail,
});
export const duplicate = (field: string, value: unknown): FieldError => ({
  type: "FieldValueDuplicate",
  field,
  value,
  detail: "",
});
export const notFoundValue = (field: string, value: unknown): FieldError => ({
  type: "FieldValueNotFound",
  field,
  value,
  detail: "",
});
/** `supported` is printed in the order given. */
export const notSupported = (field: string, value: unknown, supported: readonly string[]): FieldError => ({
  type: "FieldValueNotSupported",
  field,
  value,
  detail: supported.length === 0 ? "" : `supported values: ${supported.map(goQuote).join(", ")}`,
});
export const forbiddenField = (field: string, detail: string): FieldError => ({ type: "FieldValueForbidden", field, detail });
export const tooMany = (field: string, actual: number, max: number): FieldError => ({
  type: "FieldValueTooMany",
  field,
  value: actual,
  detail: max < 0 ? "has too many items" : `must have at most ${max} ${max === 1 ? "item" : "items"}`,
});
export const tooLong = (field: string, max: number): FieldError => ({
  type: "FieldValueTooLong",
  field,
  detail: max < 0 ? "value is too long" : `may not be more than ${max} ${max === 1 ? "byte" : "bytes"}`,
});

// Predicates: the same answer in process and over HTTP.

const has = (error: unknown, ...reasons: readonly StatusReason[]): boolean =>
  error instanceof ApiError && reasons.includes(error.reason);
export const isNotFound = (error: unknown): boolean => has(error, "NotFound");
export const isAlreadyExists = (error: unknown): boolean => has(error, "AlreadyExists");
export const isConflict = (error: unknown): boolean => has(error, "Conflict");
export const isForbidden = (error: unknown): boolean => has(error, "Forbidden");
export const isGone = (error: unknown): boolean => has(error, "Gone", "Expired");
export const isInvalid = (error: unknown): boolean => has(error, "Invalid");
export const isTooManyRequests = (error: unknown): boolean => has(error, "TooManyRequests");
