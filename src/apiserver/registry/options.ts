// The options of writes and deletions: read from the query (and, for DELETE, the body), checked with upstream's messages.
import {
  badRequest,
  type DeleteOptions,
  type FieldError,
  forbiddenField,
  invalid,
  invalidValue,
  notSupported,
  required,
  tooLong,
} from "#api";
import { isTrue, type Query } from "../query.ts";

export type FieldValidation = "Strict" | "Warn" | "Ignore";

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: FieldValidation;
  /** Of a patch. */
  readonly force: boolean;
}

const metaGroup = "meta.k8s.io";

function fieldManagerErrors(manager: string): FieldError[] {
  const errors: FieldError[] = [];
  if (Buffer.byteLength(manager) > 128) errors.push(tooLong("fieldManager", 128));
  let position = 0;
  for (const character of manager) {
    if (!isPrint(character)) {
      const code = (character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, "0"); // a character is not empty
      errors.push(invalidValue("fieldManager", manager, `invalid character U+${code} (at position ${position})`));
    }
    position += Buffer.byteLength(character);
  }
  return errors;
}

const isPrint = (character: string): boolean => character === " " || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(character);

function dryRunErrors(values: readonly string[]): FieldError[] {
  return values.some((value) => value !== "All") ? [notSupported("dryRun", values, ["All"])] : [];
}

function fieldValidationErrors(value: string): FieldError[] {
  return ["", "Ignore", "Strict", "Warn"].includes(value)
    ? []
    : [notSupported("fieldValidation", value, ["", "Ignore", "Strict", "Warn"])];
}

/** Throws Invalid for `CreateOptions`, `UpdateOptions` or `PatchOptions`. */
export function writeOptions(
  kind: "CreateOptions" | "UpdateOptions" | "PatchOptions",
  query: Query,
  patch?: { readonly apply: boolean },
): WriteOptions {
  const manager = query.first("fieldManager") ?? "";
  const validation = query.first("fieldValidation") ?? "";
  const errors: FieldError[] = [];
  if (patch !== undefined) {
    if (patch.apply && manager === "") errors.push(required("fieldManager", "is required for apply patch"));
    if (!patch.apply && query.has("force")) errors.push(forbiddenField("force", "may not be specified for non-apply patch"));
  }
  errors.push(...fieldManagerErrors(manager), ...dryRunErrors(query.all("dryRun")), ...fieldValidationErrors(validation));
  if (errors.length > 0) throw invalid({ group: metaGroup, kind }, "", errors);
  return {
    dryRun: query.all("dryRun").length > 0,
    fieldManager: manager,
    fieldValidation: validation === "" ? "Warn" : (validation as FieldValidation),
    force: patch?.apply === true && isTrue(query, "force"),
  };
}

/** A DELETE's options in the query; used when the body is empty. */
export function deleteOptionsFromQuery(query: Query): DeleteOptions {
  const grace = query.first("gracePeriodSeconds");
  const dryRun = query.all("dryRun");
  const propagationPolicy = query.first("propagationPolicy");
  return {
    ...(grace === undefined || grace === "" ? {} : { gracePeriodSeconds: parseInt64(grace) }),
    ...(query.has("orphanDependents") ? { orphanDependents: isTrue(query, "orphanDependents") } : {}),
    ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
    ...(dryRun.length === 0 ? {} : { dryRun: [...dryRun] }),
  };
}

/** Upstream's strconv.ParseInt, with its error text. */
export function parseInt64(text: string): number {
  if (!/^[+-]?[0-9]+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  const value = BigInt(text.replace(/^\+/, ""));
  if (value > 9223372036854775807n || value < -9223372036854775808n)
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`);
  return Number(value);
}

/** Throws Invalid for `DeleteOptions`. */
export function checkDeleteOptions(options: DeleteOptions): void {
  const errors: FieldError[] = [];
  const { propagationPolicy } = options;
  if (propagationPolicy !== undefined && options.orphanDependents !== undefined) {
    errors.push(
      invalidValue("propagationPolicy", propagationPolicy, "orphanDependents and deletionPropagation cannot be both set"),
    );
  }
  if (propagationPolicy !== undefined && !["Foreground", "Background", "Orphan"].includes(propagationPolicy)) {
    errors.push({
      ...notSupported("propagationPolicy", propagationPolicy, []),
      detail: 'supported values: "Foreground", "Background", "Orphan", "nil"',
    });
  }
  errors.push(...dryRunErrors(options.dryRun ?? []));
  if (errors.length > 0) throw invalid({ group: metaGroup, kind: "DeleteOptions" }, "", errors);
}
