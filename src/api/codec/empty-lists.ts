// What a trip through protobuf makes of empty lists: it does not tell them from no list at all.
import type { JsonObject, JsonValue } from "../scalars.ts";
import type { ObjectSchema, Schema } from "../schema/schema.ts";

/**
 * The object with null for each empty list of a field that is always written, and without those of others. Upstream answers so for what it
 * has stored; until then (validation, ownership, a dry run) it sees the list that the client sent. Parts that hold no empty list are shared.
 */
export function withoutEmptyLists<T extends object>(schema: ObjectSchema, object: T): T {
  let output: Record<string, JsonValue | undefined> | undefined;
  for (const key in object) {
    const field = Object.hasOwn(schema.fields, key) ? schema.fields[key] : undefined;
    const value = (object as JsonObject)[key];
    if (field === undefined || value === undefined || value === null) continue;
    const result =
      Array.isArray(value) && value.length === 0 && field.schema.kind === "list" ? null : inside(field.schema, value);
    if (result === value) continue;
    output ??= { ...(object as JsonObject) };
    if (result === null && field.emitEmpty !== true) delete output[key];
    else output[key] = result;
  }
  return (output ?? object) as T;
}

function inside(schema: Schema, value: JsonValue): JsonValue {
  switch (schema.kind) {
    case "object":
      return isObject(value) ? withoutEmptyLists(schema, value) : value;
    case "list": {
      if (!Array.isArray(value)) return value;
      const items = value.map((item) => inside(schema.items, item));
      return items.some((item, index) => item !== value[index]) ? items : value;
    }
    case "map": {
      if (!isObject(value)) return value;
      const changed = Object.entries(value).map(
        ([name, item]) => [name, item === undefined ? item : inside(schema.values, item)] as const,
      );
      return changed.some(([name, item]) => item !== value[name]) ? (Object.fromEntries(changed) as JsonObject) : value;
    }
    default:
      return value;
  }
}

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
