// Reads the compact generated facts into schemas, one type at a time, on first use.
import { assert, own } from "#base";
import facts from "./gen/schemas.json" with { type: "json" };
import type { AnySchema, Field, ListSchema, MapSchema, ObjectSchema, ScalarSchema, Schema } from "./schema.ts";

/** A kind's coordinates. */
export interface KindName {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** One generated line: "containers []io.k8s.api.core.v1.Container #2 required always list=map:name patch=merge key=name". */
export interface FactLine {
  readonly name: string;
  readonly type: string;
  /** Protobuf numbers from the outside in: [2], or [1, 4] for a field of a struct that Go embeds; empty without protobuf. */
  readonly numbers: readonly number[];
  /** Protobuf type where the shape does not tell it. */
  readonly protobuf: string | undefined;
  readonly attributes: ReadonlyMap<string, string>;
}

const types = facts.types as Readonly<Record<string, readonly string[]>>;
const kinds = facts.kinds as Readonly<Record<string, string>>;
const enums = facts.enums as Readonly<Record<string, readonly string[]>>;

const scalar = (type: ScalarSchema["type"]): ScalarSchema => ({ kind: "scalar", type });
const leaves: Readonly<Record<string, Schema>> = {
  string: scalar("string"),
  boolean: scalar("boolean"),
  int32: scalar("int32"),
  int64: scalar("int64"),
  double: scalar("double"),
  quantity: scalar("quantity"),
  intOrString: scalar("intOrString"),
  time: scalar("time"),
  microTime: scalar("microTime"),
  bytes: scalar("bytes"),
  any: { kind: "any", objectOnly: false } satisfies AnySchema,
  anyObject: { kind: "any", objectOnly: true } satisfies AnySchema,
};

// a cache of immutable values derived from immutable data: filled on first use, never changed
const resolved = new Map<string, ObjectSchema>();

/** Whether the facts have a type of this full name. */
export const hasObjectSchema = (fullName: string): boolean => Object.hasOwn(types, fullName);

/** The shape of a built-in type by its full name ("io.k8s.api.core.v1.PodSpec"). Asserts that it exists. */
export function objectSchema(fullName: string): ObjectSchema {
  const known = resolved.get(fullName);
  if (known !== undefined) return known;
  const lines = own(types, fullName);
  assert(lines !== undefined, `the facts must have type "${fullName}"`);
  const fields: Record<string, Field> = {};
  for (const line of lines) if (line !== "~atomic") fields[line.slice(0, line.indexOf(" "))] = new LazyField(line);
  const schema: ObjectSchema = { kind: "object", name: fullName, fields, atomic: lines[0] === "~atomic", preserveUnknown: false };
  resolved.set(fullName, schema);
  return schema;
}

/** The full type name of a built-in kind, lists and options included; undefined for a kind that is not built in. */
export const typeNameOfKind = ({ group, version, kind }: KindName): string | undefined => {
  const key = `${group}/${version}/${kind}`;
  if (Object.hasOwn(kinds, key)) return kinds[key];
  // the options types and WatchEvent belong to every group
  const everywhere = `meta.k8s.io/v1/${kind}`;
  return own(kinds, everywhere);
};

/** The shape of a built-in kind; undefined for a kind that is not built in. */
export function schemaOfKind(name: KindName): ObjectSchema | undefined {
  const fullName = typeNameOfKind(name);
  return fullName === undefined ? undefined : objectSchema(fullName);
}

/** Full names of all built-in types, sorted. */
export const objectSchemaNames = (): readonly string[] => Object.keys(types);

/** "group/version/Kind" -> full type name, of all built-in kinds. */
export const builtInKinds = (): Readonly<Record<string, string>> => kinds;

/** Changes whenever the facts or their descriptions do. */
export const factsHash: string = facts.hash;

/** The generated lines of a type, for the protobuf tables. */
export const factLines = (fullName: string): readonly FactLine[] =>
  (types[fullName] ?? []).filter((line) => line !== "~atomic").map(parseLine);

function parseLine(line: string): FactLine {
  const at = line.indexOf(" default=");
  const [name = "", type = "", ...rest] = (at === -1 ? line : line.slice(0, at)).split(" ");
  const attributes = new Map<string, string>();
  let numbers: readonly number[] = [];
  for (const part of rest) {
    if (part.startsWith("#")) numbers = part.slice(1).split("/").map(Number);
    else attributes.set(part.split("=", 1)[0] ?? "", part.slice(part.indexOf("=") + 1));
  }
  if (at !== -1) attributes.set("default", line.slice(at + " default=".length));
  return { name, type, numbers, protobuf: attributes.get("pb")?.replaceAll("_of_", " "), attributes };
}

class LazyField implements Field {
  readonly #fact: FactLine;
  #schema: Schema | undefined;
  readonly name: string;
  readonly required: boolean;
  readonly default: unknown;
  readonly patchStrategy: Field["patchStrategy"];
  readonly patchMergeKey: string | undefined;
  readonly number: number | undefined;
  readonly protobufType: string | undefined;
  readonly goType: string;
  readonly pointer: boolean;
  readonly emitEmpty: boolean;
  readonly embedded: readonly string[];

