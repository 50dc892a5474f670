// `wait`: until a condition, a field or the end of objects.
import { parsePath, type ResourceType, valuesAt } from "#api";
import { defineOptions, parseDuration } from "#base";
import { chooseFlags, chooseObjects, chooseShort } from "./choose.ts";
import { defineCommand } from "./command.ts";
import { eachOf, Failure } from "./failure.ts";
import { resultWriter } from "./output.ts";
import type { AnyObject } from "./session.ts";
import { timedOut, until } from "./until.ts";

const options = defineOptions({
  ...chooseFlags,
  for: {
    kind: "string",
    default: "",
    help: "condition=NAME[=VALUE], jsonpath={PATH}[=VALUE], create or delete",
    placeholder: "WHAT",
  },
  timeout: { kind: "string", default: "30s", help: "How long (0: look once; negative: a week)", placeholder: "DURATION" },
  output: { kind: "string", help: "json, yaml, name or jsonpath=TEMPLATE", placeholder: "FORM" },
});

const weekMs = 7 * 86_400_000;

export const wait = defineCommand({
  name: "wait",
  usage: "(TYPE NAME... | TYPE/NAME... | TYPE --all | -f FILE) --for=WHAT",
  summary: "Wait until something is true of objects",
  options,
  short: { ...chooseShort, output: "o" },
  run: async ({ session, words, options }) => {
    const goal = readGoal(options.for);
    const timeoutMs = options.timeout.startsWith("-") ? weekMs : parseDuration(options.timeout);
    if (timeoutMs === undefined) throw new Failure(`error: invalid argument "${options.timeout}" for "--timeout" flag`);
    const objects = await chooseObjects(session, words.plain, options);
    if (objects.length === 0 && goal.kind !== "delete") throw new Failure("error: no matching resources found");
    const client = await session.client();
    const { signal, out } = session.terminal;
    const write = resultWriter(options.output);
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    await eachOf(objects, async ({ type, namespace, name, object }) => {
      const ref = { namespace, name };
      let last = object;
      if (goal.kind === "state") last = (await client.get(type, ref)) as AnyObject;
      // what was never there is not said to have gone
      if (goal.kind === "delete" && last === undefined) {
        last = (await client.list(type, { namespace, fieldSelector: `metadata.name=${name}` })).items[0] as AnyObject | undefined;
        if (last === undefined) return;
      }
      const uid = last?.metadata.uid;
      const isMet = await until(
        client,
        type,
        ref,
        (now) => {
          last = now ?? last;
          if (goal.kind === "delete") return now === undefined || now.metadata.uid !== uid;
          return now !== undefined && (goal.kind === "create" || goal.holds(now));
        },
        deadline,
      );
      if (!isMet) throw goal.kind === "create" ? new Failure("error: timed out waiting for the condition") : timedOut(type, name);
      out(write(type, named(type, name, last), "condition met"));
    });
    return undefined;
  },
});

const named = (type: ResourceType, name: string, object: AnyObject | undefined): AnyObject =>
  object ?? ({ kind: type.kind, metadata: { name } } as AnyObject);

export type Goal =
  | { readonly kind: "create" }
  | { readonly kind: "delete" }
  | { readonly kind: "state"; readonly holds: (object: AnyObject) => boolean };

interface Condition {
  readonly type?: string;
  readonly status?: string;
  readonly observedGeneration?: number;
}

/** What --for says. */
export function readGoal(text: string): Goal {
  const lower = text.toLowerCase();
  if (lower === "delete" || lower === "create") return { kind: lower };
  if (lower.startsWith("condition=")) {
    const [name = "", value = "true"] = text.slice("condition=".length).split("=");
    return { kind: "state", holds: (object) => hasCondition(object, name.toLowerCase(), value.toLowerCase()) };
  }
  if (lower.startsWith("jsonpath=")) return { kind: "state", holds: fieldGoal(text.slice("jsonpath=".length)) };
  throw new Failure(`error: unrecognized condition: "${text}"`);
}

function hasCondition(object: AnyObject, name: string, value: string): boolean {
  const status = object["status"] as { conditions?: readonly Condition[]; observedGeneration?: number } | undefined;
  const found = status?.conditions?.find((condition) => condition.type?.toLowerCase() === name);
  const { generation } = object.metadata;
  const observed = found?.observedGeneration ?? status?.observedGeneration;
  if (generation !== undefined && observed !== undefined && observed < generation) return false;
  return found?.status?.toLowerCase() === value;
}

function fieldGoal(text: string): (object: AnyObject) => boolean {
  const [, path = "", wanted] = /^\{?((?:[^{}=[\]]|\[[^\]]*\])*)\}?(?:=([\s\S]*))?$/.exec(text) ?? [];
  const steps = parsePath(path.startsWith(".") || path.startsWith("[") ? path : `.${path}`);
  if (path === "" || steps === undefined)
    throw new Failure(`error: jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3`);
  if (wanted === "")
    throw new Failure(
      "error: jsonpath wait has to have a value after equal sign, like --for=jsonpath='{.status.readyReplicas}'=3",
    );
  return (object) => {
    const values = valuesAt(object, steps);
    if (wanted === undefined) return values.length > 0;
    return values.some((value) => (typeof value === "object" ? JSON.stringify(value) : String(value)) === wanted.trim());
  };
}
