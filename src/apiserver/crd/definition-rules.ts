// Defaults and checks of CustomResourceDefinitions themselves.
import { RE2JS } from "re2js";
import {
  type ApiObject,
  duplicate,
  type FieldError,
  forbiddenField,
  invalidValue,
  isDns1035Label,
  isDns1123Subdomain,
  type KindRules,
  notSupported,
  required,
  subdomainName,
  validateObjectMeta,
  validateObjectMetaUpdate,
} from "#api";
import { parsePath } from "./json-path.ts";
import { type DefinitionSpec, type DefinitionVersion, type Props, usesKeyword } from "./props.ts";

export interface Definition extends ApiObject {
  readonly spec: DefinitionSpec;
  readonly status?: {
    readonly acceptedNames?: object;
    readonly storedVersions?: readonly string[];
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
      readonly lastTransitionTime?: string;
    }[];
  };
}

/** Holds a definition that is deleted until its objects are gone. */
export const cleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io";

const storageVersions = (spec: DefinitionSpec): string[] =>
  (spec.versions ?? []).filter((version) => version.storage).map((version) => version.name);

export const definitionRules: KindRules = {
  default: (object: Definition) => {
    const { spec } = object;
    if (spec === undefined) return object;
    const names = spec.names ?? ({} as DefinitionSpec["names"]);
    const kind = names.kind ?? "";
    return {
      ...object,
      spec: {
        ...spec,
        conversion: spec.conversion ?? { strategy: "None" },
        names: {
          ...names,
          ...((names.singular ?? "") === "" && kind !== "" ? { singular: kind.toLowerCase() } : {}),
          ...((names.listKind ?? "") === "" && kind !== "" ? { listKind: `${kind}List` } : {}),
        },
      },
    };
  },
  prepareForCreate: (object: Definition) => ({
    ...object,
    status: { conditions: null, acceptedNames: { plural: "", kind: "" }, storedVersions: storageVersions(object.spec) },
  }),
  prepareForUpdate: (next: Definition, old: Definition) => {
    const stored = [...(old.status?.storedVersions ?? [])];
    for (const version of storageVersions(next.spec)) if (!stored.includes(version)) stored.push(version);
    return { ...next, status: { ...old.status, storedVersions: stored } };
  },
  prepareForStatusUpdate: (next: Definition, old: Definition) => ({
    ...old,
    metadata: {
      ...next.metadata,
      labels: old.metadata.labels,
      annotations: old.metadata.annotations,
      finalizers: old.metadata.finalizers,
    },
    status: next.status,
  }),
  validate: (object: Definition) => [
    ...validateObjectMeta(object.metadata, false, subdomainName, "metadata"),
    ...definitionErrors(object),
  ],
  validateUpdate: (next: Definition, old: Definition) => [
    ...validateObjectMetaUpdate(next.metadata, old.metadata, "metadata"),
    ...immutable(next, old),
    ...definitionErrors(next),
  ],
  validateStatusUpdate: (next: Definition, old: Definition) => [
    ...validateObjectMetaUpdate(next.metadata, old.metadata, "metadata"),
  ],
  status: true,
  generation: true,
  createOnUpdate: false,
  unconditionalUpdate: false,
};

function immutable(next: Definition, old: Definition): FieldError[] {
  const established =
    old.status?.conditions?.some((condition) => condition.type === "Established" && condition.status === "True") ?? false;
  const errors: FieldError[] = [];
  const same = (field: string, a: unknown, b: unknown): void =>
    void (a === b || errors.push(invalidValue(field, a, "field is immutable")));
  if (established) {
    same("spec.scope", next.spec.scope, old.spec.scope);
    same("spec.names.kind", next.spec.names.kind, old.spec.names.kind);
  }
  same("spec.group", next.spec.group, old.spec.group);
  same("spec.names.plural", next.spec.names.plural, old.spec.names.plural);
  return errors;
}

const namePart = (field: string, value: string): FieldError[] =>
  isDns1035Label(value).map((message) => invalidValue(field, value, message));
const kindPart = (field: string, value: string): FieldError[] =>
  isDns1035Label(value.toLowerCase()).map((message) =>
    invalidValue(field, value, `may have mixed case, but should otherwise match: ${message}`),
  );

