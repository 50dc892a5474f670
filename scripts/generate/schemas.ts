// Writes src/api/schema/gen/: the shape of every object reachable from the served group-versions, one compact line per field,
// and the descriptions in a file of their own. Sources: the OpenAPI document, the protobuf field table, and facts of the Go types (pointers, omitempty, enums, defaults).
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { servedGroupVersions } from "./curated.ts";
import { refName, type Swagger, type SwaggerDefinition, type SwaggerProperty, splitName } from "./swagger.ts";

const meta = "io.k8s.apimachinery.pkg.apis.meta.v1.";
const core = "io.k8s.api.core.v1.";

// types that travel but are not reachable from a served kind
const alsoServed = [
  ...["Status", "DeleteOptions", "WatchEvent", "APIResourceList", "APIGroupList", "APIGroup", "APIVersions"].map(
    (type) => meta + type,
  ),
  "io.k8s.api.authentication.v1.TokenRequest",
  "io.k8s.api.policy.v1.Eviction",
  "io.k8s.api.autoscaling.v1.Scale",
  `${core}Binding`,
];
// types that travel but are not in the OpenAPI document: their fields come from the Go facts
const notInSwagger = [
  ...[
    "CreateOptions",
    "UpdateOptions",
    "PatchOptions",
    "ListOptions",
    "GetOptions",
    "PartialObjectMetadata",
    "PartialObjectMetadataList",
  ].map((type) => meta + type),
  ...[
    "PodLogOptions",
    "PodExecOptions",
    "PodAttachOptions",
    "PodPortForwardOptions",
    "PodProxyOptions",
    "NodeProxyOptions",
    "ServiceProxyOptions",
    "SerializedReference",
    "RangeAllocation",
    "PodStatusResult",
  ].map((type) => core + type),
];

const leaf: Readonly<Record<string, string>> = {
  "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
  "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "intOrString",
  [`${meta}Time`]: "time",
  [`${meta}MicroTime`]: "microTime",
  [`${meta}FieldsV1`]: "anyObject",
  [`${meta}Patch`]: "anyObject",
  "io.k8s.apimachinery.pkg.runtime.RawExtension": "anyObject",
  "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": "any",
  "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray": "any",
  "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool": "any",
  "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray": "any",
};

// protobuf and Go names of the leaf types
const leafMessage: Readonly<Record<string, string>> = {
  quantity: "k8s.io.apimachinery.pkg.api.resource.Quantity",
  intOrString: "k8s.io.apimachinery.pkg.util.intstr.IntOrString",
  time: "k8s.io.apimachinery.pkg.apis.meta.v1.Time",
  microTime: "k8s.io.apimachinery.pkg.apis.meta.v1.MicroTime",
  boolean: "bool",
  anyObject: "k8s.io.apimachinery.pkg.runtime.RawExtension",
  any: "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSON",
};
const leafGo: Readonly<Record<string, string>> = {
  quantity: "resource.Quantity",
  intOrString: "intstr.IntOrString",
  time: "v1.Time",
  microTime: "v1.MicroTime",
  boolean: "bool",
  bytes: "[]uint8",
  double: "float64",
  anyObject: "runtime.RawExtension",
  any: "v1.JSON",
};

interface GoFacts {
  readonly structs: Readonly<Record<string, readonly string[]>>;
  readonly enums: Readonly<Record<string, readonly string[]>>;
  readonly named: Readonly<Record<string, string>>;
}

interface GoField {
  readonly type: string;
  readonly omitEmpty: boolean;
  readonly omitZero: boolean;
  readonly embedded: string;
  readonly default: string;
}

