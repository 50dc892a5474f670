// `scale`: how many pods a workload shall have.
import { defineOptions } from "#base";
import { objectPath } from "#client";
import { chooseFlags, chooseObjects, chooseShort } from "./choose.ts";
import { defineCommand } from "./command.ts";
import { dryRunBare, dryRunFlags, dryRunNote, readDryRun } from "./dry-run.ts";
import { eachOf, Failure } from "./failure.ts";
import { resultWriter } from "./output.ts";
import { type AnyObject, fetchObject } from "./session.ts";

const options = defineOptions({
  ...chooseFlags,
  ...dryRunFlags,
  replicas: { kind: "integer", help: "How many there shall be" },
  currentReplicas: { kind: "integer", default: -1, help: "Only if there are so many now" },
});

export const scale = defineCommand({
  name: "scale",
  usage: "(TYPE NAME... | TYPE/NAME... | -f FILE) --replicas=N",
  summary: "Set how many pods a workload has",
  options,
  short: { ...chooseShort, output: "o" },
  bare: dryRunBare,
  run: async ({ session, words, options }) => {
    const { replicas, currentReplicas } = options;
    if (replicas === undefined) throw new Failure('error: required flag(s) "replicas" not set');
    if (replicas < 0)
      throw new Failure("error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0");
    const dryRun = readDryRun(options);
    const objects = await chooseObjects(session, words.plain, options);
    if (objects.length === 0) throw new Failure("error: no objects passed to scale");
    const client = await session.client();
    const write = resultWriter(options.output);
    await eachOf(objects, async ({ type, namespace, name }) => {
      const ref = { namespace, name };
      const object = (await client.get(type, ref)) as AnyObject;
      const path = objectPath(type, ref, "scale");
      if (currentReplicas >= 0) {
        const { spec } = await fetchObject<{ spec?: { replicas?: number } }>(client, { method: "GET", path, query: {} });
        if (spec?.replicas !== currentReplicas)
          throw new Failure(`error: Expected replicas to be ${currentReplicas}, was ${spec?.replicas ?? 0}`);
      }
      if (dryRun !== "client")
        await client.patch(
          type,
          ref,
          { type: "merge", body: { spec: { replicas } } },
          { subresource: "scale", dryRun: dryRun === "server" },
        );
      session.terminal.out(write(type, object, `scaled${dryRunNote(dryRun)}`));
    });
    return undefined;
  },
});
