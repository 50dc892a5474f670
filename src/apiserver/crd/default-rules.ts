// The defaults in a schema: each must be a value that the schema itself would accept, without unknown fields.
import { deepEqual, type FieldError, invalidValue, required } from "#api";
import type { Props } from "./props.ts";
import { Validator } from "./validate.ts";
import { prune } from "./values.ts";

/** Errors of all defaults of a structural schema at `at`. */
export function defaultErrors(props: Props, at: string): FieldError[] {
  const errors: FieldError[] = [];
  visit(props, at, true, new Validator(), errors);
  return errors;
}

function visit(props: Props, at: string, isRoot: boolean, validator: Validator, errors: FieldError[]): void {
  if ((props.default ?? null) !== null) errors.push(...checkDefault(props, `${at}.default`, isRoot, validator));
  if (props.items !== undefined) visit(props.items, `${at}.items`, false, validator, errors);
  for (const [name, inner] of Object.entries(props.properties ?? {})) {
    // refused as a whole, see the keywords
    if (isRoot && ["metadata", "kind", "apiVersion"].includes(name)) continue;
    visit(inner, `${at}.properties[${name}]`, false, validator, errors);
  }
  if (typeof props.additionalProperties === "object")
    visit(props.additionalProperties, `${at}.additionalProperties`, false, validator, errors);
}

function checkDefault(props: Props, at: string, isRoot: boolean, validator: Validator): FieldError[] {
  const value = props.default;
  const errors: FieldError[] = [];
  if (
    !deepEqual(
      prune(props, value, () => {}, "", isRoot),
      value,
    )
  )
    errors.push(invalidValue(at, value, "must not have unknown fields"));
  if (isRoot || props["x-kubernetes-embedded-resource"] === true) errors.push(...typeMeta(value, at));
  // upstream does not ask whether the members of a default set differ
  for (const error of validator.check(props, value, ""))
    if (error.type !== "FieldValueDuplicate")
      errors.push({ ...error, field: error.field === "" || error.field === "<nil>" ? at : `${at}.${error.field}` });
  return errors;
}

/** A whole object says what it is. */
function typeMeta(value: unknown, at: string): FieldError[] {
  const { apiVersion, kind } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const errors: FieldError[] = [];
  if (typeof apiVersion !== "string" || apiVersion === "") errors.push(required(`${at}.apiVersion`));
  else if (apiVersion.split("/").length > 2)
    errors.push(invalidValue(`${at}.apiVersion`, apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  if (typeof kind !== "string" || kind === "") errors.push(required(`${at}.kind`));
  return errors;
}
