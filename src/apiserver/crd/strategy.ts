// The strategy of a custom resource, made from one version of its definition.
import {
  type ApiObject,
  DecodeError,
  decodeTyped,
  type FieldError,
  fieldErrorText,
  type JsonValue,
  type KindRules,
  objectSchema,
  subdomainName,
  validateCommonMeta,
  validateCommonUpdate,
  validateObjectMetaUpdate,
} from "#api";
import type { Strategy } from "../registry/strategy.ts";
import { embeddedErrors, hasEmbedded, readEmbedded } from "./embedded.ts";
import type { DefinitionSpec, DefinitionVersion, Props } from "./props.ts";
import { scaleErrors } from "./scale-rules.ts";
import { customSchema } from "./schema.ts";
import { Validator } from "./validate.ts";
import { prune, withDefaults } from "./values.ts";

type Custom = ApiObject & Readonly<Record<string, unknown>>;
const objectMeta = objectSchema("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");

export function customStrategy(spec: DefinitionSpec, version: DefinitionVersion): Strategy {
  const props = version.schema?.openAPIV3Schema;
  const preserve = spec.preserveUnknownFields === true;
  const namespaced = spec.scope === "Namespaced";
  const hasStatus = version.subresources?.status !== undefined;
  const validator = new Validator();
  const embeds = hasEmbedded(props);
  const check = (object: Custom): FieldError[] => {
    if (props === undefined) return [];
    const { metadata: _metadata, ...rest } = object;
    const errors = validator.check({ ...props, type: "object" }, rest, "");
    return embeds ? [...errors, ...embeddedErrors(props, rest, "")] : errors;
  };
  const scale = version.subresources?.scale;
  const checkAll = (object: Custom): FieldError[] => [
    ...check(object),
    ...(scale === undefined ? [] : scaleErrors(scale, object)),
  ];
  const validateUpdate = (next: Custom, old: Custom): FieldError[] => [
    ...validateCommonUpdate(next.metadata, old.metadata, namespaced),
    ...validateObjectMetaUpdate(next.metadata, old.metadata, "metadata"),
    ...checkAll(next),
  ];
  const rules: KindRules = {
    default: (object: Custom) => withDefaults(props, object) as Custom,
    prepareForCreate: (object: Custom) => (hasStatus ? without(object, "status") : object),
    prepareForUpdate: (next: Custom, old: Custom) => (hasStatus ? withField(next, "status", old["status"]) : next),
    prepareForStatusUpdate: (next: Custom, old: Custom) => {
      const { metadata } = next;
      return {
        ...withField(old, "status", next["status"]),
        metadata: { ...old.metadata, managedFields: metadata.managedFields, resourceVersion: metadata.resourceVersion },
      } as Custom;
    },
    validate: (object: Custom) => [
      ...validateCommonMeta(object.metadata, namespaced, subdomainName, "metadata"),
      ...checkAll(object),
    ],
    validateUpdate,
    validateStatusUpdate: validateUpdate,
    status: hasStatus,
    generation: true,
    createOnUpdate: false,
    unconditionalUpdate: false,
  };
  return {
    schema: customSchema(props, preserve),
    rules,
    emptyStatus: undefined,
    // Upstream counts any change outside metadata (and outside status, when it is a subresource).
    generationOf: (object) => {
      const { metadata: _metadata, apiVersion: _apiVersion, kind: _kind, ...rest } = object as Custom;
      return hasStatus ? without(rest as Custom, "status") : rest;
    },
    decode: (value) => decodeCustom(props, preserve, embeds, value),
  };
}

/** Metadata is decoded as every object's is; the rest is pruned by the schema. */
function decodeCustom(
  props: Props | undefined,
  preserve: boolean,
  embeds: boolean,
  value: JsonValue,
): { readonly object: ApiObject; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const object = value as Record<string, unknown>;
  const pruned = (
    preserve || props === undefined
      ? object
      : prune(props, object, (path) => problems.push(`unknown field ${JSON.stringify(path)}`))
  ) as Record<string, unknown>;
  const metadata = decodeTyped(objectMeta, (object["metadata"] ?? {}) as JsonValue);
  for (const problem of metadata.problems) problems.push(problem.replace(/^unknown field "/, 'unknown field "metadata.'));
  problems.sort();
  const whole = { ...pruned, metadata: metadata.object } as unknown as ApiObject;
  return { object: embeds ? readWhole(props, whole, problems) : whole, problems };
}

/** Throws DecodeError for the first embedded object that is none. */
function readWhole(props: Props | undefined, object: ApiObject, problems: string[]): ApiObject {
  const unknown: string[] = [];
  const read = readEmbedded(
    props,
    object,
    "",
    (path) => unknown.push(`unknown field ${JSON.stringify(path)}`),
    (error) => {
      throw new DecodeError(fieldErrorText(error));
    },
  );
  problems.push(...unknown.sort());
  return read as ApiObject;
}

function without(object: Custom, key: string): Custom {
  if (!(key in object)) return object;
  const { [key]: _dropped, ...rest } = object;
  return rest as Custom;
}

const withField = (object: Custom, key: string, value: unknown): Custom =>
  value === undefined ? without(object, key) : ({ ...object, [key]: value } as Custom);
