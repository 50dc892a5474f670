// `get`: tables as the server makes them, or the objects themselves; once, or with every change.
import { apiVersionOf, isNotFound, type ResourceType } from "#api";
import { defineOptions, type OptionValues } from "#base";
import type { Client } from "#client";
import { defineCommand, type Invocation } from "./command.ts";
import { eachOf, Failure } from "./failure.ts";
import { fileFlags, fileShort, readObjects } from "./files.ts";
import { objectWriter } from "./output.ts";
import { getTable, listObjects, listTables, watchFrames } from "./requests.ts";
import { type AnyObject, fetchObject, type Session } from "./session.ts";
import { sortedBy, sortPath, type Table, type TableLook, TablePrinter, tableType } from "./tables.ts";
import { kindName, readTargets, shownName, type Target } from "./targets.ts";

const options = defineOptions({
  ...fileFlags,
  output: { kind: "string", help: "wide, json, yaml, name or jsonpath=TEMPLATE", placeholder: "FORM" },
  allNamespaces: { kind: "boolean", default: false, help: "Of all namespaces" },
  selector: { kind: "string", help: "Labels to select by", placeholder: "SELECTOR" },
  fieldSelector: { kind: "string", help: "Fields to select by", placeholder: "SELECTOR" },
  watch: { kind: "boolean", default: false, help: "After the list, every change" },
  watchOnly: { kind: "boolean", default: false, help: "Only changes" },
  outputWatchEvents: { kind: "boolean", default: false, help: "The kind of each change too" },
  sortBy: { kind: "string", help: "Field to sort by: .metadata.name", placeholder: "PATH" },
  noHeaders: { kind: "boolean", default: false, help: "No names above the columns" },
  showLabels: { kind: "boolean", default: false, help: "Labels as the last column" },
  labelColumns: { kind: "list", default: [], help: "Labels as columns", placeholder: "LABELS" },
  showKind: { kind: "boolean", default: false, help: "The kind before each name" },
  showManagedFields: { kind: "boolean", default: false, help: "Managed fields in JSON and YAML" },
  ignoreNotFound: { kind: "boolean", default: false, help: "Nothing found is no error" },
  chunkSize: { kind: "integer", default: 500, help: "Objects of one answer of the server (0: all)" },
  raw: { kind: "string", help: "What the server says at this path", placeholder: "PATH" },
});
type Options = Invocation<OptionValues<typeof options>>["options"];

export const get = defineCommand({
  name: "get",
  usage: "TYPE[,TYPE] [NAME...] | TYPE/NAME... | -f FILE",
  summary: "Show objects",
  options,
  short: {
    ...fileShort,
    output: "o",
    allNamespaces: "A",
    selector: "l",
    watch: "w",
    labelColumns: "L",
  },
  run: async ({ session, words, options }) => {
    if (options.raw !== undefined) return raw(session, options.raw);
    const chosen = await targetsOf(session, words.plain, options);
    if (options.watch || options.watchOnly) return watch(session, chosen, options);
    const write = objectWriter(options.output, options.showManagedFields);
    if (write !== undefined) return printObjects(session, chosen, options, write);
    if (options.output === "name") return printNames(session, chosen, options);
    return printTables(session, chosen, options);
  },
});

/** A target with the namespace that it is looked for in. */
interface Chosen extends Target {
  readonly namespace: string | undefined;
}

async function targetsOf(session: Session, plain: readonly string[], options: Options): Promise<Chosen[]> {
  if (options.filename.length > 0) {
    const objects = await readObjects(session, options);
    return objects.map(({ type, namespace, object }) => ({ type, namespace, name: object.metadata.name ?? "" }));
  }
  if (plain.length === 0)
    throw new Failure(
      `You must specify the type of resource to get. Use "tiphys kubectl api-resources" for a complete list of supported resources.\n\nerror: Required resource not specified.`,
    );
  const targets = readTargets(await session.resources(), plain);
  const isNamed = targets.some(({ name }) => name !== undefined);
  if (isNamed && (options.selector ?? "") !== "")
    throw new Failure("error: name cannot be provided when a selector is specified");
  if (isNamed && options.allNamespaces) throw new Failure("error: a resource cannot be retrieved by name across all namespaces");
  const namespace = options.allNamespaces ? undefined : await session.namespace();
  return targets.map((target) => ({ ...target, namespace }));
}

