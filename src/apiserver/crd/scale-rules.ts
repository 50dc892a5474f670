// What a custom resource must have where its definition says that a Scale is read.
import { type FieldError, invalidValue } from "#api";
import type { DefinitionVersion } from "./props.ts";

type Scale = NonNullable<NonNullable<DefinitionVersion["subresources"]>["scale"]>;

const maxReplicas = 2_147_483_647;

export function scaleErrors(scale: Scale, object: object): FieldError[] {
  const errors = [...replicasErrors(scale.specReplicasPath, object), ...replicasErrors(scale.statusReplicasPath, object)];
  const { labelSelectorPath: path = "" } = scale;
  const selector = path === "" ? undefined : valueAt(object, path);
  if (selector !== undefined && typeof selector !== "string")
    errors.push(invalidValue(path, "", wrongType(path, selector, "string")));
  return errors;
}

function replicasErrors(path: string, object: object): FieldError[] {
  const value = valueAt(object, path);
  if (value === undefined) return [];
  if (typeof value === "bigint" || !Number.isInteger(value)) return [invalidValue(path, 0, wrongType(path, value, "int64"))];
  const replicas = value as number; // an integer
  if (replicas < 0) return [invalidValue(path, replicas, "should be a non-negative integer")];
  return replicas > maxReplicas ? [invalidValue(path, replicas, `should be less than or equal to ${maxReplicas}`)] : [];
}

const valueAt = (object: object, path: string): unknown =>
  path
    .replace(/^\./, "")
    .split(".")
    .reduce<unknown>((value, name) => (value as Readonly<Record<string, unknown>> | null | undefined)?.[name], object);

const wrongType = (path: string, value: unknown, expected: string): string =>
  `.${path.replace(/^\./, "")} accessor error: ${value === null ? "<nil>" : String(value)} is of the type ${goType(value)}, expected ${expected}`;

function goType(value: unknown): string {
  if (value === null) return "<nil>";
  if (Array.isArray(value)) return "[]interface {}";
  switch (typeof value) {
    case "number":
    case "bigint":
      return Number.isInteger(value) ? "int64" : "float64";
    case "boolean":
      return "bool";
    case "string":
      return "string";
    default:
      return "map[string]interface {}";
  }
}