function definitionErrors(object: Definition): FieldError[] {
  const { spec } = object;
  const { group = "", scope = "" } = spec ?? {};
  const versions = spec?.versions ?? [];
  const names = spec?.names ?? ({} as DefinitionSpec["names"]);
  const errors: FieldError[] = [];
  const name = object.metadata.name ?? "";
  if (name !== "" && name !== `${names.plural ?? ""}.${group}`)
    errors.push(invalidValue("metadata.name", name, 'must be spec.names.plural+"."+spec.group'));
  if (group === "") errors.push(required("spec.group"));
  else if (isDns1123Subdomain(group).length > 0)
    errors.push(...isDns1123Subdomain(group).map((message) => invalidValue("spec.group", group, message)));
  else if (!group.includes(".")) errors.push(invalidValue("spec.group", group, "should be a domain with at least one dot"));
  if (scope === "") errors.push(required("spec.scope"));
  else if (scope !== "Namespaced" && scope !== "Cluster")
    errors.push(notSupported("spec.scope", scope, ["Cluster", "Namespaced"]));
  if (spec?.conversion?.strategy === "Webhook")
    errors.push(forbiddenField("spec.conversion.strategy", "conversion webhooks are not called by this server yet"));
  if (spec?.preserveUnknownFields === true)
    errors.push(
      invalidValue(
        "spec.preserveUnknownFields",
        true,
        "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
      ),
    );
  errors.push(...versionErrors(spec, versions), ...nameErrors(names));
  if (storageVersions({ versions } as DefinitionSpec).length === 0)
    errors.push(invalidValue("status.storedVersions", null, "must have at least one stored version"));
  return errors;
}

function nameErrors(names: DefinitionSpec["names"]): FieldError[] {
  const errors: FieldError[] = [];
  const at = (part: string): string => `spec.names.${part}`;
  const part = (
    key: "plural" | "singular" | "kind" | "listKind",
    check: (field: string, value: string) => FieldError[],
  ): void => {
    const value = names[key] ?? "";
    errors.push(...(value === "" ? [required(at(key))] : check(at(key), value)));
  };
  part("plural", namePart);
  part("singular", namePart);
  part("kind", kindPart);
  part("listKind", kindPart);
  for (const [index, short] of (names.shortNames ?? []).entries())
    errors.push(...namePart(`${at("shortNames")}[${index}]`, short));
  if (names.kind !== undefined && names.kind !== "" && names.kind === names.listKind)
    errors.push(invalidValue(at("listKind"), names.listKind, "kind and listKind may not be the same"));
  for (const [index, category] of (names.categories ?? []).entries())
    errors.push(...namePart(`${at("categories")}[${index}]`, category));
  return errors;
}

function versionErrors(spec: DefinitionSpec, versions: readonly DefinitionVersion[]): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  let unique = true;
  for (const [index, version] of versions.entries()) {
    const at = `spec.versions[${index}]`;
    if (seen.has(version.name)) unique = false;
    seen.add(version.name);
    errors.push(...namePart(`${at}.name`, version.name ?? ""));
    if (version.deprecationWarning !== undefined && version.deprecated !== true)
      errors.push(
        invalidValue(`${at}.deprecationWarning`, version.deprecationWarning, "can only be set for deprecated versions"),
      );
    const props = version.schema?.openAPIV3Schema;
    const where = versions.length === 1 ? "spec.validation.openAPIV3Schema" : `${at}.schema.openAPIV3Schema`;
    if (props === undefined) errors.push(required(`${at}.schema.openAPIV3Schema`, "schemas are required"));
    else errors.push(...rootErrors(props, where));
    errors.push(
      ...columnErrors(version, versions.length === 1 ? "spec.additionalPrinterColumns" : `${at}.additionalPrinterColumns`),
    );
  }
  if (!unique) errors.push(invalidValue("spec.versions", spec.versions, "must contain unique version names"));
  if (storageVersions({ versions } as DefinitionSpec).length !== 1)
    errors.push(invalidValue("spec.versions", spec?.versions ?? null, "must have exactly one version marked as storage version"));
  return errors;
}

