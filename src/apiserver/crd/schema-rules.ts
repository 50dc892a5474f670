// What the schema of a custom resource may say: one type everywhere (structural), no keyword that cannot be served, fitting extensions.
import { RE2JS } from "re2js";
import { deepEqual, type FieldError, forbiddenField, invalidValue, notSupported, required } from "#api";
import { defaultErrors } from "./default-rules.ts";
import { type Props, usesKeyword } from "./props.ts";

type Level = "root" | "field" | "item";

const types = ["array", "boolean", "integer", "number", "object", "string"];
const metaNames: ReadonlySet<string> = new Set(["metadata", "kind", "apiVersion"]);

/** Keywords of JSON Schema that no custom resource may use, in upstream's order. */
const unsupported = ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"] as const;

/** An empty map of definitions or patterns says nothing. */
function says(props: Props, keyword: (typeof unsupported)[number]): boolean {
  const value = props[keyword];
  if (value === undefined || value === null || value === "") return false;
  return !(keyword === "definitions" || keyword === "patternProperties") || Object.keys(value).length > 0;
}

/** Every error of a schema, at `at` ("spec.validation.openAPIV3Schema"). */
export function schemaErrors(props: Props, at: string): FieldError[] {
  const errors: FieldError[] = [];
  if (props.nullable === true) errors.push(forbiddenField(`${at}.nullable`, "nullable cannot be true at the root"));
  // a schema that uses these has no structure to look at
  const isReadable = !usesKeyword(props, (inner) => unsupported.some((keyword) => says(inner, keyword)));
  const isOfDraft = usesKeyword(props, (inner) => (inner.$schema ?? "") !== "");
  if (isReadable && !isOfDraft) {
    const structural: FieldError[] = [];
    structure(props, "root", at, structural);
    const text = ({ field, detail }: FieldError): string => `${field}: ${detail}`;
    errors.push(...structural.sort((a, b) => (text(a) < text(b) ? -1 : 1)));
    if (structural.length === 0) errors.push(...defaultErrors(props, at));
  }
  keywords(props, at, { isRoot: true, isMeta: false, noDefaults: undefined }, errors);
  if (errors.length === 0 && isOfDraft) errors.push(invalidValue(at, "", "OpenAPIV3Schema 'schema' is not supported"));
  return errors;
}

/** The invariants of a structural schema (KEP-1905 "structural schemas"). */
function structure(props: Props, level: Level, at: string, errors: FieldError[]): void {
  const { type = "" } = props;
  const isEmbedded = props["x-kubernetes-embedded-resource"] === true;
  const preserves = props["x-kubernetes-preserve-unknown-fields"] === true;
  const isIntOrString = props["x-kubernetes-int-or-string"] === true;
  if (type === "array" && props.items === undefined) errors.push(required(`${at}.items`, "must be specified"));
  if (props.items !== undefined) structure(props.items, "item", `${at}.items`, errors);
  for (const [name, inner] of Object.entries(props.properties ?? {}))
    structure(inner, "field", `${at}.properties[${name}]`, errors);
  if (props.additionalProperties !== undefined) {
    if (level === "root") errors.push(forbiddenField(`${at}.additionalProperties`, "must not be used at the root"));
    if (typeof props.additionalProperties === "object")
      structure(props.additionalProperties, "field", `${at}.additionalProperties`, errors);
  }
  if (isIntOrString && preserves)
    errors.push(
      invalidValue(`${at}.x-kubernetes-preserve-unknown-fields`, true, "must be false if x-kubernetes-int-or-string is true"),
    );
  if (isIntOrString && isEmbedded)
    errors.push(
      invalidValue(`${at}.x-kubernetes-embedded-resource`, true, "must be false if x-kubernetes-int-or-string is true"),
    );
  junctors(props, at, errors);
  errors.push(...typeErrors(props, level, at));
  if (isEmbedded && props.additionalProperties !== undefined)
    errors.push(forbiddenField(`${at}.additionalProperties`, "must not be used if x-kubernetes-embedded-resource is set"));
  if (level === "root" || isEmbedded) errors.push(...typeMetaErrors(props, at));
  const { metadata } = props.properties ?? {};
  if (metadata !== undefined && level === "root" && !restrictsNameOnly(metadata))
    errors.push(
      forbiddenField(
        `${at}.properties[metadata]`,
        "must not specify anything other than name and generateName, but metadata is implicitly specified",
      ),
    );
  if (isEmbedded && !preserves && Object.keys(props.properties ?? {}).length === 0)
    errors.push(
      required(
        `${at}.properties`,
        "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
      ),
    );
}

