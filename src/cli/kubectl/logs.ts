// `logs`: what containers have written, and go on writing.
import { isNotFound, type Pod } from "#api";
import { defineOptions, parseDuration } from "#base";
import { objectPath } from "#client";
import { defineCommand } from "./command.ts";
import { eachOf, Failure } from "./failure.ts";
import { containerNames, containerOf, podOf, podsType } from "./pods-of.ts";
import { listObjects } from "./requests.ts";
import { streamText } from "./stream.ts";

const options = defineOptions({
  container: { kind: "string", help: "Which container", placeholder: "NAME" },
  allContainers: { kind: "boolean", default: false, help: "All containers of the pod" },
  follow: { kind: "boolean", default: false, help: "Go on with what is written later" },
  previous: { kind: "boolean", default: false, help: "Of the container that ran before" },
  tail: { kind: "integer", default: -1, help: "Only the last lines (negative: all; with -l: 10)" },
  since: { kind: "string", default: "0s", help: "Only what is younger", placeholder: "DURATION" },
  sinceTime: { kind: "string", help: "Only what was written later", placeholder: "TIME" },
  timestamps: { kind: "boolean", default: false, help: "The time before each line" },
  limitBytes: { kind: "integer", default: 0, help: "At most so many bytes" },
  prefix: { kind: "boolean", default: false, help: "Pod and container before each line" },
  selector: { kind: "string", help: "Of all pods with these labels", placeholder: "SELECTOR" },
});

export const logs = defineCommand({
  name: "logs",
  usage: "(POD | TYPE/NAME | -l SELECTOR) [-c CONTAINER]",
  summary: "Show what containers have written",
  options,
  short: { container: "c", follow: "f", previous: "p", selector: "l" },
  run: async ({ session, words, options }) => {
    const [word, second, ...more] = words.plain;
    const hasSelector = (options.selector ?? "") !== "";
    const see = "See 'tiphys kubectl logs -h' for help and examples";
    if (word !== undefined && hasSelector) throw new Failure(`error: only a selector (-l) or a POD name is allowed\n${see}`);
    if ((word === undefined && !hasSelector) || more.length > 0)
      throw new Failure(
        `error: expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command\n${see}`,
      );
    const sinceMs = parseDuration(options.since);
    if (sinceMs === undefined) throw new Failure(`error: invalid argument "${options.since}" for "--since" flag`);
    if (sinceMs > 0 && options.sinceTime !== undefined)
      throw new Failure("error: at most one of `sinceTime` or `sinceSeconds` may be specified");
    const client = await session.client();
    const type = await podsType(session);
    const namespace = await session.namespace();
    const pods =
      word === undefined
        ? ((await Array.fromAsync(listObjects(client, type, { namespace, labelSelector: options.selector }))) as unknown as Pod[])
        : [await podOf(session, word, true).catch((error: unknown) => notFoundIn(namespace, error))];
    const sources = pods.flatMap((pod) =>
      (options.allContainers ? containerNames(pod) : [containerOf(session, pod, options.container ?? second)]).map(
        (container) => ({ pod: pod.metadata.name ?? "", container }),
      ),
    );
    const tail = options.tail === -1 && hasSelector ? 10 : options.tail;
    const query = (container: string): URLSearchParams =>
      new URLSearchParams({
        container,
        ...(options.follow ? { follow: "true" } : {}),
        ...(options.previous ? { previous: "true" } : {}),
        ...(tail >= 0 ? { tailLines: String(tail) } : {}),
        ...(sinceMs > 0 ? { sinceSeconds: String(Math.ceil(sinceMs / 1000)) } : {}),
        ...(options.sinceTime === undefined ? {} : { sinceTime: options.sinceTime }),
        ...(options.timestamps ? { timestamps: "true" } : {}),
        ...(options.limitBytes > 0 ? { limitBytes: String(options.limitBytes) } : {}),
      });
    const show = async ({ pod, container }: { pod: string; container: string }): Promise<void> => {
      const path = objectPath(type, { namespace, name: pod }, "log");
      const decoder = new TextDecoder();
      const lead = options.prefix ? `[pod/${pod}/${container}] ` : "";
      let rest = "";
      for await (const chunk of streamText(session, path, query(container), session.terminal.signal)) {
        const text = rest + decoder.decode(chunk, { stream: true });
        // whole lines, so that several sources do not mix inside one
        const end = lead === "" && sources.length === 1 ? text.length : text.lastIndexOf("\n") + 1;
        rest = text.slice(end);
        if (end > 0)
          session.terminal.out(lead === "" ? text.slice(0, end) : text.slice(0, end).replaceAll(/^(?=[\s\S])/gm, lead));
      }
      if (rest !== "") session.terminal.out(`${lead}${rest}`);
    };
    if (options.follow) await Promise.all(sources.map(show));
    else await eachOf(sources, show);
    return undefined;
  },
});

function notFoundIn(namespace: string, error: unknown): never {
  throw isNotFound(error)
    ? new Failure(`error: error from server (NotFound): ${(error as Error).message} in namespace "${namespace}"`)
    : error;
}