/** Returns file path -> text. */
export function generateSchemas(swagger: Swagger, factsDirectory: string): Map<string, string> {
  const go = JSON.parse(readFileSync(join(import.meta.dirname, "gen/go-facts.json"), "utf8")) as GoFacts;
  const definitions = { ...swagger.definitions, ...Object.fromEntries(notInSwagger.map((name) => [name, fromGo(name, go)])) };
  const numbers = readNumbers(join(factsDirectory, "protobuf-fields-v1.36.tsv"));
  const names = reachable(definitions);
  const usedEnums = new Map<string, readonly string[]>();
  const types = names.map((name) => [name, typeLines(name, definitions, numbers, go, usedEnums)] as const);
  const kinds = names.flatMap((name) => kindsOf(name, definitions[name]).map((kind) => [kind, name] as const)).sort(byKey);
  const table = (rows: readonly (readonly [string, unknown])[]): string =>
    `{\n${rows.map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`).join(",\n")}\n}`;
  const descriptionsText = `${table(names.map((name) => [name, describe(definitions[name])] as const))}\n`;
  const body = `"types": ${table(types)},\n"kinds": ${table(kinds)},\n"enums": ${table([...usedEnums].sort(byKey))}\n`;
  const hash = createHash("sha256").update(body).update(descriptionsText).digest("hex").toUpperCase().slice(0, 32);
  const schemas = `{\n"hash": "${hash}",\n${body}}\n`;
  return new Map([
    ["src/api/schema/gen/schemas.json", schemas],
    ["src/api/schema/gen/descriptions.json", descriptionsText],
  ]);
}

const byKey = (a: readonly [string, unknown], b: readonly [string, unknown]): number => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0);

function reachable(definitions: Readonly<Record<string, SwaggerDefinition>>): string[] {
  const served = new Set(servedGroupVersions.map(([group, version]) => `${group}/${version}`));
  const seen = new Set<string>();
  const visit = (property: SwaggerProperty): void => {
    if (property.$ref !== undefined) visitName(refName(property.$ref));
    if (property.items !== undefined) visit(property.items);
    if (property.additionalProperties !== undefined) visit(property.additionalProperties);
  };
  const visitName = (name: string): void => {
    if (seen.has(name) || name in leaf) return;
    seen.add(name);
    for (const property of Object.values(definitions[name]?.properties ?? {})) visit(property);
  };
  for (const [name, definition] of Object.entries(definitions)) {
    const kinds = definition["x-kubernetes-group-version-kind"] ?? [];
    if (kinds.length > 0 && kinds.length < 4 && kinds.some((kind) => served.has(`${kind.group}/${kind.version}`)))
      visitName(name);
  }
  // an "any" of a custom resource definition carries schemas inside
  visitName("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps");
  for (const name of [...alsoServed, ...notInSwagger]) visitName(name);
  return [...seen].sort();
}

/** "apps/v1/Deployment" or "/v1/Pod" of a type. The options types are served in every group: they are looked up in meta. */
function kindsOf(name: string, definition: SwaggerDefinition | undefined): string[] {
  const kinds = definition?.["x-kubernetes-group-version-kind"] ?? [];
  const { package: packageName, type } = splitName(name);
  if (kinds.length >= 4 || kinds.length === 0) {
    if (notInSwagger.includes(name)) return [`${packageName === meta.slice(0, -1) ? "meta.k8s.io" : ""}/v1/${type}`];
    return kinds.length >= 4 ? [`meta.k8s.io/v1/${type}`, `/v1/${type}`] : [];
  }
  return kinds.map((kind) => `${kind.group}/${kind.version}/${kind.kind}`);
}

function typeLines(
  name: string,
  definitions: Readonly<Record<string, SwaggerDefinition>>,
  numbers: ReadonlyMap<string, readonly [string, string]>,
  go: GoFacts,
  usedEnums: Map<string, readonly string[]>,
): string[] {
  const definition = definitions[name] ?? {};
  const required = new Set(definition.required ?? []);
  const goFields = parseGo(go.structs[name] ?? []);
  const lines = Object.entries(definition.properties ?? {}).map(([field, property]) => {
    const type = typeOf(property);
    const parts = [field, type];
    const goField = goFields.get(field);
    const proto = protobufOf(messageName(name), field, goField?.embedded ?? "", numbers);
    if (proto !== undefined) {
      parts.push(`#${proto[0]}`);
      if (proto[1] !== protobufType(type)) parts.push(`pb=${proto[1].replaceAll(" ", "_of_")}`);
    }
    if (required.has(field)) parts.push("required");
    if (goField !== undefined) {
      const bare = goField.type.replace(/^\*/, "");
      if (bare !== goType(type)) parts.push(`go=${bare}`);
      const pointer = goField.type.startsWith("*");
      if (pointer) parts.push("pointer");
      if (pointer ? !goField.omitEmpty && !goField.omitZero : !goField.omitZero && (!goField.omitEmpty || isStruct(type)))
        parts.push("always");
      if (goField.embedded !== "") parts.push(`in=${goField.embedded}`);
      const enumName = enumOf(name, bare, go);
      if (enumName !== undefined) {
        usedEnums.set(enumName, go.enums[enumName] ?? []);
        parts.push(`enum=${enumName}`);
      }
    }
    const listType = property["x-kubernetes-list-type"];
    if (listType === "map") parts.push(`list=map:${(property["x-kubernetes-list-map-keys"] ?? []).join(",")}`);
    else if (listType === "set") parts.push("list=set");
    if (property["x-kubernetes-map-type"] === "atomic") parts.push("atomic");
    // a field may be merged key by key although its type is atomic (the claimRef of a PersistentVolume)
    if (property["x-kubernetes-map-type"] === "granular" && type.startsWith("io.k8s.")) parts.push("granular");
    const strategy = property["x-kubernetes-patch-strategy"];
    if (strategy !== undefined) parts.push(`patch=${strategy}`);
    if (property["x-kubernetes-patch-merge-key"] !== undefined) parts.push(`key=${property["x-kubernetes-patch-merge-key"]}`);
    // a reference to a constant ("ref(AzureSharedBlobDisk)") is a default that the server sets itself
    if (goField !== undefined && goField.default !== "" && !goField.default.startsWith("ref("))
      parts.push(`default=${goField.default}`);
    return parts.join(" ");
  });
  return definition["x-kubernetes-map-type"] === "atomic" ? ["~atomic", ...lines] : lines;
}

