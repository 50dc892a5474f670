// Objects as text: JSON, YAML, names and templates, as kubectl writes them.
import { encodeYaml, type ResourceType } from "#api";
import { Failure } from "./failure.ts";
import { jsonTemplate } from "./json-template.ts";
import { jsonText } from "./json-text.ts";
import type { AnyObject } from "./session.ts";
import { shownName } from "./targets.ts";

/** Undefined for the table (none or "wide"). The function gives a text that ends as kubectl's does. */
export function objectWriter(output: string | undefined, showManagedFields = false): ((object: unknown) => string) | undefined {
  const clean = showManagedFields ? (object: unknown) => object : withoutManagedFields;
  const [form, argument] = /^(jsonpath)=([\s\S]*)$/.exec(output ?? "")?.slice(1) ?? [output];
  switch (form) {
    case undefined:
    case "":
    case "wide":
    case "name":
      return undefined;
    case "json":
      return (object) => jsonText(clean(object));
    case "yaml": {
      let isFirst = true;
      return (object) => {
        const head = isFirst ? "" : "---\n";
        isFirst = false;
        return head + encodeYaml(clean(object)).toString();
      };
    }
    case "jsonpath": {
      if (argument === undefined || argument === "") throw new Failure("error: template format specified but no template given");
      const template = jsonTemplate(argument);
      return (object) => template(object);
    }
    default:
      throw new Failure(
        `error: unable to match a printer suitable for the output format "${output}", allowed formats are: json,jsonpath=TEMPLATE,name,wide,yaml`,
      );
  }
}

function withoutManagedFields(object: unknown): unknown {
  const { metadata, items, ...rest } = object as { metadata?: Readonly<Record<string, unknown>>; items?: readonly unknown[] };
  const { managedFields: _, ...kept } = metadata ?? {};
  return {
    ...rest,
    ...(metadata === undefined ? {} : { metadata: kept }),
    ...(items === undefined ? {} : { items: items.map(withoutManagedFields) }),
  };
}

/** What a command says of an object that it wrote: `pod/a created`, or the object in the form of -o. */
export function resultWriter(output: string | undefined): (type: ResourceType, object: AnyObject, done: string) => string {
  if (output === "name") return (type, { metadata }) => `${shownName(type, metadata.name ?? "")}\n`;
  const write = objectWriter(output);
  return (type, object, done) => write?.(object) ?? `${shownName(type, object.metadata.name ?? "")} ${done}\n`;
}
