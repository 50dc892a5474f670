// `patch`: changes parts of objects, in three languages.
import { decodeJsonOrYaml, type JsonObject } from "#api";
import { defineOptions } from "#base";
import type { Patch } from "#client";
import { chooseFlags, chooseObjects, chooseShort } from "./choose.ts";
import { defineCommand } from "./command.ts";
import { dryRunBare, dryRunFlags, dryRunNote, readDryRun } from "./dry-run.ts";
import { eachOf, Failure } from "./failure.ts";
import { resultWriter } from "./output.ts";
import type { AnyObject } from "./session.ts";

const { filename, recursive } = chooseFlags;
const options = defineOptions({
  filename,
  recursive,
  ...dryRunFlags,
  patch: { kind: "string", help: "The patch, as JSON or YAML", placeholder: "TEXT" },
  patchFile: { kind: "string", help: "A file with the patch", placeholder: "FILE" },
  type: { kind: "string", default: "strategic", help: "json, merge or strategic", placeholder: "TYPE" },
  subresource: { kind: "string", help: "status or scale", placeholder: "NAME" },
  fieldManager: {
    kind: "string",
    default: "kubectl-patch",
    help: "Who is noted as the manager of the fields",
    placeholder: "NAME",
  },
});

export const patch = defineCommand({
  name: "patch",
  usage: "(TYPE NAME | TYPE/NAME | -f FILE) -p PATCH",
  summary: "Change parts of objects",
  options,
  short: { filename: chooseShort.filename, recursive: chooseShort.recursive, patch: "p", output: "o" },
  bare: dryRunBare,
  run: async ({ session, words, options }) => {
    const dryRun = readDryRun(options);
    const body = await readPatch(options, async (path) => (await session.terminal.files.read(path)).toString("utf8"));
    const nothing = { selector: undefined, fieldSelector: undefined, all: false, allNamespaces: false };
    const objects = await chooseObjects(session, words.plain, { ...options, ...nothing });
    const client = await session.client();
    const write = resultWriter(options.output);
    const { subresource, fieldManager } = options;
    await eachOf(objects, async ({ type, namespace, name }) => {
      const ref = { namespace, name };
      const before = await client.get(type, ref);
      // what the patch would do is the server's to say
      const more = { subresource, fieldManager, dryRun: dryRun !== "none" };
      const after = await client.patch(type, ref, body, more);
      const isSame = before.metadata.resourceVersion === after.metadata.resourceVersion && dryRun === "none";
      session.terminal.out(write(type, after as AnyObject, `patched${dryRunNote(dryRun)}${isSame ? " (no change)" : ""}`));
    });
    return undefined;
  },
});

async function readPatch(
  given: { readonly patch: string | undefined; readonly patchFile: string | undefined; readonly type: string },
  read: (path: string) => Promise<string>,
): Promise<Patch> {
  if ((given.patch === undefined) === (given.patchFile === undefined))
    throw new Failure("error: must specify --patch or --patch-file containing the contents of the patch");
  const text = given.patch ?? (await read(given.patchFile ?? ""));
  let body: unknown;
  try {
    body = /^\s*\[/.test(text) ? JSON.parse(text) : decodeJsonOrYaml(text).value;
  } catch (error) {
    throw new Failure(`error: unable to parse "${text}": ${(error as Error).message}`);
  }
  switch (given.type.toLowerCase()) {
    case "json":
      return { type: "json", body: body as readonly JsonObject[] };
    case "merge":
      return { type: "merge", body: body as JsonObject };
    case "strategic":
      return { type: "strategic", body: body as JsonObject };
    default:
      throw new Failure(`error: --type must be one of [json merge strategic], not "${given.type}"`);
  }
}
