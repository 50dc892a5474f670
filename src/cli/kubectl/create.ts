// `create`: objects of files, and the small ones that a line is enough for.
import { ApiError } from "#api";
import { defineOptions, type OptionSpecs, type OptionValues } from "#base";
import { type Command, defineCommand, type Invocation } from "./command.ts";
import { dryRunNote, readDryRun, readValidation, writeBare, writeFlags, writeShort } from "./dry-run.ts";
import { about, eachOf, Failure } from "./failure.ts";
import { fileFlags, fileShort, readObjects } from "./files.ts";
import { resultWriter } from "./output.ts";
import type { AnyObject, Session } from "./session.ts";

export const create = defineCommand({
  name: "create",
  usage: "-f FILE | KIND NAME ...",
  summary: "Make objects of files; `create pod`, `create node`, `create deployment`, ... make one without a file",
  options: defineOptions({ ...fileFlags, ...writeFlags }),
  short: { ...fileShort, ...writeShort },
  bare: writeBare,
  run: async ({ session, words, options }) => {
    if (words.plain.length > 0)
      throw new Failure(`error: Unexpected args: [${words.plain.join(" ")}]\nSee 'tiphys kubectl create --help' for usage.`);
    if (options.filename.length === 0) throw new Failure("error: must specify one of -f and -k");
    await eachOf(await readObjects(session, options), async ({ object, source }) => {
      await make(session, object, options).catch((error: unknown) => {
        throw about(`error when creating "${source}"`, error);
      });
    });
    return undefined;
  },
});

interface WriteFlags {
  readonly dryRun: string;
  readonly output: string | undefined;
  readonly fieldManager: string | undefined;
  readonly validate: string;
}

async function make(session: Session, object: AnyObject, options: WriteFlags): Promise<void> {
  const dryRun = readDryRun(options);
  const type = await session.typeOf(object, "the command line");
  const client = await session.client();
  const made =
    dryRun === "client"
      ? object
      : ((await client.create(type, object, {
          dryRun: dryRun === "server",
          fieldManager: options.fieldManager ?? "kubectl-create",
          fieldValidation: readValidation(options),
        })) as AnyObject);
  session.terminal.out(resultWriter(options.output)(type, made, `created${dryRunNote(dryRun)}`));
}

interface Generator<T extends OptionSpecs> {
  /** Behind "create": "service clusterip". */
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly usage: string;
  readonly summary: string;
  readonly options: T;
  /** In the words of a refusal: "deployment". */
  readonly noun?: string;
  /** Whether its objects live in namespaces. */
  readonly namespaced: boolean;
  /** The object, without its namespace. Throws Failure for flags that do not fit. */
  readonly object: (
    name: string,
    invocation: Invocation<OptionValues<T>>,
    more: readonly string[],
  ) => AnyObject | Promise<AnyObject>;
}

/** `create NAME ...`: an object made of a name and flags. */
export function createCommand<const T extends OptionSpecs>(generator: Generator<T>): Command {
  const { name, aliases = [], usage, summary, options } = generator;
  return {
    name: `create ${name}`,
    aliases: aliases.map((alias) => `create ${alias}`),
    usage,
    summary,
    options: { ...writeFlags, ...options },
    short: writeShort,
    bare: writeBare,
    run: async (invocation) => {
      const { session, words } = invocation;
      const before = words.plain.slice(0, words.beforeDashes);
      const [objectName, ...others] = before;
      if (objectName === undefined || others.length > 0)
        throw new Failure(
          `error: exactly one NAME is required, got ${before.length}\nSee 'tiphys kubectl create ${name} --help' for usage.`,
        );
      const more = words.plain.slice(before.length);
      const own = invocation as unknown as Invocation<OptionValues<T>>; // T's options are among those of the command
      const made = await generator.object(objectName, own, more);
      const namespace = generator.namespaced ? await session.namespace() : undefined;
      const placed = namespace === undefined ? made : ({ ...made, metadata: { ...made.metadata, namespace } } as AnyObject);
      await make(session, placed, invocation.options as unknown as WriteFlags).catch((error: unknown) => {
        throw generator.noun !== undefined && error instanceof ApiError
          ? new Failure(`error: failed to create ${generator.noun}: ${error.message}`)
          : error;
      });
      return undefined;
    },
  };
}