/** ["5", type] of a field; ["1/2", type] where Go embeds a struct: field 2 of the message in field 1. */
function protobufOf(
  message: string,
  field: string,
  embedded: string,
  numbers: ReadonlyMap<string, readonly [string, string]>,
): readonly [string, string] | undefined {
  if (embedded === "" || embedded === "TypeMeta") return numbers.get(`${message}.${field.replace(/[$-]/g, "")}`.toLowerCase());
  const [outer = "", ...rest] = embedded.split(".");
  const scope = message.slice(0, message.lastIndexOf("."));
  const holder = [...numbers].find(
    ([key, [, type]]) => type === `${scope}.${outer}` && key.slice(0, key.lastIndexOf(".")) === message.toLowerCase(),
  );
  const inner = protobufOf(`${scope}.${outer}`, field, rest.join("."), numbers);
  return holder === undefined || inner === undefined ? undefined : [`${holder[1][0]}/${inner[0]}`, inner[1]];
}

function typeOf(property: SwaggerProperty): string {
  if (property.$ref !== undefined) {
    const name = refName(property.$ref);
    return leaf[name] ?? name;
  }
  if (property.type === "array") return `[]${typeOf(property.items ?? {})}`;
  if (property.type === "object")
    return property.additionalProperties === undefined ? "anyObject" : `{}${typeOf(property.additionalProperties)}`;
  if (property.type === "integer") return property.format === "int32" ? "int32" : "int64";
  if (property.type === "number") return "double";
  if (property.type === "string" && property.format === "byte") return "bytes";
  return property.type ?? "any";
}

const isStruct = (type: string): boolean =>
  type.startsWith("io.k8s.") || ["quantity", "intOrString", "time", "microTime", "any", "anyObject"].includes(type);

const messageName = (name: string): string => name.replace(/^io\.k8s\./, "k8s.io.").replaceAll("-", "_");

