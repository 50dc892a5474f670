// Checks a decoded tree against a built-in type and gives it the shape upstream's answer has: as if it had gone through Go's decoder and back.
// Unknown fields are dropped and reported, wrong types refused with Go's text, empty values left out or written where Go would.
import { canonicalQuantity } from "../quantity.ts";
import type { JsonObject, JsonValue } from "../scalars.ts";
import { objectSchema } from "../schema/read.ts";
import type { Field, ObjectSchema, ScalarSchema, Schema } from "../schema/schema.ts";
import { DecodeError } from "./errors.ts";
import type { Literals } from "./json.ts";
import { normalizeMicroTime, normalizeTime } from "./time.ts";

export interface TypedOptions {
  /** From `decodeJson`: lets 1.0 and 8e1 be refused for integers, as upstream does. */
  readonly literals?: Literals;
  /** The tree is nobody else's: parts of it that need no change may become parts of the result. Default false. */
  readonly owned?: boolean;
  /** A part of the tree that has been read before, and what it became. */
  readonly ready?: { readonly part: JsonValue; readonly typed: JsonValue };
  /** Whether fields that Go writes even when empty (`status: {}`, `resources: {}`) are filled in. Default true. */
  readonly emitEmpty?: boolean;
}

export interface Typed {
  readonly object: JsonObject;
  /** `unknown field "spec.foo"`, in the order of the tree, at most 100. */
  readonly problems: readonly string[];
}

const maxProblems = 100;
const jsonSchemaProps = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";

/** Reads a tree as an object of the schema. Throws `DecodeError` (`json: cannot unmarshal string into Go struct field ...`). The input is not changed. */
export function decodeTyped(schema: ObjectSchema, value: JsonValue, options: TypedOptions = {}): Typed {
  const reader = new Reader(options);
  const object = reader.object(schema, value, lastTwo(schema.name));
  return { object: object as JsonObject, problems: reader.problems };
}

/** Makes Go's error for a value that does not fit `goType` at the place where the reader is. */
type Mismatch = (what: string, goType: string) => DecodeError;

type Step = string | number;

class Reader {
  readonly problems: string[] = [];
  // where we are: for "unknown field" with indexes and keys, for Go's errors the names of fields only and the struct that holds the last
  readonly #steps: Step[] = [];
  readonly #fields: Field[] = [];
  readonly #structs: string[] = [];
  readonly #mismatch: Mismatch = (what, goType) => {
    const struct = this.#structs.at(-1);
    if (struct === undefined || this.#fields.length === 0)
      return new DecodeError(`json: cannot unmarshal ${what} into Go value of type ${goType}`);
    const path = this.#fields.flatMap((field) => [...(field.embedded ?? []), field.name]).join(".");
    return new DecodeError(`json: cannot unmarshal ${what} into Go struct field ${struct}.${path} of type ${goType}`);
  };
  readonly #literals: Literals | undefined;
  readonly #emitEmpty: boolean;
  readonly #owned: boolean;
  readonly #ready: TypedOptions["ready"];

  constructor(options: TypedOptions) {
    this.#ready = options.ready;
    this.#literals = options.literals;
    this.#emitEmpty = options.emitEmpty ?? true;
    this.#owned = options.owned ?? false;
  }

  object(schema: ObjectSchema, value: JsonValue, goType: string): JsonObject {
    const input = value ?? {};
    if (!isObject(input)) throw this.#mismatch(describe(value), goType);
    this.#structs.push(schema.name.slice(schema.name.lastIndexOf(".") + 1));
    const output = this.#read(schema, input);
    this.#structs.pop();
    return this.#emitEmpty ? this.#fillIn(schema, output) : output;
  }

