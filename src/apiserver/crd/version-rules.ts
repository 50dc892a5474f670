// The versions of a definition: schemas, subresources, printer columns, selectable fields; and its conversion.
import {
  deepEqual,
  duplicate,
  type FieldError,
  forbiddenField,
  invalidValue,
  isDns1035Label,
  notSupported,
  parsePath,
  required,
} from "#api";
import { type Conversion, type DefinitionSpec, type DefinitionVersion, type Props, usesKeyword } from "./props.ts";
import { schemaErrors } from "./schema-rules.ts";

export const storageVersions = (spec: Partial<DefinitionSpec>): string[] =>
  (spec.versions ?? []).filter((version) => version.storage).map((version) => version.name);

/**
 * Errors of all versions. What all versions say alike is checked once, under the name it had when definitions had one version
 * ("spec.validation.openAPIV3Schema"): upstream keeps it so inside.
 */
export function versionErrors(spec: DefinitionSpec | undefined): { readonly own: FieldError[]; readonly shared: FieldError[] } {
  const versions = spec?.versions ?? [];
  const [first] = versions;
  const alike = (part: keyof DefinitionVersion): boolean => versions.every((version) => deepEqual(version[part], first?.[part]));
  const errors: FieldError[] = [];
  const after: FieldError[] = [];
  for (const [index, version] of versions.entries()) {
    const field = `spec.versions[${index}].schema.openAPIV3Schema`;
    if (version.schema?.openAPIV3Schema === undefined) errors.push(required(field));
  }
  const names = versions.map(({ name }) => name);
  for (const [index, version] of versions.entries()) {
    const at = `spec.versions[${index}]`;
    errors.push(
      ...isDns1035Label(version.name ?? "").map((message) => invalidValue(`${at}.name`, version.name ?? "", message)),
      ...deprecationErrors(version, at),
    );
    const place = (part: keyof DefinitionVersion, shared: string, own: string): [FieldError[], string] | undefined => {
      if (!alike(part)) return [errors, `${at}.${own}`];
      return index === 0 ? [after, shared] : undefined;
    };
    const schema = place("schema", "spec.validation.openAPIV3Schema", "schema.openAPIV3Schema");
    const props = version.schema?.openAPIV3Schema;
    if (schema !== undefined && props !== undefined) schema[0].push(...schemaErrors(props, schema[1]));
    const subresources = place("subresources", "spec.subresources", "subresources");
    if (subresources !== undefined) subresources[0].push(...scaleErrors(version.subresources?.scale, subresources[1]));
    const columns = place("additionalPrinterColumns", "spec.additionalPrinterColumns", "additionalPrinterColumns");
    if (columns !== undefined) columns[0].push(...columnErrors(version, columns[1]));
    const fields = place("selectableFields", "spec.selectableFields", "selectableFields");
    if (fields !== undefined && props !== undefined) fields[0].push(...selectableErrors(version, props, fields[1]));
  }
  if (new Set(names).size !== names.length)
    errors.push(invalidValue("spec.versions", shownVersions(versions), "must contain unique version names"));
  if (versions.filter(({ storage }) => storage).length !== 1)
    errors.push(
      invalidValue("spec.versions", shownVersions(spec?.versions), "must have exactly one version marked as storage version"),
    );
  // upstream keeps the first version's name in a field of its own as well
  errors.push(...isDns1035Label(first?.name || "v1").map((message) => invalidValue("spec.version", first?.name, message)));
  return { own: errors, shared: after };
}

