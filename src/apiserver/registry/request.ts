// What every write carries with it: who asks, about what, with which options; and the gates that it passes.
import type { ApiObject, FieldError, Stored } from "#api";
import type { Clock, Random } from "#base";
import type { UserInfo } from "#client";
import type { AdmissionContext } from "../contract.ts";
import type { Security } from "../security/security.ts";
import type { ObjectStore } from "./object-store.ts";
import type { WriteOptions } from "./options.ts";
import type { ServedResource } from "./resource.ts";

export interface Writes {
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  /** Filled in once the watch caches are loaded; writes before that (bootstrap) pass no gate. */
  readonly security: () => Pick<Security, "admission" | "beforeWrite" | "allocateService" | "releaseService"> | undefined;
}

export interface WriteRequest {
  readonly resource: ServedResource;
  readonly namespace: string;
  /** "" for a creation. */
  readonly name: string;
  readonly subresource: string;
  readonly options: WriteOptions;
  readonly user: UserInfo;
  readonly userAgent: string;
  /** Of subresources other than status: what they may change, and what is checked then. */
  readonly special?: SubresourceRules;
  warn(message: string): void;
  authorize(verb: string): Promise<void>;
}

export interface SubresourceRules {
  prepare(next: ApiObject, old: ApiObject): ApiObject;
  validate?(next: ApiObject, old: ApiObject): readonly FieldError[];
}

/** What the kind (or the subresource) does to an update. */
export function updateRules(request: Pick<WriteRequest, "resource" | "subresource" | "special">): Partial<SubresourceRules> {
  if (request.special !== undefined) return request.special;
  const { rules } = request.resource.strategy;
  const prepare = request.subresource === "status" ? rules.prepareForStatusUpdate : rules.prepareForUpdate;
  const validate = request.subresource === "status" ? rules.validateStatusUpdate : rules.validateUpdate;
  return {
    ...(prepare === undefined ? {} : { prepare: (next, old) => prepare(next, old) as ApiObject }),
    ...(validate === undefined ? {} : { validate: (next, old) => validate(next, old) }),
  };
}

export function admissionContext(
  request: WriteRequest,
  operation: AdmissionContext["operation"],
  name: string,
  old?: Stored<ApiObject>,
): AdmissionContext {
  return {
    operation,
    type: request.resource.type,
    subresource: request.subresource,
    namespace: request.namespace,
    name,
    user: request.user,
    dryRun: request.options.dryRun,
    ...(old === undefined ? {} : { old }),
    warn: request.warn,
  };
}

/** Mutating admission, then the escalation checks. */
export async function admit(writes: Writes, object: ApiObject, context: AdmissionContext): Promise<ApiObject> {
  const security = writes.security();
  if (security === undefined) return object;
  let admitted = object;
  for (const plugin of security.admission) {
    if (plugin.mutate === undefined) continue;
    const result = plugin.mutate(admitted, context);
    admitted = result instanceof Promise ? await result : result;
  }
  const checked = security.beforeWrite(admitted, context);
  if (checked instanceof Promise) await checked;
  return admitted;
}

/** Validating admission; `object` is undefined for a deletion. */
export async function validateAdmission(writes: Writes, object: ApiObject | undefined, context: AdmissionContext): Promise<void> {
  for (const plugin of writes.security()?.admission ?? []) {
    const checked = plugin.validate?.(object, context);
    if (checked instanceof Promise) await checked;
  }
}

/** The manager recorded in managedFields: the one named, or the client's product name. */
export function managerOf(options: Pick<WriteOptions, "fieldManager">, userAgent: string): string {
  if (options.fieldManager !== "") return options.fieldManager;
  const product = (userAgent.split("/")[0] ?? "").replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, "");
  return product === ""
    ? "unknown"
    : Buffer.byteLength(product) <= 128
      ? product
      : Buffer.from(product)
          .subarray(0, 128)
          .toString("utf8")
          .replace(/\ufffd+$/u, "");
}