  /** A copy with what the schema makes of each value. Copies keep the compact form of a parsed object, which objects that grow key by key lose. */
  #read(schema: ObjectSchema, input: JsonObject): JsonObject {
    let output: Record<string, JsonValue | undefined> | undefined = this.#owned ? undefined : { ...input };
    let dropped = false;
    for (const key in input) {
      const field = Object.hasOwn(schema.fields, key) ? schema.fields[key] : undefined;
      const item = input[key];
      let result: JsonValue | undefined;
      this.#steps.push(key);
      if (field === undefined) this.#unknown();
      else if (this.#ready !== undefined && item === this.#ready.part) result = this.#ready.typed;
      else if (item !== undefined && item !== null) {
        this.#fields.push(field);
        const value = this.#value(field.schema, item, field.goType ?? "", input, key);
        this.#fields.pop();
        if (isWritten(field, value)) result = value;
      }
      this.#steps.pop();
      if (result === undefined) dropped = true;
      if (result === item && output === undefined) continue;
      output ??= { ...input };
      setOwn(output, key, result);
    }
    if (output === undefined) return input;
    return dropped ? withoutUndefined(output) : (output as JsonObject);
  }

  #fillIn(schema: ObjectSchema, object: JsonObject): JsonObject {
    let output: Record<string, JsonValue | undefined> = object;
    for (const field of emitted(schema)) {
      if (output[field.name] !== undefined) continue;
      if (output === object) output = { ...object };
      output[field.name] = field.pointer === true ? null : this.#zero(field.schema, field.goType ?? "");
    }
    return output as JsonObject;
  }

  #zero(schema: Schema, goType: string): JsonValue {
    switch (schema.kind) {
      case "object":
        return this.object(schema, {}, goType);
      case "list":
      case "map":
      case "any":
        return null;
      case "scalar":
        return zeroScalar(schema);
      default:
        return schema satisfies never;
    }
  }

  /** In a map: bytes that are null come back as none. */
  #zeroIn(values: Schema, goType: string): JsonValue {
    return values.kind === "scalar" && values.type === "bytes" ? "" : this.#zero(values, goType);
  }

  #value(schema: Schema, value: JsonValue, goType: string, holder: object, key: string): JsonValue {
    switch (schema.kind) {
      case "object":
        return this.object(schema, value, goType);
      case "scalar":
        return readScalar(schema, value, goType, this.#literals?.get(holder)?.get(key), this.#mismatch);
      case "any":
        return this.#any(value, goType);
      case "list": {
        if (!Array.isArray(value)) throw this.#mismatch(describe(value), goType);
        const itemType = elementGo(goType, schema.items);
        let output: JsonValue[] | undefined = this.#owned ? undefined : [...value];
        for (let index = 0; index < value.length; index++) {
          const item = value[index] as JsonValue; // index < length
          this.#steps.push(index);
          const result =
            item === null
              ? this.#zero(schema.items, itemType)
              : this.#value(schema.items, item, itemType, value, this.#literals === undefined ? "" : String(index));
          this.#steps.pop();
          if (result === item) continue;
          output ??= [...value];
          output[index] = result;
        }
        return output ?? value;
      }
      case "map": {
        if (!isObject(value)) throw this.#mismatch(describe(value), goType);
        const valueType = elementGo(goType, schema.values);
        let output: Record<string, JsonValue | undefined> | undefined = this.#owned ? undefined : { ...value };
        for (const name in value) {
          const item = value[name];
          this.#steps.push(name);
          const isNull = item === undefined || item === null;
          const result = isNull
            ? this.#zeroIn(schema.values, valueType)
            : this.#value(schema.values, item, valueType, value, name);
          this.#steps.pop();
          if (result === item) continue;
          output ??= { ...value };
          setOwn(output, name, result);
        }
        return (output ?? value) as JsonObject;
      }
      default:
        return schema satisfies never;
    }
  }

  // the unions of JSON Schema have their own decoder upstream: it checks what is inside, and stays silent on unknown fields
  #any(value: JsonValue, goType: string): JsonValue {
    const quiet = (item: JsonValue): JsonValue => {
      const reader = new Reader({
        ...(this.#literals === undefined ? {} : { literals: this.#literals }),
        emitEmpty: this.#emitEmpty,
      });
      return reader.object(objectSchema(jsonSchemaProps), item, "v1.JSONSchemaProps");
    };
    if (goType.endsWith("v1.JSONSchemaPropsOrBool")) {
      if (typeof value === "boolean") return value;
      if (isObject(value)) return quiet(value);
      throw new DecodeError("boolean or JSON schema expected");
    }
    if (goType.endsWith("v1.JSONSchemaPropsOrArray"))
      return Array.isArray(value) ? value.map(quiet) : isObject(value) ? quiet(value) : value;
    if (goType.endsWith("v1.JSONSchemaPropsOrStringArray")) return isObject(value) ? quiet(value) : value;
    return value;
  }

  #unknown(): void {
    if (this.problems.length < maxProblems) this.problems.push(`unknown field "${pathText(this.#steps)}"`);
  }
}

