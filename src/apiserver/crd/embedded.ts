// Objects inside custom resources (x-kubernetes-embedded-resource): their metadata is decoded and checked as every object's is.
import {
  DecodeError,
  decodeTyped,
  type FieldError,
  invalidValue,
  isDns1035Label,
  type JsonValue,
  type ObjectMeta,
  objectSchema,
  pathSegmentName,
  required,
  validateCommonMeta,
} from "#api";
import { type Props, usesKeyword } from "./props.ts";

type Loose = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Loose => typeof value === "object" && value !== null && !Array.isArray(value);
const objectMeta = objectSchema("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
const isEmbedded = (props: Props): boolean => props["x-kubernetes-embedded-resource"] === true;

export const hasEmbedded = (props: Props | undefined): boolean => usesKeyword(props, isEmbedded);

/** A copy of the value in which `change` has made what it likes of each embedded object, outer ones first; the value itself when nothing changes. */
function mapEmbedded(
  props: Props | undefined,
  value: unknown,
  path: string,
  change: (object: Loose, path: string) => Loose,
): unknown {
  if (props === undefined) return value;
  if (Array.isArray(value)) {
    const items = value.map((item, index) => mapEmbedded(props.items, item, `${path}[${index}]`, change));
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  if (!isObject(value)) return value;
  const object = isEmbedded(props) ? change(value, path) : value;
  const values = typeof props.additionalProperties === "object" ? props.additionalProperties : undefined;
  let result: Record<string, unknown> | undefined;
  for (const key of Object.keys(object).sort()) {
    const inner = Object.hasOwn(props.properties ?? {}, key) ? props.properties?.[key] : values;
    const next = mapEmbedded(inner, object[key], path === "" ? key : `${path}.${key}`, change);
    if (next === object[key]) continue;
    result ??= { ...object };
    result[key] = next;
  }
  return result ?? object;
}

/**
 * The value with the metadata of embedded objects as the server understands it: `unknown` hears of fields that it drops, `refuse` of what it
 * cannot read, which stays as it is.
 */
export function readEmbedded(
  props: Props | undefined,
  value: unknown,
  path: string,
  unknown: (path: string) => void,
  refuse: (error: FieldError) => void,
): unknown {
  return mapEmbedded(props, value, path, (object, at) => {
    for (const name of ["apiVersion", "kind"]) {
      const given = object[name];
      if (given !== undefined && typeof given !== "string") refuse(invalidValue(`${at}.${name}`, given, "must be a string"));
    }
    const { metadata } = object;
    if (metadata === undefined) return object;
    try {
      const read = decodeTyped(objectMeta, metadata as JsonValue);
      for (const problem of read.problems) unknown(problem.replace(/^unknown field "(.*)"$/, `${at}.metadata.$1`));
      return { ...object, metadata: read.object };
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      refuse(invalidValue(`${at}.metadata`, metadata, error.message));
      return object;
    }
  });
}

/** Errors of all embedded objects. */
export function embeddedErrors(props: Props, value: unknown, path: string): FieldError[] {
  const errors: FieldError[] = [];
  mapEmbedded(props, value, path, (object, at) => {
    errors.push(...typeErrors(object, at));
    const metadata = object["metadata"] as ObjectMeta | undefined; // decoded as such
    if (metadata !== undefined) {
      // it may be without a name
      const named = { ...metadata, name: (metadata.name ?? "") === "" ? "unnamed" : metadata.name };
      errors.push(...validateCommonMeta(named, (metadata.namespace ?? "") !== "", pathSegmentName, `${at}.metadata`));
    }
    return object;
  });
  return errors;
}

/** A whole object says what it is. */
export function typeErrors(value: unknown, at: string): FieldError[] {
  const { apiVersion, kind } = isObject(value) ? value : {};
  const errors: FieldError[] = [];
  if (typeof apiVersion !== "string" || apiVersion === "") errors.push(required(`${at}.apiVersion`));
  else if (apiVersion.split("/").length > 2)
    errors.push(invalidValue(`${at}.apiVersion`, apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  if (typeof kind !== "string" || kind === "") errors.push(required(`${at}.kind`));
  else
    for (const message of isDns1035Label(kind.toLowerCase()))
      errors.push(invalidValue(`${at}.kind`, kind, `may have mixed case, but should otherwise match: ${message}`));
  return errors;
}
