// `rollout status`: follows a workload until its newest template is what runs.
import { defineOptions, parseDuration } from "#base";
import { chooseFlags, chooseObjects, chooseShort } from "./choose.ts";
import { defineCommand } from "./command.ts";
import { eachOf, Failure } from "./failure.ts";
import type { AnyObject } from "./session.ts";
import { until } from "./until.ts";

const { filename, recursive, selector } = chooseFlags;
const options = defineOptions({
  filename,
  recursive,
  selector,
  watch: { kind: "boolean", default: true, help: "Wait for the end of the rollout" },
  timeout: { kind: "string", default: "0s", help: "How long (0: as long as it takes)", placeholder: "DURATION" },
});

export const rolloutStatus = defineCommand({
  name: "rollout status",
  usage: "(TYPE NAME | TYPE/NAME | -f FILE)",
  summary: "Follow a rollout to its end",
  options,
  short: { filename: chooseShort.filename, recursive: chooseShort.recursive, selector: chooseShort.selector, watch: "w" },
  run: async ({ session, words, options }) => {
    const timeoutMs = parseDuration(options.timeout);
    if (timeoutMs === undefined) throw new Failure(`error: invalid argument "${options.timeout}" for "--timeout" flag`);
    const objects = await chooseObjects(session, words.plain, {
      ...options,
      fieldSelector: undefined,
      all: false,
      allNamespaces: false,
    });
    const client = await session.client();
    const { out, signal } = session.terminal;
    const deadline = AbortSignal.any([signal, ...(timeoutMs === 0 ? [] : [AbortSignal.timeout(timeoutMs)])]);
    await eachOf(objects, async ({ type, namespace, name }) => {
      const view = viewers[type.kind];
      if (view === undefined) throw new Failure(`error: no status viewer has been implemented for ${type.kind}`);
      await client.get(type, { namespace, name });
      let said = "";
      const isDone = await until(
        client,
        type,
        { namespace, name },
        (object) => {
          if (object === undefined) throw new Failure("error: object has been deleted");
          const { text, done } = view(object as unknown as Workload);
          if (text !== said) out(text);
          said = text;
          return done || !options.watch;
        },
        deadline,
      );
      if (!isDone) throw new Failure("error: timed out waiting for the condition");
    });
    return undefined;
  },
});

interface Workload extends AnyObject {
  readonly spec: {
    readonly replicas?: number;
    readonly updateStrategy?: { readonly type?: string; readonly rollingUpdate?: { readonly partition?: number } };
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly readyReplicas?: number;
    readonly updatedReplicas?: number;
    readonly availableReplicas?: number;
    readonly currentRevision?: string;
    readonly updateRevision?: string;
    readonly updatedNumberScheduled?: number;
    readonly desiredNumberScheduled?: number;
    readonly numberAvailable?: number;
    readonly conditions?: readonly { readonly type: string; readonly reason?: string }[];
  };
}

interface View {
  readonly text: string;
  readonly done: boolean;
}

const waiting = (text: string): View => ({ text: `${text}\n`, done: false });
const done = (text: string): View => ({ text: `${text}\n`, done: true });

function isUnseen({ metadata, status }: Workload): boolean {
  return (metadata.generation ?? 0) > (status?.observedGeneration ?? 0);
}

/** What kubectl says of the state of a rollout, by kind. Throws Failure for one that has failed. */
export const viewers: Readonly<Record<string, (object: Workload) => View>> = {
  Deployment: (object) => {
    const { metadata, spec, status = {} } = object;
    const head = `Waiting for deployment "${metadata.name}" rollout to finish:`;
    if (isUnseen(object)) return waiting("Waiting for deployment spec update to be observed...");
    if (status.conditions?.some(({ type, reason }) => type === "Progressing" && reason === "ProgressDeadlineExceeded") === true)
      throw new Failure(`error: deployment "${metadata.name}" exceeded its progress deadline`);
    const updated = status.updatedReplicas ?? 0;
    const available = status.availableReplicas ?? 0;
    const all = status.replicas ?? 0;
    if (spec.replicas !== undefined && updated < spec.replicas)
      return waiting(`${head} ${updated} out of ${spec.replicas} new replicas have been updated...`);
    if (all > updated) return waiting(`${head} ${all - updated} old replicas are pending termination...`);
    if (available < updated) return waiting(`${head} ${available} of ${updated} updated replicas are available...`);
    return done(`deployment "${metadata.name}" successfully rolled out`);
  },
  DaemonSet: (object) => {
    const { metadata, spec, status = {} } = object;
    if (spec.updateStrategy?.type !== undefined && spec.updateStrategy.type !== "RollingUpdate")
      throw new Failure("error: rollout status is only available for RollingUpdate strategy type");
    const head = `Waiting for daemon set "${metadata.name}" rollout to finish:`;
    if (isUnseen(object)) return waiting("Waiting for daemon set spec update to be observed...");
    const wanted = status.desiredNumberScheduled ?? 0;
    const updated = status.updatedNumberScheduled ?? 0;
    const available = status.numberAvailable ?? 0;
    if (updated < wanted) return waiting(`${head} ${updated} out of ${wanted} new pods have been updated...`);
    if (available < wanted) return waiting(`${head} ${available} of ${wanted} updated pods are available...`);
    return done(`daemon set "${metadata.name}" successfully rolled out`);
  },
  StatefulSet: (object) => {
    const { spec, status = {} } = object;
    if (spec.updateStrategy?.type !== undefined && spec.updateStrategy.type !== "RollingUpdate")
      throw new Failure("error: rollout status is only available for RollingUpdate strategy type");
    if ((status.observedGeneration ?? 0) === 0 || isUnseen(object))
      return waiting("Waiting for statefulset spec update to be observed...");
    const { replicas = 1 } = spec;
    const ready = status.readyReplicas ?? 0;
    const updated = status.updatedReplicas ?? 0;
    if (ready < replicas) return waiting(`Waiting for ${replicas - ready} pods to be ready...`);
    const partition = spec.updateStrategy?.rollingUpdate?.partition ?? 0;
    if (partition > 0) {
      if (updated < replicas - partition)
        return waiting(
          `Waiting for partitioned roll out to finish: ${updated} out of ${replicas - partition} new pods have been updated...`,
        );
      return done(`partitioned roll out complete: ${updated} new pods have been updated...`);
    }
    if (status.updateRevision !== status.currentRevision)
      return waiting(
        `waiting for statefulset rolling update to complete ${updated} pods at revision ${status.updateRevision}...`,
      );
    return done(`statefulset rolling update complete ${status.replicas ?? 0} pods at revision ${status.currentRevision}...`);
  },
};