const emittedFields = new WeakMap<ObjectSchema, readonly Field[]>();

function emitted(schema: ObjectSchema): readonly Field[] {
  const known = emittedFields.get(schema);
  if (known !== undefined) return known;
  const fields = Object.values(schema.fields).filter((field) => field.emitEmpty === true);
  emittedFields.set(schema, fields);
  return fields;
}

/** Go's omitempty: a pointer is written whatever it points to, anything else only when it is not empty. */
function isWritten(field: Field, value: JsonValue): boolean {
  if (field.pointer === true || field.emitEmpty === true) return true;
  if (value === null || value === "" || value === 0 || value === false) return field.schema.kind === "any";
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object" && field.schema.kind === "map") return Object.keys(value).length > 0;
  if (typeof value === "object" && field.schema.kind === "object") return Object.keys(value).length > 0;
  return true;
}

function zeroScalar(schema: ScalarSchema): JsonValue {
  switch (schema.type) {
    case "string":
      return "";
    case "bytes":
      return null;
    case "boolean":
      return false;
    case "int32":
    case "int64":
    case "double":
    case "intOrString":
      return 0;
    case "quantity":
      return "0";
    case "time":
    case "microTime":
      return null;
    default:
      return schema.type satisfies never;
  }
}

function readScalar(
  schema: ScalarSchema,
  value: JsonValue,
  goType: string,
  literal: string | undefined,
  mismatch: Mismatch,
): JsonValue {
  switch (schema.type) {
    case "string":
      if (typeof value !== "string") throw mismatch(describe(value), goType);
      return value;
    case "boolean":
      if (typeof value !== "boolean") throw mismatch(describe(value), goType);
      return value;
    case "int32":
      return readInteger(value, literal, 31n, goType, mismatch);
    case "int64":
      return readInteger(value, literal, 63n, goType, mismatch);
    case "double":
      if (typeof value === "bigint") return Number(value);
      if (typeof value !== "number") throw mismatch(describe(value), goType);
      if (!Number.isFinite(value)) throw mismatch(`number ${literal ?? String(value)}`, goType);
      return value;
    case "quantity":
      try {
        return canonicalQuantity(literal ?? quantityText(value));
      } catch (error) {
        throw new DecodeError(error instanceof Error ? error.message : String(error));
      }
    case "intOrString":
      return typeof value === "string" ? value : readInteger(value, literal, 31n, "int32", mismatch);
    case "time":
    case "microTime":
      if (typeof value !== "string") throw mismatch(describe(value), "string");
      return schema.type === "time" ? normalizeTime(value) : normalizeMicroTime(value);
    case "bytes":
      return readBytes(value, goType, mismatch);
    default:
      return schema.type satisfies never;
  }
}

// what is not a string or a number reads as its JSON text, which then is no quantity
const quantityText = (value: JsonValue): string | number =>
  typeof value === "string" || typeof value === "number" ? value : typeof value === "bigint" ? String(value) : "x";