  constructor(line: string) {
    const fact = parseLine(line);
    const { attributes } = fact;
    this.name = fact.name;
    this.required = attributes.has("required");
    this.default = attributes.has("default") ? JSON.parse(attributes.get("default") ?? "") : undefined;
    this.patchStrategy = (attributes.get("patch")?.split(",") ?? []) as Field["patchStrategy"];
    this.patchMergeKey = attributes.get("key");
    this.number = fact.numbers.length === 1 ? fact.numbers[0] : undefined;
    this.protobufType = fact.protobuf;
    this.goType = attributes.get("go") ?? goTypeOf(fact.type);
    this.pointer = attributes.has("pointer");
    this.emitEmpty = attributes.has("always");
    this.embedded = attributes.get("in")?.split(".") ?? [];
    this.#fact = fact;
  }

  /** Made when it is asked for (shapes are recursive), and kept. */
  get schema(): Schema {
    this.#schema ??= schemaOf(this.#fact.type, this.#fact);
    return this.#schema;
  }
}

function schemaOf(type: string, fact: FactLine): Schema {
  const leaf = leaves[type];
  const { attributes } = fact;
  if (leaf !== undefined) {
    const values = attributes.has("enum") ? enums[attributes.get("enum") ?? ""] : undefined;
    return values !== undefined && leaf.kind === "scalar" ? { ...leaf, enum: values } : leaf;
  }
  if (type.startsWith("{}"))
    return { kind: "map", values: schemaOf(type.slice(2), inner(fact)), atomic: attributes.has("atomic") } satisfies MapSchema;
  if (type.startsWith("[]")) {
    const [listType = "atomic", keys = ""] = attributes.get("list")?.split(":") ?? [];
    return {
      kind: "list",
      items: schemaOf(type.slice(2), inner(fact)),
      listType: listType as ListSchema["listType"],
      mapKeys: keys === "" ? [] : keys.split(","),
    } satisfies ListSchema;
  }
  const object = objectSchema(type);
  if (attributes.has("granular") && object.atomic) return { ...object, atomic: false };
  return attributes.has("atomic") && !object.atomic ? { ...object, atomic: true } : object;
}

// an enum holds for the innermost values; list and map facts for the outermost only
const inner = (fact: FactLine): FactLine => ({
  ...fact,
  attributes: new Map([...fact.attributes].filter(([key]) => key === "enum")),
});

const leafGo: Readonly<Record<string, string>> = {
  quantity: "resource.Quantity",
  intOrString: "intstr.IntOrString",
  time: "v1.Time",
  microTime: "v1.MicroTime",
  boolean: "bool",
  bytes: "[]uint8",
  double: "float64",
  anyObject: "runtime.RawExtension",
  any: "v1.JSON",
};

function goTypeOf(type: string): string {
  if (type.startsWith("[]")) return `[]${goTypeOf(type.slice(2))}`;
  if (type.startsWith("{}")) return `map[string]${goTypeOf(type.slice(2))}`;
  return leafGo[type] ?? (type.startsWith("io.k8s.") ? type.split(".").slice(-2).join(".") : type);
}
