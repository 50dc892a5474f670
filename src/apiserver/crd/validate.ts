// Checks a custom object's values against its OpenAPI schema, with upstream's messages.
import { RE2JS } from "re2js";
import { deepEqual, duplicate, type FieldError, invalidValue, notSupported, required, tooLong } from "#api";
import { formatProblem } from "./formats.ts";
import type { Props } from "./props.ts";

type Loose = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Loose => typeof value === "object" && value !== null && !Array.isArray(value);

type Pattern = (text: string) => boolean;

/** Compiles user patterns once; linear time whatever they are. */
class Patterns {
  readonly #known = new Map<string, Pattern>();

  get(source: string): Pattern {
    let pattern = this.#known.get(source);
    if (pattern === undefined) {
      const compiled = RE2JS.compile(source);
      pattern = (text) => compiled.matcher(text).find();
      this.#known.set(source, pattern);
    }
    return pattern;
  }
}

/** A whole-object complaint has no field of its own. */
const general = (text: string): FieldError => ({ type: "FieldValueInvalid", field: "<nil>", value: "", detail: text });

export class Validator {
  readonly #patterns = new Patterns();

  /** Errors of `value` at `path`, in upstream's order: combinations, type, then the value's own keywords, then what it holds. */
  check(props: Props, value: unknown, path: string): FieldError[] {
    const errors: FieldError[] = [];
    this.#value(props, value, path, errors);
    return errors;
  }

