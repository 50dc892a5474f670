// How objects of one kind are prepared and checked: the rules of the kind (data in `api`) behind one shape that the generic registry calls.
import { type KindRules, kindRules, type ObjectSchema, type ResourceType, schemaOfKind, subdomainName, validateObjectMeta, validateObjectMetaUpdate } from "#api";

export interface Strategy {
  readonly schema: ObjectSchema;
  readonly rules: KindRules;
}

/** Rules of kinds that have none of their own: metadata only. */
const plainRules: KindRules = {
  validate: (object) => validateObjectMeta(object.metadata, (object.metadata.namespace ?? "") !== "", subdomainName, "metadata"),
  validateUpdate: (next, old) => validateObjectMetaUpdate(next.metadata, old.metadata, "metadata"),
  status: false, generation: false, createOnUpdate: false, unconditionalUpdate: true,
};

export function strategyOf(type: ResourceType): Strategy {
  const schema = schemaOfKind(type);
  if (schema === undefined) throw new Error(`No schema is known for kind "${type.kind}" of group "${type.group}"`);
  return { schema, rules: kindRules[`${type.group}/${type.kind}`] ?? plainRules };
}
