// Turns our facts into the schema objects of OpenAPI, in the form of version 2 or 3.

import { builtInKinds, objectSchema, objectSchemaNames } from "../schema/read.ts";
import type { Schema } from "../schema/schema.ts";

export type Json = { [key: string]: unknown };
export type OpenApiVersion = "v2" | "v3";
/** Type -> [its description, { field: description }]. */
export type Descriptions = Readonly<Record<string, readonly [string, Readonly<Record<string, string>>]>>;

const meta = "io.k8s.apimachinery.pkg.apis.meta.v1.";

/** The leaf types that the documents name: quantities, times, raw objects. */
export const leafNames: Readonly<Record<string, string>> = {
  quantity: "io.k8s.apimachinery.pkg.api.resource.Quantity",
  intOrString: "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
  time: `${meta}Time`,
  microTime: `${meta}MicroTime`,
  "runtime.RawExtension": "io.k8s.apimachinery.pkg.runtime.RawExtension",
  "v1.FieldsV1": `${meta}FieldsV1`,
  "v1.JSON": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON",
};

export const prefixOf = (version: OpenApiVersion): string => (version === "v3" ? "#/components/schemas/" : "#/definitions/");

/** The schema of a leaf type. */
export function leafSchema(name: string, version: OpenApiVersion): Json | undefined {
  const either = (type: string): Json => (version === "v3" ? { oneOf: [{ type: "string" }, { type }] } : { type: "string" });
  switch (name) {
    case leafNames.quantity:
      return { description: 'Quantity is a fixed-point number such as "250m", "1.5" or "64Gi".', ...either("number") };
    case leafNames.intOrString:
      return {
        description: "IntOrString is a number or a text: a port by number or name, a count or a percentage.",
        format: "int-or-string",
        ...either("integer"),
      };
    case leafNames.time:
      return { description: "Time in seconds, RFC 3339.", type: "string", format: "date-time" };
    case leafNames.microTime:
      return { description: "Time in microseconds, RFC 3339.", type: "string", format: "date-time" };
    case leafNames["runtime.RawExtension"]:
      return { description: "Any object.", type: "object" };
    case leafNames["v1.FieldsV1"]:
      return { description: 'A set of fields as a tree of "f:<name>", "k:<keys>", "v:<value>", "i:<index>".', type: "object" };
    case leafNames["v1.JSON"]:
      return { description: "Any JSON value." };
    default:
      return undefined;
  }
}

/** The schema of one built-in type; every name it refers to is added to `used`. */
export function typeSchema(name: string, version: OpenApiVersion, descriptions: Descriptions, used: Set<string>): Json {
  const schema = objectSchema(name);
  const [description, fields] = descriptions[name] ?? ["", {}];
  const properties: Json = {};
  const required: string[] = [];
  for (const field of Object.values(schema.fields)) {
    const text = fields[field.name] ?? "";
    const shape = valueSchema(field.schema, field.goType ?? "", version, used);
    const wrapped =
      version === "v3" && "$ref" in shape ? { allOf: [shape], ...(field.pointer === true ? {} : { default: {} }) } : shape;
    const property: Json = { ...(text === "" ? {} : { description: text }), ...wrapped };
    if (field.default !== undefined) property.default = field.default;
    if (field.schema.kind === "list") {
      // the document says what upstream's says: a plain list without a list type is atomic, and is not marked
      if (field.schema.listType !== "atomic") property["x-kubernetes-list-type"] = field.schema.listType;
      if (field.schema.mapKeys.length > 0) property["x-kubernetes-list-map-keys"] = field.schema.mapKeys;
    }
    if (isMarkedAtomic(field.schema)) property["x-kubernetes-map-type"] = "atomic";
    if (field.patchStrategy.length > 0) property["x-kubernetes-patch-strategy"] = field.patchStrategy.join(",");
    if (field.patchMergeKey !== undefined) property["x-kubernetes-patch-merge-key"] = field.patchMergeKey;
    properties[field.name] = property;
    if (field.required) required.push(field.name);
  }
  const kinds = kindsOf().get(name);
  return {
    ...(description === "" ? {} : { description }),
    type: "object",
    ...(Object.keys(properties).length === 0 ? {} : { properties }),
    ...(required.length === 0 ? {} : { required: required.sort() }),
    ...(kinds === undefined ? {} : { "x-kubernetes-group-version-kind": kinds }),
    ...(schema.atomic ? { "x-kubernetes-map-type": "atomic" } : {}),
  };
}

// of an object only where the field says it: what the type itself says stands with the type
const isMarkedAtomic = (schema: Schema): boolean =>
  (schema.kind === "map" && schema.atomic) || (schema.kind === "object" && schema.atomic && !objectSchema(schema.name).atomic);

function valueSchema(schema: Schema, goType: string, version: OpenApiVersion, used: Set<string>): Json {
  const refer = (name: string): Json => {
    used.add(name);
    return { $ref: prefixOf(version) + name };
  };
  switch (schema.kind) {
    case "object":
      return refer(schema.name);
    case "list":
      return { type: "array", items: inner(schema.items, goType.slice(2), version, used) };
    case "map":
      return { type: "object", additionalProperties: inner(schema.values, goType.replace(/^map\[[^\]]*\]/, ""), version, used) };
    case "any":
      return refer(leafNames[goType] ?? (schema.objectOnly ? leafNames["runtime.RawExtension"] : leafNames["v1.JSON"]) ?? "");
    case "scalar": {
      const values = schema.enum === undefined || version === "v2" ? {} : { enum: schema.enum };
      switch (schema.type) {
        case "string":
          return { type: "string", ...values };
        case "boolean":
          return { type: "boolean" };
        case "int32":
        case "int64":
          return { type: "integer", format: schema.type };
        case "double":
          return { type: "number", format: "double" };
        case "bytes":
          return { type: "string", format: "byte" };
        default:
          return refer(leafNames[schema.type] ?? "");
      }
    }
    default:
      return schema satisfies never;
  }
}

function inner(schema: Schema, goType: string, version: OpenApiVersion, used: Set<string>): Json {
  const shape = valueSchema(schema, goType, version, used);
  return version === "v3" && "$ref" in shape ? { allOf: [shape], default: {} } : shape;
}

/** Type -> the kinds it is; the options types are a kind of every group. */
function kindsOf(): Map<string, Json[]> {
  const result = new Map<string, Json[]>();
  for (const [key, name] of Object.entries(builtInKinds())) {
    const [group = "", version = "", kind = ""] = key.split("/");
    if (group === "meta.k8s.io") continue;
    result.set(name, [...(result.get(name) ?? []), { group, kind, version }]);
  }
  return result;
}

/** The schemas of the named types and of all they refer to, sorted by name. */
export function schemasOf(names: Iterable<string>, version: OpenApiVersion, descriptions: Descriptions): Json {
  const used = new Set(names);
  const result = new Map<string, Json>();
  // a set may grow while it is walked: new names are reached too
  for (const name of used) result.set(name, leafSchema(name, version) ?? typeSchema(name, version, descriptions, used));
  return Object.fromEntries([...result].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Every type that the documents of version 2 list. */
export const allTypes = (): readonly string[] => objectSchemaNames();