const missingType: Readonly<Record<Level, string>> = {
  root: "must not be empty at the root",
  item: "must not be empty for specified array items",
  field: "must not be empty for specified object fields",
};

function typeErrors(props: Props, level: Level, at: string): FieldError[] {
  const { type = "" } = props;
  const field = `${at}.type`;
  const errors: FieldError[] = [];
  const mayBeOpen = props["x-kubernetes-int-or-string"] === true || props["x-kubernetes-preserve-unknown-fields"] === true;
  if (props["x-kubernetes-embedded-resource"] === true && type !== "object") {
    const text = "must be object if x-kubernetes-embedded-resource is true";
    errors.push(type === "" ? required(field, text) : invalidValue(field, type, text));
  } else if (type === "" && !mayBeOpen) errors.push(required(field, missingType[level]));
  if (level === "root" && type !== "" && type !== "object") errors.push(invalidValue(field, type, "must be object at the root"));
  return errors;
}

function typeMetaErrors(props: Props, at: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [name, type] of [
    ["kind", "string"],
    ["apiVersion", "string"],
    ["metadata", "object"],
  ] as const) {
    const inner = props.properties?.[name];
    if (inner !== undefined && inner.type !== type)
      errors.push(invalidValue(`${at}.properties[${name}].type`, inner.type ?? "", `must be ${type}`));
  }
  return errors;
}

/** A default is the business of another check. */
function restrictsNameOnly({ properties = {}, type: _type, default: _default, ...rest }: Props): boolean {
  const named = Object.keys(properties).every((name) => name === "name" || name === "generateName");
  return named && Object.values(rest).every((value) => value === undefined);
}

const intOrString: readonly Props[] = [{ type: "integer" }, { type: "string" }];

/** What stands under anyOf, allOf, oneOf and not restricts values: it may not describe structure. */
function junctors(props: Props, at: string, errors: FieldError[]): void {
  const isIntOrString = (schemas: readonly Props[] | undefined): boolean => deepEqual(schemas, intOrString);
  if (!isIntOrString(props.anyOf))
    for (const [i, inner] of (props.anyOf ?? []).entries()) nested(inner, `${at}.anyOf[${i}]`, errors);
  for (const [i, inner] of (props.allOf ?? []).entries()) {
    const { anyOf: _anyOf, ...rest } = inner;
    nested(i === 0 && isIntOrString(inner.anyOf) ? rest : inner, `${at}.allOf[${i}]`, errors);
  }
  for (const [i, inner] of (props.oneOf ?? []).entries()) nested(inner, `${at}.oneOf[${i}]`, errors);
  if (props.not !== undefined) nested(props.not, `${at}.not`, errors);
  if (props.pattern !== undefined) patternErrors(props.pattern, `${at}.pattern`, errors);
}

/** Keyword, whether it is used, and what it must be to be structural. */
const structural: readonly (readonly [string, (props: Props) => boolean, "empty" | "undefined" | "false"])[] = [
  ["type", ({ type = "" }) => type !== "", "empty"],
  ["additionalProperties", (props) => typeof props.additionalProperties === "object", "undefined"],
  ["default", (props) => (props.default ?? null) !== null, "undefined"],
  ["title", ({ title = "" }) => title !== "", "empty"],
  ["description", ({ description = "" }) => description !== "", "empty"],
  ["nullable", ({ nullable }) => nullable === true, "false"],
  ...["preserve-unknown-fields", "embedded-resource", "int-or-string"].map(
    (name) => [`x-kubernetes-${name}`, (props: Props) => props[`x-kubernetes-${name}` as keyof Props] === true, "false"] as const,
  ),
  ["x-kubernetes-list-map-keys", (props) => (props["x-kubernetes-list-map-keys"] ?? []).length > 0, "empty"],
  ["x-kubernetes-list-type", (props) => props["x-kubernetes-list-type"] !== undefined, "undefined"],
  ["x-kubernetes-map-type", (props) => props["x-kubernetes-map-type"] !== undefined, "undefined"],
  ["x-kubernetes-validations", (props) => (props["x-kubernetes-validations"] ?? []).length > 0, "empty"],
];