function protobufType(type: string): string {
  if (type.startsWith("[]")) return `repeated ${protobufType(type.slice(2))}`;
  if (type.startsWith("{}")) return `map<string,${protobufType(type.slice(2))}>`;
  return leafMessage[type] ?? (type.startsWith("io.k8s.") ? messageName(type) : type);
}

/** The Go type as errors print it, as far as the shape tells; `go=` carries the others. src/api/schema/read.ts knows the same rule. */
function goType(type: string): string {
  if (type.startsWith("[]")) return `[]${goType(type.slice(2))}`;
  if (type.startsWith("{}")) return `map[string]${goType(type.slice(2))}`;
  return leafGo[type] ?? (type.startsWith("io.k8s.") ? type.split(".").slice(-2).join(".") : type);
}

function parseGo(rows: readonly string[]): Map<string, GoField> {
  const result = new Map<string, GoField>();
  for (const row of rows) {
    const at = row.indexOf(" default=");
    const [name = "", type = "", flags = "", embedded] = (at === -1 ? row : row.slice(0, at)).split(" ");
    result.set(name, {
      type,
      omitEmpty: flags.includes("o"),
      omitZero: flags.includes("z"),
      embedded: embedded?.slice("in=".length) ?? "",
      default: at === -1 ? "" : row.slice(at + " default=".length),
    });
  }
  return result;
}

function enumOf(owner: string, type: string, go: GoFacts): string | undefined {
  const bare = type.replace(/^(\[\]|map\[[^\]]*\])\*?/, "");
  if (!bare.includes(".")) return undefined;
  const [, typeName = ""] = bare.split(".");
  const own = `${splitName(owner).package}.${typeName}`;
  if (own in go.enums) return own;
  return Object.keys(go.enums).find((name) => name.endsWith(`.${bare}`) && name.startsWith("io.k8s.api.core.v1."));
}

/** A definition for a type that the OpenAPI document lacks, from the Go facts. */
function fromGo(name: string, go: GoFacts): SwaggerDefinition {
  const { package: packageName } = splitName(name);
  const property = (type: string): SwaggerProperty => {
    const bare = type.replace(/^\*/, "");
    if (bare === "[]uint8") return { type: "string", format: "byte" };
    if (bare.startsWith("[]")) return { type: "array", items: property(bare.slice(2)) };
    if (bare === "bool") return { type: "boolean" };
    if (bare === "int32" || bare === "int64") return { type: "integer", format: bare };
    if (bare === "string") return { type: "string" };
    const typeName = bare.split(".")[1] ?? "";
    if ([`${packageName}.${typeName}`, `${meta}${typeName}`].some((full) => go.named[full] === "string"))
      return { type: "string" };
    const full =
      bare in go.structs
        ? bare
        : [`${packageName}.${typeName}`, `${meta}${typeName}`].find((candidate) => candidate in go.structs || candidate in leaf);
    return { $ref: `#/definitions/${full ?? `${meta}${typeName}`}` };
  };
  return {
    properties: Object.fromEntries([...parseGo(go.structs[name] ?? [])].map(([field, facts]) => [field, property(facts.type)])),
  };
}

function readNumbers(file: string): Map<string, readonly [string, string]> {
  const result = new Map<string, readonly [string, string]>();
  for (const line of readFileSync(file, "utf8").trimEnd().split("\n").slice(1)) {
    const [message = "", field = "", number = "", type = ""] = line.split("\t");
    // names in the table differ from JSON in case and in signs ("Webhooks", "uID", "xKubernetesListType")
    result.set(`${message}.${field}`.toLowerCase(), [number, type]);
  }
  return result;
}

/** [description of the type, { field: description }] */
function describe(definition: SwaggerDefinition | undefined): [string, Record<string, string>] {
  return [
    definition?.description ?? "",
    Object.fromEntries(
      Object.entries(definition?.properties ?? {}).map(([field, property]) => [field, property.description ?? ""]),
    ),
  ];
}
