// The rules of every built-in kind as data: defaults, preparation, validation, warnings; the registry's strategies are built from this.
import type { FieldError } from "./errors.ts";
import { certificateRules } from "./validation/certificates.ts";
import { coreRules } from "./validation/core/rules.ts";
import { otherRules } from "./validation/other-rules.ts";
import { securityRules } from "./validation/security-kinds.ts";

/** Loosely typed: the registry handles objects of any kind. */
// biome-ignore lint/suspicious/noExplicitAny: each kind's functions know their own type; the table holds them all
export type AnyObject = any;

/** All functions are pure: they return what they change as a copy. */
export interface KindRules {
  /** Fills in what the API documents as defaults. Runs on decode, before admission, and after patches. */
  default?(object: AnyObject): AnyObject;
  /** Drops what a client may not set on create (status), sets what the server starts with. */
  prepareForCreate?(object: AnyObject): AnyObject;
  /** Of the main resource: keeps the stored status, drops changes a client may not make here. */
  prepareForUpdate?(next: AnyObject, old: AnyObject): AnyObject;
  /** Of /status: keeps the stored spec. */
  prepareForStatusUpdate?(next: AnyObject, old: AnyObject): AnyObject;
  validate?(object: AnyObject): FieldError[];
  /** Complete: where upstream also runs the create check, this includes it. */
  validateUpdate?(next: AnyObject, old: AnyObject): FieldError[];
  validateStatusUpdate?(next: AnyObject, old: AnyObject): FieldError[];
  /** Texts for Warning headers. `old` is undefined on create. */
  warnings?(next: AnyObject, old: AnyObject | undefined): readonly string[];
  /** Of a new object before it is prepared: told also when it is refused. */
  warningsFirst?(object: AnyObject): readonly string[];
  /** What of a new object its writer may own in managed fields; default: all but the status. */
  owned?(object: AnyObject): AnyObject;
  /** Many objects of the kind have the same spec: equal ones share it, and what follows from it. */
  readonly sharedSpec?: boolean;
  /** Served with a /status subresource. */
  readonly status: boolean;
  /** The strategy manages metadata.generation: 1 on create, one more when the spec changes. */
  readonly generation: boolean;
  /** PUT on a missing object creates it. */
  readonly createOnUpdate: boolean;
  /** PUT without a resourceVersion is accepted. */
  readonly unconditionalUpdate: boolean;
}

/** Key: group and kind, "apps/Deployment", "/Pod". */
export const kindRules: Readonly<Record<string, KindRules>> = {
  ...coreRules,
  ...otherRules,
  ...securityRules,
  ...certificateRules,
};
