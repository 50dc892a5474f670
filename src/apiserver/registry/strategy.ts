// How objects of one kind are prepared and checked: the rules of the kind (data in `api`) behind one shape that the generic registry calls.
import { decodeTyped, type KindRules, kindRules, type ObjectSchema, type ResourceType, schemaOfKind, subdomainName, validateObjectMeta, validateObjectMetaUpdate } from "#api";

export interface Strategy {
  readonly schema: ObjectSchema;
  readonly rules: KindRules;
  /** What upstream's encoder writes for a status without content (`{}`); undefined when it is left out. */
  readonly emptyStatus: unknown;
}

/** Rules of kinds that have none of their own: metadata only. */
const plainRules: KindRules = {
  validate: (object) => validateObjectMeta(object.metadata, (object.metadata.namespace ?? "") !== "", subdomainName, "metadata"),
  validateUpdate: (next, old) => validateObjectMetaUpdate(next.metadata, old.metadata, "metadata"),
  status: false, generation: false, createOnUpdate: false, unconditionalUpdate: true,
};

const emptyStatusOf = (schema: ObjectSchema): unknown => (decodeTyped(schema, {}).object as { status?: unknown }).status;

export function strategyOf(type: ResourceType): Strategy {
  const schema = schemaOfKind(type);
  if (schema === undefined) throw new Error(`No schema is known for kind "${type.kind}" of group "${type.group}"`);
  return { schema, emptyStatus: emptyStatusOf(schema), rules: kindRules[`${type.group}/${type.kind}`] ?? plainRules };
}
