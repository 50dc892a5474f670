// `apply`: the server merges what the files say (server-side apply), and the answer tells what became of each object.
import { type ApiObject, apiVersionOf, deepEqual, isConflict, isNotFound } from "#api";
import { defineOptions } from "#base";
import { defineCommand } from "./command.ts";
import { dryRunNote, readDryRun, readValidation, writeBare, writeFlags, writeShort } from "./dry-run.ts";
import { about, eachOf, Failure } from "./failure.ts";
import { fileFlags, fileShort, readObjects } from "./files.ts";
import { resultWriter } from "./output.ts";
import type { AnyObject } from "./session.ts";

const options = defineOptions({
  ...fileFlags,
  ...writeFlags,
  serverSide: {
    kind: "boolean",
    default: false,
    help: "Fields that others manage are refused, as with kubectl apply --server-side",
  },
  forceConflicts: { kind: "boolean", default: false, help: "With --server-side: take over fields that others manage" },
});

export const apply = defineCommand({
  name: "apply",
  usage: "-f FILE",
  summary: "Make objects as files say",
  options,
  short: { ...fileShort, ...writeShort },
  bare: writeBare,
  run: async ({ session, words, options }) => {
    if (words.plain.length > 0) throw new Failure(`error: Unexpected args: [${words.plain.join(" ")}]`);
    if (options.filename.length === 0) throw new Failure("error: must specify one of -f and -k");
    const dryRun = readDryRun(options);
    const note = dryRunNote(dryRun);
    const client = await session.client();
    const write = resultWriter(options.output);
    const objects = await readObjects(session, options);
    await eachOf(objects, async ({ type, namespace, object, source }) => {
      const ref = { namespace, name: object.metadata.name ?? "" };
      if (ref.name === "") throw new Failure(`error: error when applying "${source}": resource name may not be empty`);
      const before = await client.get(type, ref).catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw about(`error when retrieving current configuration of "${source}"`, error);
      });
      if (dryRun === "client")
        return session.terminal.out(write(type, object, `${before === undefined ? "created" : "configured"}${note}`));
      const { managedFields: _, ...metadata } = object.metadata;
      const after = await client
        .apply(
          type,
          { ...object, apiVersion: apiVersionOf(type), kind: type.kind, metadata },
          {
            fieldManager: options.fieldManager ?? "kubectl",
            fieldValidation: readValidation(options),
            dryRun: dryRun === "server",
            // a plain apply never asks who wrote a field before
            force: !options.serverSide || options.forceConflicts,
          },
        )
        .catch((error: unknown) => {
          if (isConflict(error) && options.serverSide)
            throw new Failure(
              `error: ${(error as Error).message}\nTo take these fields over, say --force-conflicts; to leave them to their managers, remove them from the file.`,
            );
          throw about(`error when applying "${source}"`, error);
        });
      const isSame = before !== undefined && deepEqual(content(before), content(after));
      const done = options.serverSide
        ? "serverside-applied"
        : before === undefined
          ? "created"
          : isSame
            ? "unchanged"
            : "configured";
      session.terminal.out(write(type, after as AnyObject, `${done}${note}`));
    });
    return undefined;
  },
});

/** Without what every write changes, and what others may change meanwhile. */
const content = ({ metadata, status: _status, ...rest }: ApiObject & { readonly status?: unknown }): object => {
  const { managedFields: _, resourceVersion: _version, ...kept } = metadata;
  return { ...rest, metadata: kept };
};