function readInteger(value: unknown, literal: string | undefined, bits: bigint, goType: string, mismatch: Mismatch): number {
  if (typeof value !== "number" && typeof value !== "bigint") throw mismatch(describe(value as JsonValue), goType);
  if (literal !== undefined || (typeof value === "number" && !Number.isInteger(value)))
    throw mismatch(`number ${literal ?? String(value)}`, goType);
  if (typeof value === "number" && Math.abs(value) < 2 ** 31) return value;
  const limit = 2n ** bits;
  const integer = BigInt(value);
  if (integer >= limit || integer < -limit) throw mismatch(`number ${integer}`, goType);
  return value as number;
}

function readBytes(value: JsonValue, goType: string, mismatch: Mismatch): string {
  if (Array.isArray(value)) {
    return Buffer.from(
      value.map((item: JsonValue) => {
        if (typeof item !== "number") throw mismatch(describe(item), "uint8");
        if (!Number.isInteger(item) || item < 0 || item > 255) throw mismatch(`number ${item}`, "uint8");
        return item;
      }),
    ).toString("base64");
  }
  if (typeof value !== "string") throw mismatch(describe(value), goType);
  const text = /[\r\n]/.test(value) ? value.replace(/[\r\n]/g, "") : value;
  if (text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text)) return text;
  throw new DecodeError(`illegal base64 data at input byte ${badByte(value)}`);
}

/** Where Go's decoder gives up: the first byte that cannot stand there, or the last group when it is cut short. */
function badByte(text: string): number {
  let inGroup = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? "";
    if (char === "\r" || char === "\n") continue;
    if (char === "=") {
      if (inGroup < 2) return at;
      const rest = text.slice(at + 1).replace(/[\r\n]/g, "");
      if (inGroup === 2 && !rest.startsWith("=")) return rest === "" ? text.length : at + 1;
      return at + (inGroup === 2 ? 2 : 1);
    }
    if (!/[A-Za-z0-9+/]/.test(char)) return at;
    inGroup = (inGroup + 1) % 4;
  }
  return text.length - inGroup;
}

function describe(value: JsonValue): string {
  if (Array.isArray(value)) return "array";
  if (value === null) return "null";
  switch (typeof value as string) {
    case "boolean":
      return "bool";
    case "number":
    case "bigint":
      return "number";
    default:
      return typeof value;
  }
}

const elementTypes = new Map<string, string>();

/** The Go type of a list's items or a map's values. A named list or map type ("v1.ExtraValue") does not show it: the shape does. */
function elementGo(goType: string, schema: Schema): string {
  const known = elementTypes.get(goType);
  if (known !== undefined) return known;
  const bare = /^(?:\[\]|map\[[^\]]*\])\*?(.*)$/.exec(goType)?.[1];
  if (bare !== undefined) {
    elementTypes.set(goType, bare);
    return bare;
  }
  switch (schema.kind) {
    case "object":
      return lastTwo(schema.name);
    case "scalar":
      return {
        string: "string",
        boolean: "bool",
        int32: "int32",
        int64: "int64",
        double: "float64",
        quantity: "resource.Quantity",
        intOrString: "intstr.IntOrString",
        time: "v1.Time",
        microTime: "v1.MicroTime",
        bytes: "[]uint8",
      }[schema.type];
    case "any":
      return "v1.JSON";
    default:
      return "";
  }
}

const lastTwo = (name: string): string => name.split(".").slice(-2).join(".");

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function pathText(steps: readonly Step[]): string {
  let text = "";
  for (const step of steps) text += typeof step === "number" ? `[${step}]` : text === "" ? step : `.${step}`;
  return text;
}

/** In the same order. */
function withoutUndefined(object: Readonly<Record<string, JsonValue | undefined>>): JsonObject {
  const kept: Record<string, JsonValue> = {};
  for (const key in object) {
    const value = object[key];
    if (value !== undefined) setOwn(kept, key, value);
  }
  return kept;
}

function setOwn(target: Record<string, JsonValue | undefined>, key: string, value: JsonValue | undefined): void {
  if (key === "__proto__") Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  else target[key] = value;
}
