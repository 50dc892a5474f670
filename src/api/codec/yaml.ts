// YAML as kubectl and the API server read it: one document becomes a JSON tree, with the scalar rules of YAML 1.1 as Go's library has them.
import {
  constructFromEvents,
  defineMappingTag,
  defineScalarTag,
  defineSequenceTag,
  dump,
  EVENT_ALIAS,
  EVENT_DOCUMENT,
  EVENT_MAPPING,
  EVENT_POP,
  EVENT_SCALAR,
  EVENT_SEQUENCE,
  type Event,
  getScalarValue,
  mergeTag,
  NOT_RESOLVED,
  parseEvents,
  Schema,
  YAMLException,
} from "js-yaml";
import type { JsonObject, JsonValue } from "../scalars.ts";
import { DecodeError } from "./errors.ts";
import { type Decoded, type DecodeOptions, decodeJson } from "./json.ts";
import { yamlSyntaxError } from "./yaml-syntax.ts";

/** Aliases may make a small text a huge tree; beyond this many values it is refused, as upstream refuses it. */
const maxNodes = 400_000;

/** Upstream stops at 10,000; the parser here goes down its own stack, which must not overflow. */
const deepest = 1000;

const words: ReadonlyMap<string, null | boolean> = new Map<string, null | boolean>([
  ...["", "~", "null", "Null", "NULL"].map((word) => [word, null] as const),
  ...["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"].map((word) => [word, true] as const),
  ...["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"].map((word) => [word, false] as const),
]);
const infinities: Readonly<Record<string, string>> = {
  ".inf": "+Inf",
  ".Inf": "+Inf",
  ".INF": "+Inf",
  "+.inf": "+Inf",
  "+.Inf": "+Inf",
  "+.INF": "+Inf",
  "-.inf": "-Inf",
  "-.Inf": "-Inf",
  "-.INF": "-Inf",
  ".nan": "NaN",
  ".NaN": "NaN",
  ".NAN": "NaN",
};

/** A plain scalar's value by the rules of Go's YAML 1.1 library: 0644 is 420, `on` is true, 1_000 is 1000, 1:30 and dates stay text. */
export function resolveYamlScalar(text: string): null | boolean | number | bigint | string {
  const word = words.get(text);
  if (word !== undefined) return word;
  if (!/^[-+.0-9]/.test(text)) return text;
  const infinity = infinities[text];
  if (infinity !== undefined) throw new DecodeError(`error converting YAML to JSON: json: unsupported value: ${infinity}`);
  const plain = text.replaceAll("_", "");
  return integerOf(plain) ?? floatOf(plain) ?? text;
}

function integerOf(plain: string): number | bigint | undefined {
  const match = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]*|[1-9][0-9]*)$/.exec(plain);
  if (match === null) return undefined;
  const [, sign = "", digits = "0"] = match;
  const magnitude = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  const value = sign === "-" ? -magnitude : magnitude;
  // what does not fit 64 bits goes through a float
  if (value >= 2n ** 63n || value < -(2n ** 63n)) return Number(value);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

const floatOf = (plain: string): number | undefined =>
  /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/.test(plain) ? Number(plain) : undefined;

const plainTag = defineScalarTag("tag:yaml.org,2002:float", {
  implicit: true,
  resolve: (source) => {
    const value = resolveYamlScalar(source);
    return typeof value === "string" ? NOT_RESOLVED : value;
  },
  identify: (data) => data === null || ["boolean", "number", "bigint"].includes(typeof data),
  represent: (data) => (data === null ? "null" : String(data)),
});
const stringTag = defineScalarTag("tag:yaml.org,2002:str", {
  resolve: (source) => source,
  identify: (data) => typeof data === "string",
  represent: (data) => String(data),
});
const nullTag = defineScalarTag("tag:yaml.org,2002:null", { resolve: () => null, identify: () => false });
const typedTags = ["bool", "int"].map((name) =>
  defineScalarTag(`tag:yaml.org,2002:${name}`, { resolve: (source) => resolveYamlScalar(source), identify: () => false }),
);
const binaryTag = defineScalarTag("tag:yaml.org,2002:binary", {
  resolve: (source) => Buffer.from(source, "base64").toString("utf8"),
  identify: () => false,
});
// a tag that nobody knows says nothing: upstream takes the value as it stands
const otherScalars = ["!", "tag:"].map((prefix) =>
  defineScalarTag(prefix, { matchByTagPrefix: true, resolve: (source) => source, identify: () => false }),
);