const selection = ({ namespace }: Chosen, options: Options) => ({
  namespace,
  labelSelector: options.selector,
  fieldSelector: options.fieldSelector,
});

async function raw(session: Session, path: string): Promise<undefined> {
  const { pathname, searchParams } = new URL(path, "https://server");
  const answer = await fetchObject<unknown>(await session.client(), {
    method: "GET",
    path: decodeURIComponent(pathname),
    query: Object.fromEntries(searchParams),
  });
  session.terminal.out(typeof answer === "string" ? answer : `${JSON.stringify(answer)}\n`);
}

async function printTables(session: Session, chosen: readonly Chosen[], options: Options): Promise<undefined> {
  const client = await session.client();
  const severalTypes = new Set(chosen.map(({ type }) => kindName(type))).size > 1;
  const path = options.sortBy === undefined ? undefined : sortPath(options.sortBy);
  let printer: TablePrinter | undefined;
  let last: ResourceType | undefined;
  let hasWritten = false;
  // as kubectl has it: behind a type of namespaces the others have the column too
  let withNamespace = false;
  const show = (type: ResourceType, table: Table): void => {
    const isNext = last !== undefined && last !== type;
    withNamespace ||= options.allNamespaces && type.namespaced;
    if (printer === undefined || last !== type)
      printer = new TablePrinter({ ...lookOf(type, options, severalTypes), withNamespace });
    last = type;
    const text = printer.text(table);
    if (text === "") return;
    session.terminal.out(isNext && hasWritten && !options.noHeaders ? `\n${text}` : text);
    hasWritten = true;
  };
  await eachOf(chosen, async (target) => {
    try {
      if (target.name !== undefined) return show(target.type, await getTable(client, target.type, named(target)));
    } catch (error) {
      if (options.ignoreNotFound && isNotFound(error)) return;
      throw error;
    }
    const tables = listTables(
      client,
      target.type,
      selection(target, options),
      options.chunkSize,
      path === undefined ? "Metadata" : "Object",
    );
    if (path === undefined) for await (const table of tables) show(target.type, table);
    else {
      const all = await Array.fromAsync(tables);
      const rows = sortedBy(
        all.flatMap((table) => table.rows ?? []),
        (row) => row.object,
        path,
      );
      show(target.type, { ...all[0], rows });
    }
  });
  if (!hasWritten && !options.ignoreNotFound) sayNothingFound(session, chosen);
}

function sayNothingFound(session: Session, chosen: readonly Chosen[]): void {
  const namespaces = new Set(chosen.map(({ type, namespace }) => (type.namespaced ? namespace : undefined)));
  const [only] = namespaces;
  session.terminal.error(
    namespaces.size === 1 && only !== undefined ? `No resources found in ${only} namespace.\n` : "No resources found\n",
  );
}

const named = ({ namespace, name = "" }: Chosen): { namespace?: string; name: string } => ({ namespace, name });

function lookOf(type: ResourceType, options: Options, severalTypes: boolean): TableLook {
  return {
    wide: options.output === "wide",
    noHeaders: options.noHeaders,
    withNamespace: options.allNamespaces && type.namespaced,
    kind: options.showKind || severalTypes ? kindName(type) : undefined,
    showLabels: options.showLabels,
    labelColumns: options.labelColumns,
  };
}

/** Tells `each` every object that was chosen, with its type. */
async function collect(
  session: Session,
  chosen: readonly Chosen[],
  options: Options,
  each: (type: ResourceType, object: AnyObject) => void,
): Promise<void> {
  const client = await session.client();
  await eachOf(chosen, async (target) => {
    const { type } = target;
    if (target.name === undefined) {
      for await (const object of listObjects(client, type, selection(target, options), options.chunkSize)) each(type, object);
      return;
    }
    try {
      each(type, (await client.get(type, named(target))) as AnyObject);
    } catch (error) {
      if (!options.ignoreNotFound || !isNotFound(error)) throw error;
    }
  });
}