function nested(props: Props, at: string, errors: FieldError[]): void {
  junctors(props, at, errors);
  if (props.items !== undefined) nested(props.items, `${at}.items`, errors);
  for (const [name, inner] of Object.entries(props.properties ?? {})) nested(inner, `${at}.properties[${name}]`, errors);
  for (const [keyword, isUsed, wanted] of structural)
    if (isUsed(props)) errors.push(forbiddenField(`${at}.${keyword}`, `must be ${wanted} to be structural`));
  if (props.properties?.["metadata"] !== undefined)
    errors.push(forbiddenField(`${at}.properties[metadata]`, "must not be specified in a nested context"));
}

function patternErrors(pattern: string, at: string, errors: FieldError[]): void {
  try {
    RE2JS.compile(pattern);
  } catch (error) {
    errors.push(invalidValue(at, pattern, `must be a valid regular expression, but isn't: ${(error as Error).message}`));
  }
}

interface Place {
  readonly isRoot: boolean;
  /** Inside apiVersion, kind or metadata of a resource. */
  readonly isMeta: boolean;
  /** Why no default may stand here. */
  readonly noDefaults: string | undefined;
}

/** The keywords of each schema by themselves, wherever it stands. */
function keywords(props: Props, at: string, place: Place, errors: FieldError[]): void {
  const { type = "" } = props;
  const inside = { ...place, isRoot: false };
  if (type !== "" && !types.includes(type)) errors.push(notSupported(`${at}.type`, type, types));
  if (place.noDefaults !== undefined && (props.default ?? null) !== null)
    errors.push(forbiddenField(`${at}.default`, `must not be set ${place.noDefaults}`));
  for (const keyword of unsupported)
    if (says(props, keyword)) errors.push(forbiddenField(`${at}.${keyword}`, `${keyword} is not supported`));
  if (type === "null") errors.push(forbiddenField(`${at}.type`, "type cannot be set to null, use nullable as an alternative"));
  if (place.isMeta && props["x-kubernetes-embedded-resource"] === true)
    errors.push(forbiddenField(`${at}.x-kubernetes-embedded-resource`, "must not be used inside of resource meta"));
  if (props.uniqueItems === true)
    errors.push(
      forbiddenField(`${at}.uniqueItems`, "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"),
    );
  if (props.additionalProperties !== undefined) {
    if (Object.keys(props.properties ?? {}).length > 0 && props.additionalProperties !== true)
      errors.push(forbiddenField(`${at}.additionalProperties`, "additionalProperties and properties are mutual exclusive"));
    if (typeof props.additionalProperties === "object") {
      const why = "inside additionalProperties applying to object metadata";
      const there = place.isMeta ? { ...inside, noDefaults: why } : inside;
      keywords(props.additionalProperties, `${at}.additionalProperties`, there, errors);
    }
  }
  for (const [name, inner] of Object.entries(props.properties ?? {})) {
    const isMeta = (place.isRoot || props["x-kubernetes-embedded-resource"] === true) && metaNames.has(name);
    const noDefaults = isMeta && place.isRoot ? `in top-level ${name}` : place.noDefaults;
    keywords(inner, `${at}.properties[${name}]`, { isRoot: false, isMeta: isMeta || place.isMeta, noDefaults }, errors);
  }
  if (props.not !== undefined) keywords(props.not, `${at}.not`, inside, errors);
  for (const junctor of ["allOf", "oneOf", "anyOf"] as const)
    for (const [i, inner] of (props[junctor] ?? []).entries()) keywords(inner, `${at}.${junctor}[${i}]`, inside, errors);
  if (props.items !== undefined) keywords(props.items, `${at}.items`, inside, errors);
  extensions(props, at, errors);
}