  #value(props: Props, value: unknown, path: string, errors: FieldError[]): void {
    if (value !== null || props.nullable !== true) this.#type(props, value, path, errors);
    if (value !== null) this.#combinations(props, value, path, errors);
    if (typeof value === "string") this.#string(props, value, path, errors);
    if (typeof value === "number" || typeof value === "bigint") this.#number(props, Number(value), value, path, errors);
    if (Array.isArray(value)) this.#list(props, value, path, errors);
    this.#enum(props, value, path, errors);
    if (isObject(value)) this.#object(props, value, path, errors);
  }

  /** Null is never one of the values, also where the list has it. */
  #enum(props: Props, value: unknown, path: string, errors: FieldError[]): void {
    if (props.enum === undefined || (value !== null && props.enum.some((item) => deepEqual(item, value)))) return;
    errors.push({
      ...notSupported(path, value, []),
      detail: `supported values: ${props.enum.map((item) => JSON.stringify(typeof item === "string" ? item : JSON.stringify(item))).join(", ")}`,
    });
  }

  #type(props: Props, value: unknown, path: string, errors: FieldError[]): void {
    if (props["x-kubernetes-int-or-string"] === true) {
      if (typeof value === "string" || (typeof value === "number" && Number.isInteger(value)) || typeof value === "bigint")
        return;
      errors.push(typeError(path, "integer,string", value));
      return;
    }
    const { type } = props;
    if (type === undefined || type === "") return;
    const actual = typeWord(value);
    if (actual === type || (type === "number" && actual === "integer")) return;
    if (type === "integer" && actual === "number") {
      const { format = "" } = props;
      errors.push(typeError(path, format === "" ? "integer" : format, value, format === "" ? "number" : "float64"));
      errors.push(
        general(
          `Checked value must be of type integer ${format === "" ? "(default format)" : `with format ${format}`} in ${path}`,
        ),
      );
      return;
    }
    errors.push(typeError(path, type, value));
  }

  #string(props: Props, value: string, path: string, errors: FieldError[]): void {
    const length = [...value].length;
    // the first of these three that fails is the one that is told
    if (props.maxLength !== undefined && length > props.maxLength) errors.push(tooLong(path, props.maxLength));
    else if (props.minLength !== undefined && length < props.minLength)
      errors.push(invalidValue(path, value, `${path} in body should be at least ${props.minLength} chars long`));
    else if (props.pattern !== undefined && !this.#patterns.get(props.pattern)(value))
      errors.push(invalidValue(path, value, `${path} in body should match '${props.pattern}'`));
    const problem = props.format === undefined ? undefined : formatProblem(props.format, value);
    if (problem !== undefined)
      errors.push(invalidValue(path, value, `${path} in body must be of type ${props.format}: ${JSON.stringify(value)}`));
  }

  #number(props: Props, value: number, shown: unknown, path: string, errors: FieldError[]): void {
    const outside = (low: number, high: number): boolean => value < low || value > high;
    const format = props.format ?? "";
    if (props.type === "integer" && format === "int32" && outside(-2147483648, 2147483647))
      errors.push(general(`Checked value must be of type integer with format int32 in ${path}`));
    if (props.type === "number" && format === "float" && Math.abs(value) > 3.4028234663852886e38)
      errors.push(general(`Checked value must be of type number with format float in ${path}`));
    if (props.multipleOf !== undefined && !isMultiple(value, props.multipleOf))
      errors.push(invalidValue(path, shown, `${path} in body should be a multiple of ${props.multipleOf}`));
    if (props.maximum !== undefined && (props.exclusiveMaximum === true ? value >= props.maximum : value > props.maximum)) {
      errors.push(
        invalidValue(
          path,
          shown,
          `${path} in body should be less than ${props.exclusiveMaximum === true ? "" : "or equal to "}${props.maximum}`,
        ),
      );
    }
    if (props.minimum !== undefined && (props.exclusiveMinimum === true ? value <= props.minimum : value < props.minimum)) {
      errors.push(
        invalidValue(
          path,
          shown,
          `${path} in body should be greater than ${props.exclusiveMinimum === true ? "" : "or equal to "}${props.minimum}`,
        ),
      );
    }
  }

  #combinations(props: Props, value: unknown, path: string, errors: FieldError[]): void {
    const tried = (schemas: readonly Props[]): FieldError[][] => schemas.map((schema) => this.check(schema, value, path));
    if (props.anyOf !== undefined && props.anyOf.length > 0) {
      const results = tried(props.anyOf);
      if (!results.some((result) => result.length === 0))
        errors.push(general(`"${path}" must validate at least one schema (anyOf)`), ...best(results));
    }
    if (props.oneOf !== undefined && props.oneOf.length > 0) {
      const results = tried(props.oneOf);
      const valid = results.filter((result) => result.length === 0).length;
      if (valid !== 1) {
        errors.push(
          general(
            `"${path}" must validate one and only one schema (oneOf). ${valid === 0 ? "Found none valid" : `Found ${valid} valid alternatives`}`,
          ),
          ...(valid === 0 ? best(results) : []),
        );
      }
    }
    if (props.allOf !== undefined && props.allOf.length > 0) {
      const results = tried(props.allOf);
      const failed = results.filter((result) => result.length > 0);
      if (failed.length > 0)
        errors.push(
          ...failed.flat(),
          general(`"${path}" must validate all the schemas (allOf)${failed.length === results.length ? ". None validated" : ""}`),
        );
    }
    if (props.not !== undefined && this.check(props.not, value, path).length === 0)
      errors.push(general(`"${path}" must not validate the schema (not)`));
  }

  #list(props: Props, value: readonly unknown[], path: string, errors: FieldError[]): void {
    if (props.items !== undefined)
      for (const [index, item] of value.entries()) this.#value(props.items, item, `${path}[${index}]`, errors);
    if (props.minItems !== undefined && value.length < props.minItems)
      errors.push(invalidValue(path, value.length, `${path} in body should have at least ${props.minItems} items`));
    if (props.maxItems !== undefined && value.length > props.maxItems) errors.push(tooMany(path, value.length, props.maxItems));
    this.#unique(props, value, path, errors);
  }

  #unique(props: Props, value: readonly unknown[], path: string, errors: FieldError[]): void {
    const listType = props["x-kubernetes-list-type"];
    if (listType !== "set" && listType !== "map") return;
    const keys = props["x-kubernetes-list-map-keys"] ?? [];
    const seen = new Map<string, number>();
    for (const [index, item] of value.entries()) {
      const key = JSON.stringify(listType === "set" ? item : keys.map((name) => (isObject(item) ? (item[name] ?? null) : null)));
      const times = seen.get(key) ?? 0;
      seen.set(key, times + 1);
      if (times === 1) errors.push(duplicate(`${path}[${index}]`, item));
    }
  }

  #object(props: Props, value: Loose, path: string, errors: FieldError[]): void {
    const at = (key: string): string => (path === "" ? key : `${path}.${key}`);
    const count = Object.keys(value).length;
    const values = typeof props.additionalProperties === "object" ? props.additionalProperties : undefined;
    for (const key of Object.keys(value).sort()) {
      const inner = Object.hasOwn(props.properties ?? {}, key) ? props.properties?.[key] : values;
      if (inner !== undefined) this.#value(inner, value[key], at(key), errors);
    }
    if (props.minProperties !== undefined && count < props.minProperties)
      errors.push(invalidValue(path, count, `${path} in body should have at least ${props.minProperties} properties`));
    if (props.maxProperties !== undefined && count > props.maxProperties) errors.push(tooMany(path, count, props.maxProperties));
    for (const name of props.required ?? []) if (value[name] === undefined) errors.push(required(at(name)));
  }
}

/** The alternative that came closest is explained; of equal ones the first. */
const best = (results: readonly FieldError[][]): FieldError[] => {
  const count = (errors: readonly FieldError[]): number => errors.filter(({ field }) => field !== "<nil>").length;
  return results.reduce((a, b) => (count(b) < count(a) ? b : a), results[0] ?? []);
};

function typeWord(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "bigint") return BigInt.asIntN(64, value) === value ? "integer" : "number";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

const typeError = (path: string, type: string, value: unknown, actual = typeWord(value)): FieldError => ({
  type: "FieldValueTypeInvalid",
  field: path,
  value: actual,
  detail: `${path} in body must be of type ${type}: "${actual}"`,
});
const tooMany = (field: string, actual: number, max: number): FieldError => ({
  type: "FieldValueTooMany",
  field,
  value: actual,
  detail: `must have at most ${max} item${max === 1 ? "" : "s"}`,
});

function isMultiple(value: number, of: number): boolean {
  const quotient = value / of;
  return Math.abs(quotient - Math.round(quotient)) < 1e-9;
}