async function printNames(session: Session, chosen: readonly Chosen[], options: Options): Promise<undefined> {
  const found: { type: ResourceType; object: AnyObject }[] = [];
  const print = (): void => {
    const path = options.sortBy === undefined ? undefined : sortPath(options.sortBy);
    const all = path === undefined ? found : sortedBy(found, ({ object }) => object, path);
    session.terminal.out(all.map(({ type, object }) => `${shownName(type, object.metadata.name ?? "")}\n`).join(""));
  };
  await collect(session, chosen, options, (type, object) => found.push({ type, object })).finally(print);
}

async function printObjects(
  session: Session,
  chosen: readonly Chosen[],
  options: Options,
  write: (object: unknown) => string,
): Promise<undefined> {
  const found: AnyObject[] = [];
  let failure: { readonly error: unknown } | undefined;
  await collect(session, chosen, options, (_, object) => found.push(object)).catch((error: unknown) => {
    failure = { error };
  });
  const isSingle = chosen.length === 1 && chosen[0]?.name !== undefined;
  const items = options.sortBy === undefined ? found : sortedBy(found, (object) => object, sortPath(options.sortBy));
  if (!isSingle && (failure === undefined || found.length > 0))
    session.terminal.out(write({ apiVersion: "v1", items, kind: "List", metadata: { resourceVersion: "" } }));
  else if (found[0] !== undefined) session.terminal.out(write(found[0]));
  if (failure !== undefined) throw failure.error;
}

async function watch(session: Session, chosen: readonly Chosen[], options: Options): Promise<undefined> {
  const [target, ...others] = chosen;
  if (target === undefined || others.length > 0) throw new Failure("error: you may only specify a single resource type");
  const client = await session.client();
  const { type } = target;
  const { out, signal } = session.terminal;
  const show = shower(type, options);
  const fieldSelector = target.name === undefined ? options.fieldSelector : `metadata.name=${target.name}`;
  const choice = { ...selection(target, options), fieldSelector };
  let resourceVersion: string | undefined;
  const tables =
    target.name === undefined
      ? listTables(client, type, choice, options.chunkSize, "Object")
      : [await getTable(client, type, named(target))];
  for await (const table of tables) {
    resourceVersion = table.metadata?.resourceVersion;
    if (!options.watchOnly) out(await show.list(client, target, table));
  }
  const accept = show.wantsTables ? tableType : undefined;
  for await (const frame of watchFrames(client, type, { ...choice, resourceVersion }, { signal, accept }))
    out(show.change(frame.object, frame.type));
}

interface Shower {
  readonly wantsTables: boolean;
  list(client: Client, target: Chosen, table: Table): Promise<string>;
  change(object: unknown, event: string): string;
}

function shower(type: ResourceType, options: Options): Shower {
  const eventOf = (event: string): string | undefined => (options.outputWatchEvents ? event : undefined);
  const write = options.output === "name" ? nameWriter(type) : objectWriter(options.output, options.showManagedFields);
  if (write === undefined) {
    const printer = new TablePrinter(lookOf(type, options, false));
    return {
      wantsTables: true,
      list: async (_client, _target, table) => printer.text(table, eventOf("ADDED")),
      change: (table, event) => printer.text(table as Table, eventOf(event)),
    };
  }
  const change = (object: unknown, event: string): string =>
    write(options.outputWatchEvents ? { object, type: event } : (object as AnyObject));
  return {
    wantsTables: false,
    // the rows name the objects; a watch that shows objects shows them one by one
    list: async (client, _target, table) => {
      const names = (table.rows ?? []).flatMap(({ object }) => (object?.metadata === undefined ? [] : [object.metadata]));
      const objects = await Promise.all(names.map(({ namespace, name = "" }) => client.get(type, { namespace, name })));
      return objects.map((object) => change({ apiVersion: apiVersionOf(type), kind: type.kind, ...object }, "ADDED")).join("");
    },
    change,
  };
}

const nameWriter =
  (type: ResourceType) =>
  (object: unknown): string =>
    `${shownName(type, (object as AnyObject).metadata.name ?? "")}\n`;
