// A custom resource's schema in OpenAPI version 2: without what that version, or kubectl's reading of it, cannot say.
import type { Props } from "./props.ts";

/** Upstream's lossy conversion: junctors, nullability and the inside of what preserves unknown fields are left out. */
export function versionTwo(props: Props): Props {
  const { allOf: _allOf, oneOf: _oneOf, anyOf: _anyOf, not: _not, nullable, properties, items, required, type, ...rest } = props;
  const preserves = props["x-kubernetes-preserve-unknown-fields"] === true;
  const hidden = nullable === true || preserves;
  const values = typeof props.additionalProperties === "object" ? props.additionalProperties : undefined;
  const needed =
    values?.nullable === true ? [] : (required ?? []).filter((name) => hidden || properties?.[name]?.nullable !== true);
  // kubectl takes a typed list without items, or an object whose fields are unknown, for a mistake
  const untyped =
    nullable === true ||
    (type === "array" && (hidden || items === undefined)) ||
    (preserves && type === "object") ||
    props["x-kubernetes-int-or-string"] === true;
  return {
    ...rest,
    ...(untyped || type === undefined ? {} : { type }),
    ...(hidden || properties === undefined ? {} : { properties: mapValues(properties, versionTwo) }),
    ...(hidden || items === undefined ? {} : { items: versionTwo(items) }),
    ...(needed.length === 0 ? {} : { required: needed }),
    ...(values === undefined ? {} : { additionalProperties: versionTwo(values) }),
  };
}

const mapValues = (object: Readonly<Record<string, Props>>, shape: (value: Props) => Props): Record<string, Props> =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, shape(value)]));
