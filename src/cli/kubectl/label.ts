// `label` and `annotate`: set and remove them.
import type { JsonObject } from "#api";
import { defineOptions } from "#base";
import { chooseFlags, chooseObjects, chooseShort } from "./choose.ts";
import { type Command, defineCommand } from "./command.ts";
import { dryRunBare, dryRunFlags, dryRunNote, readDryRun } from "./dry-run.ts";
import { eachOf, Failure } from "./failure.ts";
import { resultWriter } from "./output.ts";
import type { AnyObject, Session } from "./session.ts";

const options = defineOptions({
  ...chooseFlags,
  ...dryRunFlags,
  overwrite: { kind: "boolean", default: false, help: "Replace values that are there" },
  list: { kind: "boolean", default: false, help: "Show what is there" },
  resourceVersion: { kind: "string", help: "Only if the object is of this version", placeholder: "VERSION" },
});

interface Changes {
  readonly set: Readonly<Record<string, string>>;
  readonly remove: readonly string[];
}

/** "a=b" sets, "a-" removes. */
export function readChanges(words: readonly string[], noun: string): Changes {
  const set: Record<string, string> = {};
  const remove: string[] = [];
  for (const word of words) {
    const at = word.indexOf("=");
    if (at > 0) set[word.slice(0, at)] = word.slice(at + 1);
    else if (word.endsWith("-") && word.length > 1) remove.push(word.slice(0, -1));
    else throw new Failure(`error: invalid ${noun} spec: ${word}`);
  }
  for (const key of remove)
    if (key in set)
      throw new Failure(`error: can not both modify and remove a${noun === "annotation" ? "n" : ""} ${noun} in the same command`);
  return { set, remove };
}

/** What is a name or a type, and what a change: a change holds "=" or ends in "-". */
const isChange = (word: string): boolean => word.includes("=") || word.endsWith("-");

function command(name: "label" | "annotate", field: "labels" | "annotations", noun: "label" | "annotation"): Command {
  return defineCommand({
    name,
    usage: "(TYPE NAME... | TYPE/NAME... | TYPE --all | -f FILE) KEY=VALUE... KEY-...",
    summary: `Set and remove ${field}`,
    options,
    short: { ...chooseShort, output: "o" },
    bare: dryRunBare,
    run: async ({ session, words, options }) => {
      const first = words.plain.findIndex(isChange);
      const split = first < 0 ? words.plain.length : first;
      const changes = readChanges(words.plain.slice(split), noun);
      const hasChanges = split < words.plain.length;
      if (!hasChanges && !options.list) throw new Failure(`error: at least one ${noun} update is required`);
      const objects = await chooseObjects(session, words.plain.slice(0, split), options);
      const dryRun = readDryRun(options);
      const client = await session.client();
      const write = resultWriter(options.output);
      await eachOf(objects, async ({ type, namespace, name: objectName }) => {
        const ref = { namespace, name: objectName };
        const before = (await client.get(type, ref)) as AnyObject;
        const old = before.metadata[field] ?? {};
        if (!options.overwrite) refuseOverwriting(old, changes, noun);
        const absent = changes.remove.filter((key) => !(key in old));
        if (noun === "label") session.terminal.out(absent.map((key) => `label "${key}" not found.\n`).join(""));
        const values = { ...changes.set, ...Object.fromEntries(changes.remove.map((key) => [key, null])) };
        const { resourceVersion } = options;
        const metadata = { [field]: values, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
        const after =
          hasChanges && dryRun !== "client"
            ? ((await client.patch(
                type,
                ref,
                { type: "merge", body: { metadata } as JsonObject },
                { fieldManager: `kubectl-${name}`, dryRun: dryRun === "server" },
              )) as AnyObject)
            : before;
        if (options.list)
          return list(session, `${type.kind}.${type.group}/${objectName}`, after.metadata[field] ?? {}, objects.length > 1);
        session.terminal.out(
          write(
            type,
            after,
            `${noun === "label" ? labelDeed(old, changes, options.overwrite) : "annotated"}${dryRunNote(dryRun)}`,
          ),
        );
      });
      return undefined;
    },
  });
}

function list(session: Session, name: string, values: Readonly<Record<string, string>>, isOneOfMany: boolean): void {
  if (isOneOfMany) session.terminal.out(`Listing labels for ${name}:\n`);
  session.terminal.out(
    Object.entries(values)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `${isOneOfMany ? " " : ""}${key}=${value}\n`)
      .join(""),
  );
}

function refuseOverwriting(old: Readonly<Record<string, string>>, { set }: Changes, noun: string): void {
  const taken = Object.entries(set).filter(([key, value]) => key in old && old[key] !== value);
  if (taken.length === 0) return;
  const texts = taken.map(([key]) => `'${key}' already has a value (${old[key]})`);
  throw new Failure(
    noun === "label"
      ? `error: ${texts[0]}, and --overwrite is false`
      : `error: --overwrite is false but found the following declared annotation(s): ${texts.join("; ")}`,
  );
}

/** kubectl's word for what became of the labels. */
function labelDeed(old: Readonly<Record<string, string>>, { set, remove }: Changes, overwrite: boolean): string {
  const isSame = remove.length === 0 && Object.entries(set).every(([key, value]) => old[key] === value);
  if (isSame) return "not labeled";
  const isOnlyRemoval = Object.keys(set).length === 0 && remove.some((key) => key in old);
  return isOnlyRemoval && !overwrite ? "unlabeled" : "labeled";
}

export const label = command("label", "labels", "label");
export const annotate = command("annotate", "annotations", "annotation");
