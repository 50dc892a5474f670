// The defaults in a schema: each must be a value that the schema itself would accept, without unknown fields.
import { deepEqual, type FieldError, invalidValue } from "#api";
import { embeddedErrors, readEmbedded, typeErrors } from "./embedded.ts";
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
  const unread: FieldError[] = [];
  readEmbedded(
    props,
    value,
    at,
    () => {},
    (error) => unread.push(error),
  );
  if (unread.length > 0) return [...errors, ...unread];
  if (isRoot) errors.push(...typeErrors(value, at));
  errors.push(...embeddedErrors(props, value, at));
  // upstream does not ask whether the members of a default set differ
  for (const error of validator.check(props, value, ""))
    if (error.type !== "FieldValueDuplicate")
      errors.push({ ...error, field: error.field === "" || error.field === "<nil>" ? at : `${at}.${error.field}` });
  return errors;
}

/** The schema with defaults as they will be given: embedded objects in them lose metadata that no object has. */
export function withReadDefaults(props: Props): Props {
  const mapped = <T extends Props | boolean | undefined>(inner: T): T =>
    typeof inner === "object" ? (withReadDefaults(inner) as T) : inner;
  const properties = props.properties;
  return {
    ...props,
    ...(props.default === undefined
      ? {}
      : {
          default: readEmbedded(
            props,
            props.default,
            "",
            () => {},
            () => {},
          ),
        }),
    ...(props.items === undefined ? {} : { items: mapped(props.items) }),
    ...(props.additionalProperties === undefined ? {} : { additionalProperties: mapped(props.additionalProperties) }),
    ...(properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, mapped(inner)])) }),
  };
}