function columnErrors(version: DefinitionVersion, at: string): FieldError[] {
  const errors: FieldError[] = [];
  const types = ["integer", "number", "string", "boolean", "date"];
  for (const [index, column] of (version.additionalPrinterColumns ?? []).entries()) {
    const field = `${at}[${index}]`;
    const path = `${field}.${at.startsWith("spec.additional") ? "JSONPath" : "jsonPath"}`;
    if ((column.name ?? "") === "") errors.push(required(`${field}.name`));
    if ((column.type ?? "") === "")
      errors.push({ ...required(`${field}.type`), detail: `must be one of ${types.slice().sort().join(",")}` });
    else if (!types.includes(column.type))
      errors.push(invalidValue(`${field}.type`, column.type, `must be one of ${types.slice().sort().join(",")}`));
    if ((column.jsonPath ?? "") === "") errors.push(required(path));
    else if (parsePath(column.jsonPath) === undefined) errors.push(invalidValue(path, column.jsonPath, "is invalid"));
  }
  return errors;
}

function rootErrors(props: Props, at: string): FieldError[] {
  const errors: FieldError[] = [];
  if ((props.type ?? "") === "") errors.push(required(`${at}.type`, "must not be empty at the root"));
  else if (props.type !== "object") errors.push(invalidValue(`${at}.type`, props.type, "must be object at the root"));
  if (usesKeyword(props, (inner) => (inner["x-kubernetes-validations"] ?? []).length > 0)) {
    errors.push(forbiddenField(`${at}.x-kubernetes-validations`, "CEL validation rules are not evaluated by this server yet"));
  }
  for (const [name, inner] of Object.entries(props.properties ?? {})) {
    if (name === "apiVersion" || name === "kind" || name === "metadata") continue;
    structuralErrors(inner, `${at}.properties[${name}]`, errors);
  }
  return errors;
}

/** The rules that make a schema structural: every place has one type. */
function structuralErrors(props: Props, at: string, errors: FieldError[], items = false): void {
  const open = props["x-kubernetes-preserve-unknown-fields"] === true || props["x-kubernetes-int-or-string"] === true;
  if ((props.type ?? "") === "" && !open)
    errors.push(
      required(
        `${at}.type`,
        items ? "must not be empty for specified array items" : "must not be empty for specified object fields",
      ),
    );
  if (props.type !== undefined && !["object", "array", "string", "integer", "number", "boolean", ""].includes(props.type)) {
    errors.push(notSupported(`${at}.type`, props.type, ["array", "boolean", "integer", "number", "object", "string"]));
  }
  if (props.type === "array" && props.items === undefined) errors.push(required(`${at}.items`, "must be specified"));
  if (props.uniqueItems === true)
    errors.push(
      forbiddenField(`${at}.uniqueItems`, "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"),
    );
  if (props.additionalProperties === false)
    errors.push(forbiddenField(`${at}.additionalProperties`, "additionalProperties cannot be set to false"));
  if (props.properties !== undefined && props.additionalProperties !== undefined)
    errors.push(forbiddenField(`${at}.additionalProperties`, "additionalProperties and properties are mutual exclusive"));
  if (props.pattern !== undefined) checkPattern(props.pattern, `${at}.pattern`, errors);
  if (props["x-kubernetes-list-type"] === "map" && (props["x-kubernetes-list-map-keys"] ?? []).length === 0) {
    errors.push(required(`${at}.x-kubernetes-list-map-keys`, "must not be empty if x-kubernetes-list-type is map"));
  }
  const keys = props["x-kubernetes-list-map-keys"] ?? [];
  for (const [index, key] of keys.entries())
    if (keys.indexOf(key) !== index) errors.push(duplicate(`${at}.x-kubernetes-list-map-keys[${index}]`, key));
  for (const [name, inner] of Object.entries(props.properties ?? {}))
    structuralErrors(inner, `${at}.properties[${name}]`, errors);
  if (typeof props.additionalProperties === "object")
    structuralErrors(props.additionalProperties, `${at}.additionalProperties`, errors);
  if (props.items !== undefined) structuralErrors(props.items, `${at}.items`, errors, true);
}

function checkPattern(pattern: string, at: string, errors: FieldError[]): void {
  try {
    RE2JS.compile(pattern);
  } catch (error) {
    errors.push(invalidValue(at, pattern, `must be a valid regular expression, but isn't: ${(error as Error).message}`));
  }
}
