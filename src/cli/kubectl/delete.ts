// `delete`: asks for the deletion of objects and waits until they are gone.
import { isNotFound } from "#api";
import { defineOptions, parseDuration } from "#base";
import { type ChosenObject, chooseFlags, chooseObjects, chooseShort } from "./choose.ts";
import { defineCommand } from "./command.ts";
import { dryRunBare, dryRunFlags, dryRunNote, readDryRun } from "./dry-run.ts";
import { eachOf, Failure } from "./failure.ts";
import { kindName, shownName } from "./targets.ts";
import { timedOut, untilGone } from "./until.ts";

const options = defineOptions({
  ...chooseFlags,
  ...dryRunFlags,
  gracePeriod: { kind: "integer", default: -1, help: "Seconds until it is killed (negative: as the object says)" },
  force: { kind: "boolean", default: false, help: "Do not wait for the node to confirm" },
  now: { kind: "boolean", default: false, help: "The same as --grace-period=1" },
  cascade: {
    kind: "string",
    default: "background",
    help: "What becomes of dependents: background, foreground, orphan",
    placeholder: "HOW",
  },
  ignoreNotFound: { kind: "boolean", default: false, help: "Nothing found is no error" },
  wait: { kind: "boolean", default: true, help: "Wait until the objects are gone" },
  timeout: { kind: "string", default: "0s", help: "How long to wait (0: as long as it takes)", placeholder: "DURATION" },
});

const policies: Readonly<Record<string, string>> = { background: "Background", foreground: "Foreground", orphan: "Orphan" };

export const deleteCommand = defineCommand({
  name: "delete",
  usage: "TYPE NAME... | TYPE/NAME... | TYPE -l SELECTOR | TYPE --all | -f FILE",
  summary: "Delete objects and wait until they are gone",
  options,
  short: { ...chooseShort, output: "o" },
  bare: { ...dryRunBare, cascade: "background" },
  run: async ({ session, words, options }) => {
    const { out, error, signal } = session.terminal;
    const gracePeriodSeconds = readGrace(options);
    const propagationPolicy = policies[options.cascade];
    if (propagationPolicy === undefined)
      throw new Failure(`error: invalid cascade value (${options.cascade}). Must be "background", "foreground", or "orphan"`);
    const timeoutMs = parseDuration(options.timeout);
    if (timeoutMs === undefined) throw new Failure(`error: invalid argument "${options.timeout}" for "--timeout" flag`);
    const dryRun = readDryRun(options);
    const objects = await chooseObjects(session, words.plain, options);
    if (objects.length === 0) out("No resources found\n");
    if (session.options.namespace !== undefined && objects.some(({ type }) => !type.namespaced))
      error("Warning: deleting cluster-scoped resources, not scoped to the provided namespace\n");
    if (options.force && objects.length > 0)
      error(
        "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.\n",
      );
    const client = await session.client();
    const deleted: (ChosenObject & { readonly uid: string | undefined })[] = [];
    const how = `${options.force ? "force deleted" : "deleted"}${dryRunNote(dryRun)}`;
    const deadline = AbortSignal.any([signal, ...(timeoutMs === 0 ? [] : [AbortSignal.timeout(timeoutMs)])]);
    const removeAll = eachOf(objects, async (chosen) => {
      const { type, namespace, name } = chosen;
      try {
        if (dryRun === "client") await client.get(type, { namespace, name });
        else {
          const answer = await client.delete(
            type,
            { namespace, name },
            { gracePeriodSeconds, propagationPolicy, ...(dryRun === "server" ? { dryRun: ["All"] } : {}) },
          );
          deleted.push({ ...chosen, uid: uidOf(answer) });
        }
      } catch (failure) {
        if (options.ignoreNotFound && isNotFound(failure)) return;
        throw failure;
      }
      out(options.output === "name" ? `${shownName(type, name)}\n` : `${kindName(type)} "${name}" ${how}\n`);
    });
    await removeAll.finally(async () => {
      if (!options.wait || dryRun !== "none") return;
      for (const { type, namespace, name, uid } of deleted) {
        if (!(await untilGone(client, type, { namespace, name }, uid, deadline))) throw timedOut(type, name);
      }
    });
    return undefined;
  },
});

function readGrace({ gracePeriod, force, now }: { gracePeriod: number; force: boolean; now: boolean }): number | undefined {
  if (now && gracePeriod !== -1) throw new Failure("error: --now and --grace-period cannot be specified together");
  if (force && gracePeriod > 0)
    throw new Failure("error: --force and --grace-period greater than 0 cannot be specified together");
  if (now) return 1;
  if (force) return 0;
  // an end without a moment's notice is for --force only
  return gracePeriod < 0 ? undefined : Math.max(1, gracePeriod);
}

/** Of the object, or of the Status that says that it is gone. */
function uidOf(answer: unknown): string | undefined {
  const { metadata, details } = answer as { metadata?: { uid?: string }; details?: { uid?: string } };
  return metadata?.uid ?? details?.uid;
}