/** Versions as Go prints them; what all of them say alike it keeps elsewhere. */
function shownVersions(versions: readonly DefinitionVersion[] | undefined): unknown {
  const alike = (part: keyof DefinitionVersion): boolean =>
    versions?.every((version) => deepEqual(version[part], versions[0]?.[part])) === true;
  const own = (version: DefinitionVersion, part: keyof DefinitionVersion): unknown =>
    alike(part) ? null : (version[part] ?? null);
  return (
    versions?.map((version) => ({
      Name: version.name ?? "",
      Served: version.served ?? false,
      Storage: version.storage ?? false,
      Deprecated: version.deprecated ?? false,
      DeprecationWarning: version.deprecationWarning ?? null,
      Schema: own(version, "schema"),
      Subresources: own(version, "subresources"),
      AdditionalPrinterColumns: own(version, "additionalPrinterColumns"),
      SelectableFields: own(version, "selectableFields"),
    })) ?? null
  );
}

function deprecationErrors({ deprecated, deprecationWarning: text }: DefinitionVersion, at: string): FieldError[] {
  if (text === undefined) return [];
  const invalid = (detail: string): FieldError => invalidValue(`${at}.deprecationWarning`, text, detail);
  if (deprecated !== true) return [invalid("can only be set for deprecated versions")];
  const errors: FieldError[] = [];
  if (Buffer.byteLength(text) > 256) errors.push(invalid("must be <= 256 characters long"));
  if (text === "") errors.push(invalid("must not be an empty string"));
  const index = [...text].findIndex((character) => /[\p{C}\p{Zl}\p{Zp}]/u.test(character));
  if (index >= 0)
    errors.push(invalid(`must only contain printable UTF-8 characters; non-printable character found at index ${index}`));
  return errors;
}

type Scale = NonNullable<NonNullable<DefinitionVersion["subresources"]>["scale"]>;

function scaleErrors(scale: Scale | undefined, at: string): FieldError[] {
  if (scale === undefined) return [];
  const errors: FieldError[] = [];
  const path = (name: keyof Scale, roots: readonly string[], text: string): void => {
    const value = scale[name] ?? "";
    const field = `${at}.scale.${name}`;
    if (value === "") {
      if (name !== "labelSelectorPath") errors.push(required(field));
    } else if (!value.startsWith(".")) errors.push(invalidValue(field, value, notSimple));
    else if (!roots.some((root) => value.startsWith(root)))
      errors.push(invalidValue(field, value, `should be a json path under ${text}`));
  };
  path("specReplicasPath", [".spec."], ".spec");
  path("statusReplicasPath", [".status."], ".status");
  path("labelSelectorPath", [".spec.", ".status."], "either .spec or .status");
  return errors;
}

const notSimple = "must be a simple json path starting with .";
const columnTypes = ["boolean", "date", "integer", "number", "string"];
const columnFormats = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];

function columnErrors(version: DefinitionVersion, at: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [index, { name = "", type = "", format = "", jsonPath = "" }] of (
    version.additionalPrinterColumns ?? []
  ).entries()) {
    const field = `${at}[${index}]`;
    if (name === "") errors.push(required(`${field}.name`));
    const typeText = `must be one of ${columnTypes.join(",")}`;
    if (type === "") errors.push(required(`${field}.type`, typeText));
    else if (!columnTypes.includes(type)) errors.push(invalidValue(`${field}.type`, type, typeText));
    if (format !== "" && !columnFormats.includes(format))
      errors.push(invalidValue(`${field}.format`, format, `must be one of ${columnFormats.join(",")}`));
    if (jsonPath === "") errors.push(required(`${field}.JSONPath`));
    else if (!jsonPath.startsWith(".")) errors.push(invalidValue(`${field}.JSONPath`, jsonPath, notSimple));
  }
  return errors;
}

