// A custom resource's OpenAPI schema in the form that merges, apply and managed fields understand.
import { type Field, type ObjectSchema, objectSchema, type Schema } from "#api";
import type { Props } from "./props.ts";

const scalar = (type: "string" | "boolean" | "int64" | "double" | "intOrString"): Schema => ({ kind: "scalar", type });
const anything: Schema = { kind: "any", objectOnly: false };
const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

const field = (name: string, schema: Schema, props?: Props, required = false): Field => ({
  name,
  schema,
  required,
  patchStrategy: [],
  ...(props?.default === undefined ? {} : { default: props.default }),
  ...(props?.description === undefined ? {} : { description: props.description }),
});

export function schemaOf(props: Props): Schema {
  if (props["x-kubernetes-int-or-string"] === true) return scalar("intOrString");
  switch (props.type) {
    case "string":
      return scalar("string");
    case "boolean":
      return scalar("boolean");
    case "integer":
      return scalar("int64");
    case "number":
      return scalar("double");
    case "array": {
      const listType = props["x-kubernetes-list-type"];
      return {
        kind: "list",
        items: props.items === undefined ? anything : schemaOf(props.items),
        listType: listType === "set" || listType === "map" ? listType : "atomic",
        mapKeys: props["x-kubernetes-list-map-keys"] ?? [],
      };
    }
    case "object":
      return objectOf(props);
    default:
      return anything;
  }
}

function objectOf(props: Props): Schema {
  const atomic = props["x-kubernetes-map-type"] === "atomic";
  if (typeof props.additionalProperties === "object" && props.additionalProperties !== null)
    return { kind: "map", values: schemaOf(props.additionalProperties), atomic };
  if (props.additionalProperties === true) return { kind: "map", values: anything, atomic };
  const fields: Record<string, Field> = {};
  const required = new Set(props.required ?? []);
  for (const [name, inner] of Object.entries(props.properties ?? {}))
    fields[name] = field(name, schemaOf(inner), inner, required.has(name));
  if (props["x-kubernetes-embedded-resource"] === true) Object.assign(fields, typeFields());
  return { kind: "object", name: "", fields, atomic, preserveUnknown: props["x-kubernetes-preserve-unknown-fields"] === true };
}

const typeFields = (): Record<string, Field> => ({
  apiVersion: field("apiVersion", scalar("string")),
  kind: field("kind", scalar("string")),
  metadata: field("metadata", objectSchema(objectMeta)),
});

/** Of a whole custom resource. Without a schema everything is kept. */
export function customSchema(props: Props | undefined, preserveUnknown: boolean): ObjectSchema {
  const inner = props === undefined ? undefined : objectOf(props);
  const fields = inner?.kind === "object" ? inner.fields : {};
  return {
    kind: "object",
    name: "",
    fields: { ...fields, ...typeFields() },
    atomic: false,
    preserveUnknown: preserveUnknown || props === undefined || props["x-kubernetes-preserve-unknown-fields"] === true,
  };
}
