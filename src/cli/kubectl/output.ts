// Objects as text: JSON, YAML, names and templates, as kubectl writes them.
import { encodeYaml, type ResourceType } from "#api";
import { Failure } from "./failure.ts";
import { jsonTemplate } from "./json-template.ts";
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

/** Indented by four, keys sorted, with what HTML would take for its own escaped: as Go's encoder writes it. */
export const jsonText = (value: unknown): string =>
  `${JSON.stringify(sorted(value), undefined, 4)
    .replaceAll("<", "\\u003c")
    .replaceAll(">", "\\u003e")
    .replaceAll("&", "\\u0026")}\n`;

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
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
