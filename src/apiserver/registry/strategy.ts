// How objects of one kind are prepared and checked: the rules of the kind (data in `api`) behind one shape that the generic registry calls.
import {
  type ApiObject,
  decodeTyped,
  type JsonValue,
  type KindRules,
  type ObjectSchema,
  type ResourceType,
  schemaOfKind,
  subdomainName,
  validateObjectMeta,
  validateObjectMetaUpdate,
} from "#api";
import { definitionRules } from "../crd/definition-rules.ts";
import { rulesInVersion } from "./conversions.ts";

export interface Strategy {
  readonly schema: ObjectSchema;
  readonly rules: KindRules;
  /** What upstream's encoder writes for a status without content (`{}`); undefined when it is left out. */
  readonly emptyStatus: unknown;
  /** How bodies become objects, where that is not what built-in types do. */
  readonly decode?: (value: JsonValue) => { readonly object: ApiObject; readonly problems: readonly string[] };
  /** What a change of counts as a new generation; the spec unless given. */
  readonly generationOf?: (object: ApiObject) => unknown;
}

/** Rules of kinds that have none of their own: metadata only. */
const plainRules: KindRules = {
  validate: (object) => validateObjectMeta(object.metadata, (object.metadata.namespace ?? "") !== "", subdomainName, "metadata"),
  validateUpdate: (next, old) => validateObjectMetaUpdate(next.metadata, old.metadata, "metadata"),
  status: false,
  generation: false,
  createOnUpdate: false,
  unconditionalUpdate: true,
};

/** Kinds whose rules need more than `api` knows. */
const ownRules: Readonly<Record<string, KindRules>> = { "apiextensions.k8s.io/CustomResourceDefinition": definitionRules };

/** Schemas are resolved on first use: a server starts with sixty kinds and uses a few. */
export function strategyOf(type: ResourceType): Strategy {
  let schema: ObjectSchema | undefined;
  let empty: { readonly status: unknown } | undefined;
  return {
    get schema() {
      schema ??= schemaOfKind(type);
      if (schema === undefined) throw new Error(`No schema is known for kind "${type.kind}" of group "${type.group}"`);
      return schema;
    },
    get emptyStatus() {
      empty ??= { status: (decodeTyped(this.schema, {}).object as { status?: unknown }).status };
      return empty.status;
    },
    rules: ownRules[`${type.group}/${type.kind}`] ?? rulesInVersion(type) ?? plainRules,
  };
}