function selectableErrors(version: DefinitionVersion, props: Props, at: string): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, { jsonPath = "" }] of (version.selectableFields ?? []).entries()) {
    const field = `${at}[${index}].jsonPath`;
    if (jsonPath === "") {
      errors.push(required(field));
      continue;
    }
    const steps = parsePath(jsonPath) ?? [];
    let inner: Props | undefined = jsonPath.startsWith(".") ? props : undefined;
    for (const step of steps) inner = step.kind === "field" ? inner?.properties?.[step.name] : undefined;
    if (steps.length === 0 || inner === undefined) {
      errors.push(invalidValue(field, jsonPath, "is an invalid path: does not refer to a valid field"));
      continue;
    }
    const [root] = steps;
    if (root?.kind === "field" && root.name === "metadata")
      errors.push(invalidValue(field, jsonPath, "must not point to fields in metadata"));
    if (!["string", "boolean", "integer"].includes(inner.type ?? ""))
      errors.push(
        invalidValue(
          field,
          jsonPath,
          "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.",
        ),
      );
    if (seen.has(jsonPath)) errors.push(duplicate(field, jsonPath));
    seen.add(jsonPath);
  }
  if (seen.size > 8) errors.push({ type: "FieldValueTooMany", field: at, value: seen.size, detail: "must have at most 8 items" });
  return errors;
}

const stringFormats: ReadonlySet<string> = new Set(
  (
    "bsonobjectid uri email hostname ipv4 ipv6 cidr mac uuid uuid3 uuid4 uuid5 isbn isbn10 isbn13 creditcard ssn hexcolor " +
    "rgbcolor byte password date duration datetime date-time k8s-short-name k8s-long-name"
  ).split(" "),
);
const formats: Readonly<Record<string, ReadonlySet<string>>> = {
  string: stringFormats,
  integer: new Set(["int32", "int64"]),
  number: new Set(["float", "double"]),
};

/** Formats that nothing checks are stored, with a warning each. Those that a version had before are not told again. */
export function formatWarnings(next: DefinitionSpec | undefined, old: DefinitionSpec | undefined): readonly string[] {
  const unknown = (spec: DefinitionSpec | undefined): Set<string> => {
    const found = new Set<string>();
    for (const { schema } of spec?.versions ?? [])
      usesKeyword(schema?.openAPIV3Schema, ({ type = "", format = "" }) => {
        if (format !== "" && formats[type]?.has(format) !== true) found.add(format);
        return false;
      });
    return found;
  };
  const known = unknown(old);
  return [...unknown(next)]
    .filter((format) => !known.has(format))
    .map((format) => `unrecognized format ${JSON.stringify(format)}`);
}

/** Conversion by webhook is not there: refused, rather than stored and not done. */
export function conversionErrors(conversion: Conversion | undefined): FieldError[] {
  const at = "spec.conversion";
  const { strategy = "", webhook } = conversion ?? {};
  if (strategy === "") return [required(`${at}.strategy`)];
  if (strategy !== "None" && strategy !== "Webhook") return [notSupported(`${at}.strategy`, strategy, ["None", "Webhook"])];
  const errors: FieldError[] = [];
  const [client, reviews] = [webhook?.clientConfig, webhook?.conversionReviewVersions ?? []];
  if (strategy === "None") {
    const text = "should not be set when strategy is not set to Webhook";
    if (client !== undefined) errors.push(forbiddenField(`${at}.webhookClientConfig`, text));
    if (reviews.length > 0) errors.push(forbiddenField(`${at}.conversionReviewVersions`, text));
    return errors;
  }
  if (client === undefined) errors.push(required(`${at}.webhookClientConfig`, "required when strategy is set to Webhook"));
  if (reviews.length === 0) errors.push(required(`${at}.conversionReviewVersions`));
  return errors.length > 0 ? errors : [forbiddenField(`${at}.strategy`, "conversion webhooks are not called by this server yet")];
}

/** Rules that nobody would evaluate are refused. */
export const ruleErrors = (spec: DefinitionSpec | undefined): FieldError[] =>
  (spec?.versions ?? []).flatMap(({ schema }, index) =>
    usesKeyword(schema?.openAPIV3Schema, (inner) => (inner["x-kubernetes-validations"] ?? []).length > 0)
      ? [
          forbiddenField(
            `spec.versions[${index}].schema.openAPIV3Schema.x-kubernetes-validations`,
            "CEL validation rules are not evaluated by this server yet",
          ),
        ]
      : [],
  );