const sequence = (tagName: string, matchByTagPrefix = false) =>
  defineSequenceTag<unknown[]>(tagName, {
    matchByTagPrefix,
    create: () => [],
    addItem: (list, item) => void list.push(item),
    identify: (data) => !matchByTagPrefix && Array.isArray(data),
  });

const mapping = (tagName: string, matchByTagPrefix = false) =>
  defineMappingTag<Record<string, unknown>>(tagName, {
    matchByTagPrefix,
    create: () => ({}),
    addPair: (map, key, value) => {
      Object.defineProperty(map, keyText(key), { value, enumerable: true, configurable: true, writable: true });
      return "";
    },
    // a key that stands twice is not refused here: the last one holds, and strict mode reports it
    has: () => false,
    keys: (map) => Object.keys(map),
    get: (map, key) => map[keyText(key)],
    identify: (data) => !matchByTagPrefix && typeof data === "object" && data !== null && !Array.isArray(data),
    represent: (data) => new Map(Object.entries(data as object).filter(([, value]) => value !== undefined)),
  });

function keyText(key: unknown): string {
  if (typeof key === "object" && key !== null) throw new DecodeError(`yaml: invalid map key: ${goSyntax(key)}`);
  return String(key);
}

// a value as Go's %#v prints it: upstream shows a key that is no scalar in this way
function goSyntax(value: unknown): string {
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(", ")}}`;
  if (typeof value === "object" && value !== null)
    return `map[interface {}]interface {}{${Object.entries(value)
      .map(([key, item]) => `${JSON.stringify(key)}:${goSyntax(item)}`)
      .join(", ")}}`;
  return value === null ? "interface {}(nil)" : JSON.stringify(value);
}

const schema = new Schema([
  stringTag,
  plainTag,
  nullTag,
  ...typedTags,
  binaryTag,
  mergeTag,
  ...otherScalars,
  sequence("tag:yaml.org,2002:seq"),
  ...["!", "tag:"].map((prefix) => sequence(prefix, true)),
  mapping("tag:yaml.org,2002:map"),
  ...["!", "tag:"].map((prefix) => mapping(prefix, true)),
]);

// Go's writer quotes what older readers might take for a date or a number to base 60
const doubtfulTag = defineScalarTag("tag:yaml.org,2002:timestamp", {
  implicit: true,
  resolve: (source) =>
    /^\d{4}-\d{1,2}-\d{1,2}([Tt ].*)?$|^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$/.test(source) ? {} : NOT_RESOLVED,
  identify: () => false,
});
const dumpSchema = schema.withTags(doubtfulTag);

/** Reads the first document of a YAML text. Throws `DecodeError` with upstream's text ("yaml: line 2: ..."). */
export function decodeYaml(input: Uint8Array | string, options: DecodeOptions = {}): Decoded {
  const text = typeof input === "string" ? input : Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString("utf8");
  const [first] = documents(text, options, 1);
  return first ?? { value: null, problems: [], literals: new Map() };
}

/** Reads every document of a YAML text; empty documents are left out, as kubectl does. */
export const decodeYamlDocuments = (input: Uint8Array | string, options: DecodeOptions = {}): Decoded[] =>
  documents(
    typeof input === "string" ? input : Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString("utf8"),
    options,
    Number.POSITIVE_INFINITY,
  ).filter(({ value }) => value !== null);

const controlCharacters = /(?![\t\n\r\u0085])\p{Cc}/u;

function documents(text: string, options: DecodeOptions, most: number): Decoded[] {
  const maxDepth = Math.min(options.maxDepth ?? deepest, deepest);
  if (/^\s*?\t/.test(text)) throw new DecodeError("yaml: found character that cannot start any token");
  if (controlCharacters.test(text)) throw new DecodeError("yaml: control characters are not allowed");
  try {
    const all = split(parseEvents(text, { maxDepth }));
    return all.slice(0, most).map((events) => {
      const [value] = constructFromEvents(events, { source: text, schema, json: true });
      const duplicates = duplicateKeys(text, events);
      return {
        value: expand(value as JsonValue, maxDepth),
        problems:
          duplicates.length === 0
            ? []
            : [
                `yaml: unmarshal errors:\n${duplicates.map(({ line, key }) => `  line ${line}: key "${key}" already set in map`).join("\n")}`,
              ],
        literals: new Map(),
      };
    });
  } catch (error) {
    if (error instanceof YAMLException) throw yamlSyntaxError(error, text);
    throw error;
  }
}

/** Writes a tree as YAML: keys sorted, lists not indented, as kubectl and the API server print it. */
export const encodeYaml = (value: unknown): Buffer =>
  Buffer.from(
    dump(value, { schema: dumpSchema, sortKeys: true, noRefs: true, seqNoIndent: true, lineWidth: -1, quoteStyle: "double" }),
    "utf8",
  );

/** Reads what a file or a body may hold: JSON when it begins as JSON does, YAML otherwise. */
export function decodeJsonOrYaml(input: Uint8Array | string, options: DecodeOptions = {}): Decoded {
  const text = typeof input === "string" ? input : Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString("utf8");
  return /^\s*\{/.test(text) ? decodeJson(text, options) : decodeYaml(text, options);
}

function split(events: readonly Event[]): Event[][] {
  const result: Event[][] = [];
  let depth = 0;
  for (const event of events) {
    if (event.type === EVENT_DOCUMENT && depth === 0) result.push([]);
    result.at(-1)?.push(event);
    if (event.type === EVENT_DOCUMENT || event.type === EVENT_SEQUENCE || event.type === EVENT_MAPPING) depth++;
    if (event.type === EVENT_POP) depth--;
  }
  return result;
}

interface Frame {
  readonly keys: Set<string> | undefined;
  expectKey: boolean;
}

function duplicateKeys(text: string, events: readonly Event[]): { line: number; key: string }[] {
  const found: { line: number; key: string }[] = [];
  const stack: Frame[] = [];
  for (const event of events) {
    const frame = stack.at(-1);
    if (event.type === EVENT_POP) {
      stack.pop();
      continue;
    }
    if (event.type === EVENT_SCALAR && frame?.keys !== undefined && frame.expectKey) {
      const key = getScalarValue(text, event);
      if (frame.keys.has(key)) found.push({ line: lineOf(text, event.valueStart), key });
      frame.keys.add(key);
    }
    if (frame?.keys !== undefined) frame.expectKey = !frame.expectKey;
    if (event.type === EVENT_MAPPING) stack.push({ keys: new Set(), expectKey: true });
    else if (event.type === EVENT_SEQUENCE || event.type === EVENT_DOCUMENT) stack.push({ keys: undefined, expectKey: false });
    else if (event.type === EVENT_ALIAS) continue;
  }
  return found;
}

function lineOf(text: string, position: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < position; at = text.indexOf("\n", at + 1)) line++;
  return line;
}

// Makes a tree of its own of what was read: keys sorted, as upstream's detour over JSON leaves them (its messages come in that order),
// and values that aliases share copied, within bounds.
function expand(value: JsonValue, maxDepth: number): JsonValue {
  let nodes = 0;
  const seen = new Set<unknown>();
  let shared = false;
  const open = new Set<unknown>();
  const copy = (item: JsonValue, depth: number): JsonValue => {
    if (typeof item !== "object" || item === null) return item;
    if (open.has(item)) throw new DecodeError("yaml: anchor value contains itself");
    if (depth > maxDepth) throw new DecodeError("exceeded max depth");
    if (seen.has(item)) shared = true;
    // a document without aliases is as large as it is; one with aliases is bounded
    if (++nodes > maxNodes && shared) throw new DecodeError("yaml: document contains excessive aliasing");
    seen.add(item);
    open.add(item);
    const result = Array.isArray(item)
      ? item.map((child: JsonValue) => copy(child, depth + 1))
      : sorted(item as JsonObject, (child) => copy(child, depth + 1));
    open.delete(item);
    return result;
  };
  return copy(value, 0);
}

function sorted(object: JsonObject, each: (value: JsonValue) => JsonValue): JsonObject {
  const result: Record<string, JsonValue> = {};
  for (const key of Object.keys(object).sort())
    Object.defineProperty(result, key, {
      value: each(object[key] ?? null),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  return result;
}
