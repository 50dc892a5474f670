// Defaults and checks of CustomResourceDefinitions themselves.
import {
  type ApiObject,
  type FieldError,
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
import { withReadDefaults } from "./default-rules.ts";
import { hasEmbedded } from "./embedded.ts";
import { type DefinitionSpec, type Props, usesKeyword } from "./props.ts";
import { conversionErrors, formatWarnings, ruleErrors, storageVersions, versionErrors } from "./version-rules.ts";

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

export const definitionRules: KindRules = {
  default: (object: Definition) => {
    const { spec } = object;
    if (spec === undefined) return object;
    const names = spec.names ?? ({} as DefinitionSpec["names"]);
    const kind = names.kind ?? "";
    const storage = spec.versions?.find((version) => version.storage);
    return {
      ...object,
      ...((object.status?.storedVersions ?? []).length > 0 || storage === undefined
        ? {}
        : { status: { ...object.status, storedVersions: [storage.name] } }),
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
    ...withDefaultsRead(object),
    status: {
      conditions: null,
      acceptedNames: { plural: "", kind: "" },
      storedVersions: storageVersions(object.spec ?? {}).slice(0, 1),
    },
  }),
  prepareForUpdate: (next: Definition, old: Definition) => {
    const stored = [...(old.status?.storedVersions ?? [])];
    for (const version of storageVersions(next.spec ?? {})) if (!stored.includes(version)) stored.push(version);
    return { ...withDefaultsRead(next), status: { ...old.status, storedVersions: stored } };
  },
  prepareForStatusUpdate: (next: Definition, old: Definition) => ({ ...old, metadata: next.metadata, status: next.status }),
  validate: (object: Definition) => [
    ...validateObjectMeta(object.metadata, false, subdomainName, "metadata"),
    ...definitionNameErrors(object),
    ...specErrors(object.spec),
    ...storedVersionErrors(object),
    ...approvalErrors(object, undefined),
  ],
  validateUpdate: (next: Definition, old: Definition) => [
    ...validateObjectMetaUpdate(next.metadata, old.metadata, "metadata"),
    ...specErrors(next.spec),
    ...immutable(next, old),
    ...storedVersionErrors(next),
    ...approvalErrors(next, old),
  ],
  validateStatusUpdate: (next: Definition, old: Definition) => [
    ...validateObjectMetaUpdate(next.metadata, old.metadata, "metadata"),
  ],
  warnings: (next: Definition, old: Definition | undefined) => formatWarnings(next.spec, old?.spec),
  status: true,
  generation: true,
  createOnUpdate: false,
  unconditionalUpdate: false,
};

function withDefaultsRead(definition: Definition): Definition {
  const { versions } = definition.spec ?? {};
  if (versions?.some(({ schema }) => hasEmbedded(schema?.openAPIV3Schema)) !== true) return definition;
  const read = versions.map((version) =>
    version.schema?.openAPIV3Schema === undefined
      ? version
      : { ...version, schema: { ...version.schema, openAPIV3Schema: withReadDefaults(version.schema.openAPIV3Schema) } },
  );
  return { ...definition, spec: { ...definition.spec, versions: read } };
}

function immutable(next: Definition, old: Definition): FieldError[] {
  const established =
    old.status?.conditions?.some((condition) => condition.type === "Established" && condition.status === "True") ?? false;
  const errors: FieldError[] = [];
  const same = (field: string, a: unknown, b: unknown): void =>
    void (a === b || errors.push(invalidValue(field, a, "field is immutable")));
  if (established) {
    same("spec.scope", next.spec?.scope ?? "", old.spec.scope);
    same("spec.names.kind", next.spec?.names?.kind ?? "", old.spec.names.kind);
  }
  same("spec.group", next.spec?.group ?? "", old.spec.group);
  same("spec.names.plural", next.spec?.names?.plural ?? "", old.spec.names.plural);
  return errors;
}

const namePart = (field: string, value: string): FieldError[] =>
  isDns1035Label(value).map((message) => invalidValue(field, value, message));
const kindPart = (field: string, value: string): FieldError[] =>
  isDns1035Label(value.toLowerCase()).map((message) =>
    invalidValue(field, value, `may have mixed case, but should otherwise match: ${message}`),
  );

function definitionNameErrors({ metadata, spec }: Definition): FieldError[] {
  const { name = "" } = metadata;
  if (name === "" || name === `${spec?.names?.plural ?? ""}.${spec?.group ?? ""}`) return [];
  return [invalidValue("metadata.name", name, 'must be spec.names.plural+"."+spec.group')];
}

function specErrors(spec: DefinitionSpec | undefined): FieldError[] {
  const { group = "", scope = "" } = spec ?? {};
  const errors: FieldError[] = [];
  if (group === "") errors.push(required("spec.group"));
  else if (isDns1123Subdomain(group).length > 0)
    errors.push(...isDns1123Subdomain(group).map((message) => invalidValue("spec.group", group, message)));
  else if (!group.includes(".")) errors.push(invalidValue("spec.group", group, "should be a domain with at least one dot"));
  if (scope === "") errors.push(required("spec.scope"));
  else if (scope !== "Namespaced" && scope !== "Cluster")
    errors.push(notSupported("spec.scope", scope, ["Cluster", "Namespaced"]));
  if (spec?.preserveUnknownFields === true) {
    const refuse = (text: string): void => void errors.push(invalidValue("spec.preserveUnknownFields", true, text));
    const hasDefaults = (inner: Props): boolean => (inner.default ?? null) !== null;
    if ((spec.versions ?? []).some(({ schema }) => usesKeyword(schema?.openAPIV3Schema, hasDefaults)))
      refuse("must be false in order to use defaults in the schema");
    refuse("cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead");
  }
  const { own, shared } = versionErrors(spec);
  errors.push(...own, ...nameErrors(spec?.names ?? ({} as DefinitionSpec["names"])), ...shared);
  if (spec !== undefined) errors.push(...conversionErrors(spec.conversion));
  return errors.length > 0 ? errors : ruleErrors(spec);
}

/** Objects are stored in these versions: none may be gone from the spec before they are migrated. */
function storedVersionErrors({ spec, status }: Definition): FieldError[] {
  const stored = status?.storedVersions ?? [];
  if (stored.length === 0) return [invalidValue("status.storedVersions", null, "must have at least one stored version")];
  const versions = spec?.versions ?? [];
  const served = new Set(versions.map(({ name }) => name));
  const missing = versions.filter(
    ({ name, storage }, index) =>
      storage && (!stored.includes(name) || versions.findIndex((version) => version.name === name) !== index),
  );
  const unstored = missing.map(({ name }) =>
    invalidValue("status.storedVersions", stored, `must have the storage version ${name}`),
  );
  const gone = stored.flatMap((name, index) =>
    served.has(name)
      ? []
      : [
          invalidValue(
            `status.storedVersions[${index}]`,
            name,
            `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`,
          ),
        ],
  );
  return [...unstored, ...gone];
}

const approval = "api-approved.kubernetes.io";
const approvalText = `protected groups must have approval annotation "${approval}"`;
const seePull = "see https://github.com/kubernetes/enhancements/pull/1111";

/** How the groups of Kubernetes itself are protected (KEP-2335): undefined is approved. */
function approvalProblem({ metadata }: Definition): "missing" | "invalid" | undefined {
  const text = metadata.annotations?.[approval] ?? "";
  if (text === "") return "missing";
  return text.startsWith("unapproved") || /^[a-z][a-z0-9+.-]*:\/\/[^/?#]+/i.test(text) ? undefined : "invalid";
}

function approvalErrors(next: Definition, old: Definition | undefined): FieldError[] {
  if (!/(^|\.)(k8s|kubernetes)\.io$/.test(next.spec?.group ?? "")) return [];
  const problem = approvalProblem(next);
  if (problem === undefined || (old !== undefined && problem === approvalProblem(old))) return [];
  const field = `metadata.annotations[${approval}]`;
  if (problem === "missing") return [required(field, `${approvalText}, ${seePull}`)];
  const rule = `${approvalText} with either a URL or a reason starting with "unapproved", ${seePull}`;
  return [invalidValue(field, next.metadata.annotations?.[approval], rule)];
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
