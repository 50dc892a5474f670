// Lists that say something by being empty. Decoding drops empty lists, as Go's encoding does; these few are put back until the object is stored.
import type { ApiObject } from "#api";

type Path = readonly string[];

/** By group and kind: rules that look whether a list was given, and changes that count although nothing of them is kept. */
const said: Readonly<Record<string, readonly Path[]>> = {
  "autoscaling/HorizontalPodAutoscaler": ["scaleUp", "scaleDown"].map((direction) => ["spec", "behavior", direction, "policies"]),
  "admissionregistration.k8s.io/MutatingWebhookConfiguration": [["webhooks"]],
  "admissionregistration.k8s.io/ValidatingWebhookConfiguration": [["webhooks"]],
  "flowcontrol.apiserver.k8s.io/FlowSchema": [["spec", "rules"]],
  "networking.k8s.io/Ingress": [["spec", "rules"]],
};

const pathsOf = ({ apiVersion = "", kind = "" }: ApiObject): readonly Path[] =>
  said[`${apiVersion.slice(0, apiVersion.indexOf("/"))}/${kind}`] ?? [];

/** The object with the empty lists of `given`, from which it was decoded. No managedFields: forget who owned what. */
export const keepSaid = (object: ApiObject, given: unknown): ApiObject =>
  [["metadata", "managedFields"], ...pathsOf(object)].reduce(
    (kept, path) => (isEmptyList(at(given, path)) ? withValue(kept, path, []) : kept),
    object,
  );

/** For who owns what, and for answers about what is not stored: nobody owns what is not there. */
export const withoutSaid = (object: ApiObject): ApiObject =>
  pathsOf(object).reduce((kept, path) => (isEmptyList(at(kept, path)) ? withValue(kept, path, undefined) : kept), object);

const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;
const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : undefined;
const at = (value: unknown, path: Path): unknown => path.reduce<unknown>((inner, key) => fieldsOf(inner)?.[key], value);

/** A copy with one field set; undefined takes it away. */
function withValue<T extends object>(object: T, [key = "", ...rest]: Path, value: unknown): T {
  const fields = object as Readonly<Record<string, unknown>>;
  if (rest.length > 0) return { ...object, [key]: withValue(fieldsOf(fields[key]) ?? {}, rest, value) };
  if (value !== undefined) return { ...object, [key]: value };
  const { [key]: _, ...others } = fields;
  return others as T;
}