function extensions(props: Props, at: string, errors: FieldError[]): void {
  const { type = "" } = props;
  if (props["x-kubernetes-preserve-unknown-fields"] === false)
    errors.push(invalidValue(`${at}.x-kubernetes-preserve-unknown-fields`, false, "must be true or undefined"));
  const needs = (wanted: string, extension: string): void => {
    const text = `must be ${wanted} if ${extension} is specified`;
    errors.push(type === "" ? required(`${at}.type`, text) : invalidValue(`${at}.type`, type, text));
  };
  const mapType = props["x-kubernetes-map-type"];
  if (mapType !== undefined && type !== "object") needs("object", "x-kubernetes-map-type");
  if (mapType !== undefined && mapType !== "atomic" && mapType !== "granular")
    errors.push(notSupported(`${at}.x-kubernetes-map-type`, mapType, ["atomic", "granular"]));
  const listType = props["x-kubernetes-list-type"];
  if (listType !== undefined && type !== "array") needs("array", "x-kubernetes-list-type");
  else if (listType === "set" && props.items !== undefined) setItems(props.items, `${at}.items`, errors);
  if (listType !== undefined && !["atomic", "set", "map"].includes(listType))
    errors.push(notSupported(`${at}.x-kubernetes-list-type`, listType, ["atomic", "set", "map"]));
  listKeys(props, at, errors);
  if ((listType === "set" || listType === "map") && props.items?.nullable === true)
    errors.push(forbiddenField(`${at}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${listType}`));
  if (listType === "map" && props.items !== undefined) requiredKeys(props, props.items, at, errors);
}

/** The members of a set are compared as wholes. */
function setItems(items: Props, at: string, errors: FieldError[]): void {
  const text = "must be atomic as item of a list with x-kubernetes-list-type=set";
  const listType = items["x-kubernetes-list-type"];
  if (items.type === "array" && listType !== undefined && listType !== "atomic")
    errors.push(invalidValue(`${at}.x-kubernetes-list-type`, listType, text));
  if (items.type === "object" && items["x-kubernetes-map-type"] !== "atomic")
    errors.push(invalidValue(`${at}.x-kubernetes-map-type`, listType ?? null, text));
}

function listKeys(props: Props, at: string, errors: FieldError[]): void {
  const listType = props["x-kubernetes-list-type"];
  const keys = props["x-kubernetes-list-map-keys"] ?? [];
  if (keys.length > 0 && listType !== "map") {
    const text = "must be map if x-kubernetes-list-map-keys is non-empty";
    const field = `${at}.x-kubernetes-list-type`;
    errors.push(listType === undefined ? required(field, text) : invalidValue(field, listType, text));
  }
  if (listType !== "map") return;
  const { items } = props;
  const field = `${at}.x-kubernetes-list-map-keys`;
  if (keys.length === 0) errors.push(required(field, "must not be empty if x-kubernetes-list-type is map"));
  if (items === undefined) errors.push(required(`${at}.items`, "must have a schema if x-kubernetes-list-type is map"));
  else if (items.type !== "object")
    errors.push(
      invalidValue(`${at}.items.type`, items.type ?? "", "must be object if parent array's x-kubernetes-list-type is map"),
    );
  else
    for (const [index, key] of keys.entries()) {
      const inner = items.properties?.[key];
      if (inner === undefined) errors.push(invalidValue(field, keys, "entries must all be names of item properties"));
      else if (inner.type === "array" || inner.type === "object")
        errors.push(
          invalidValue(
            `${at}.items.properties[${key}].type`,
            items.type,
            "must be a scalar type if parent array's x-kubernetes-list-type is map",
          ),
        );
      if (keys.indexOf(key) !== index) errors.push(invalidValue(field, keys, "must not contain duplicate entries"));
    }
}

/** Without its keys an item cannot be told from others. */
function requiredKeys(props: Props, items: Props, at: string, errors: FieldError[]): void {
  for (const key of props["x-kubernetes-list-map-keys"] ?? []) {
    const inner = items.properties?.[key];
    if (inner === undefined) continue;
    const why = "this property is in x-kubernetes-list-map-keys, so it";
    const field = `${at}.items.properties[${key}]`;
    if (!(items.required ?? []).includes(key) && (inner.default ?? null) === null)
      errors.push(required(`${field}.default`, `${why} must have a default or be a required property`));
    if (inner.nullable === true) errors.push(forbiddenField(`${field}.nullable`, `${why} cannot be nullable`));
  }
}
