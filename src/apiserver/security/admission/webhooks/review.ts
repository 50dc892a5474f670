// The words exchanged with a webhook: admission.k8s.io/v1 AdmissionReview out, verdict in. Pure.
import { ApiError, type ApiObject, apiError, apiVersionOf, badRequest, type Status } from "#api";
import type { AdmissionContext } from "../../../contract.ts";
import { userOf } from "../../authentication/reviews.ts";

export interface Verdict {
  readonly allowed: boolean;
  readonly status?: Partial<Status>;
  readonly warnings: readonly string[];
  /** JSON Patch operations, decoded. */
  readonly patch?: unknown;
}

const options = { CREATE: "CreateOptions", UPDATE: "UpdateOptions", DELETE: "DeleteOptions", CONNECT: undefined } as const;

export function reviewFor(uid: string, object: ApiObject | undefined, context: AdmissionContext): object {
  const { type, subresource, operation } = context;
  // Subresources have objects of kinds of their own: Scale, Binding, Eviction.
  const named = object ?? context.old;
  const [group, version] = (named?.apiVersion ?? apiVersionOf(type)).includes("/")
    ? (named?.apiVersion ?? apiVersionOf(type)).split("/")
    : ["", named?.apiVersion ?? type.version];
  const kind = { group, version, kind: named?.kind ?? type.kind };
  const resource = { group: type.group, version: type.version, resource: type.plural };
  const optionsKind = options[operation];
  return {
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
    request: {
      uid,
      kind,
      resource,
      ...(subresource === "" ? {} : { subResource: subresource }),
      requestKind: kind,
      requestResource: resource,
      ...(subresource === "" ? {} : { requestSubResource: subresource }),
      ...(context.name === "" ? {} : { name: context.name }),
      ...(context.namespace === "" ? {} : { namespace: context.namespace }),
      operation,
      userInfo: userOf(context.user),
      object: object ?? null,
      oldObject: context.old ?? null,
      dryRun: context.dryRun,
      options:
        optionsKind === undefined
          ? null
          : { kind: optionsKind, apiVersion: "meta.k8s.io/v1", ...(context.dryRun ? { dryRun: ["All"] } : {}) },
    },
  };
}

/** Throws an Error that says what is wrong with the answer. */
export function verdictOf(uid: string, code: number, body: string): Verdict {
  if (code !== 200) throw new Error(`the server responded with the status code ${code}`);
  const review = parse(body);
  if (review.kind !== "AdmissionReview" || review.apiVersion !== "admission.k8s.io/v1") {
    throw new Error(
      `expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${review.apiVersion ?? ""}, Kind=${review.kind ?? ""}`,
    );
  }
  const response = review.response;
  if (response === undefined || response === null) throw new Error("webhook response was absent");
  if (response.uid !== uid)
    throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? "")}`);
  const warnings = response.warnings ?? [];
  const hasPatch = (response.patch ?? "") !== "";
  if (hasPatch && response.patchType !== "JSONPatch") {
    throw new Error(`webhook returned response.patchType ${JSON.stringify(response.patchType ?? "")}, want "JSONPatch"`);
  }
  return {
    allowed: response.allowed === true,
    ...(response.status === undefined ? {} : { status: response.status }),
    warnings,
    ...(hasPatch ? { patch: JSON.parse(Buffer.from(response.patch ?? "", "base64").toString("utf8")) as unknown } : {}),
  };
}

interface Review {
  readonly kind?: string;
  readonly apiVersion?: string;
  readonly response?: {
    readonly uid?: string;
    readonly allowed?: boolean;
    readonly status?: Partial<Status>;
    readonly warnings?: readonly string[];
    readonly patch?: string;
    readonly patchType?: string;
  } | null;
}

function parse(body: string): Review {
  const value: unknown = JSON.parse(body);
  if (value === null || typeof value !== "object") throw new Error("the answer is not an object");
  return value as Review; // a foreign program's answer: every member is looked at before it is used
}

/** What the client is told when a webhook says no. */
export function denial(name: string, status: Partial<Status> | undefined): ApiError {
  const head = `admission webhook ${JSON.stringify(name)} denied the request`;
  const why = status?.message ?? "";
  const reason = status?.reason ?? "";
  const message = why !== "" ? `${head}: ${why}` : reason !== "" ? `${head}: ${reason}` : `${head} without explanation`;
  // A refusal must not look like a success, whatever code came.
  const code = Math.max(status?.code ?? 0, 400);
  const error = apiError("", message, status?.details, code);
  return reason === "" ? error : new ApiError({ ...error.status, reason });
}

export const noDryRun = (name: string): ApiError =>
  badRequest(`admission webhook ${JSON.stringify(name)} does not support dry run`);
