// Records Events: what a user should know about an object. Written in the background, never awaited, never fatal.
import {
  ApiError,
  type ApiObject,
  apiVersionOf,
  type Event,
  events as eventResource,
  isNotFound,
  type ObjectReference,
  type ResourceType,
  type Stored,
} from "#api";
import { type Clock, type Log, sleep } from "#base";
import type { Client } from "./client.ts";
import { EventCorrelator, type EventNote, type EventSource, type Occurrence } from "./event-correlator.ts";
import { rfc3339 } from "./time.ts";

export interface EventRecorder {
  event(about: ObjectReference, note: EventNote): void;
}

/** One per process; each component asks for its recorder. Disposing drops what is not yet written. */
export interface Events extends AsyncDisposable {
  recorder(source: EventSource): EventRecorder;
  /** Resolves when everything recorded so far is written or dropped. */
  flush(): Promise<void>;
}

/** How an Event, a binding or a status refers to an object. */
export const referenceTo = <T extends ApiObject>(
  type: ResourceType<T>,
  object: Stored<T>,
  fieldPath?: string,
): ObjectReference => ({
  apiVersion: apiVersionOf(type),
  kind: type.kind,
  ...(object.metadata.namespace === undefined ? {} : { namespace: object.metadata.namespace }),
  name: object.metadata.name,
  uid: object.metadata.uid,
  resourceVersion: object.metadata.resourceVersion,
  ...(fieldPath === undefined ? {} : { fieldPath }),
});

/** Beyond this many unwritten events new ones are dropped, as upstream's broadcaster does. */
const longestQueue = 1000;
const attempts = 12;
const retryDelayMs = 10_000;

export function createEvents(deps: { readonly client: Client; readonly clock: Clock; readonly log: Log }): Events {
  const { client, clock, log } = deps;
  const correlator = new EventCorrelator(clock);
  const queue: Occurrence[] = [];
  const stop = new AbortController();
  let writing: Promise<void> | undefined;
  let sequence = 0;

  const writeAll = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined && !stop.signal.aborted; next = queue.shift()) await writeWithRetry(next);
    writing = undefined;
  };

  const writeWithRetry = async (occurrence: Occurrence): Promise<void> => {
    const nowMs = clock.now();
    const verdict = correlator.judge(occurrence);
    if (verdict.kind === "drop") return;
    const namespace = namespaceOf(occurrence.about);
    for (let attempt = 1; attempt <= attempts; attempt++) {
      try {
        if (verdict.kind === "repeat") {
          const body = { count: verdict.count, message: verdict.message, lastTimestamp: rfc3339(nowMs) };
          try {
            await client.patch(
              eventResource,
              { namespace, name: verdict.name },
              { type: "strategic", body },
              { signal: stop.signal },
            );
            return;
          } catch (error) {
            if (!isNotFound(error)) throw error; // expired in the meantime: written anew below
          }
        }
        const count = verdict.kind === "repeat" ? verdict.count : 1;
        const firstMs = verdict.kind === "repeat" ? verdict.firstMs : nowMs;
        const name = `${occurrence.about.name}.${(BigInt(Math.floor(nowMs)) * 1_000_000n + BigInt(sequence++ % 1_000_000)).toString(16)}`;
        await client.create(
          eventResource,
          newEvent(occurrence, { namespace, name, message: verdict.message, count, firstMs, nowMs }),
          { signal: stop.signal },
        );
        if (verdict.kind === "new") correlator.stored(verdict.key, name, nowMs);
        return;
      } catch (error) {
        if (stop.signal.aborted) return;
        // A refusal is final (a namespace that is going away, no permission); anything else may pass.
        if (error instanceof ApiError && error.code < 500 && error.code !== 429) {
          log.debug("event refused", { reason: occurrence.note.reason, object: occurrence.about.name, error: error.message });
          return;
        }
        await sleep(clock, retryDelayMs, stop.signal).catch(() => {});
      }
    }
    log.warn("event lost", { reason: occurrence.note.reason, object: occurrence.about.name });
  };

  return {
    recorder: (source) => ({
      event: (about, note) => {
        if (stop.signal.aborted || queue.length >= longestQueue) return;
        queue.push({ source, about, note });
        writing ??= Promise.resolve().then(writeAll);
      },
    }),
    flush: async () => {
      while (writing !== undefined) await writing;
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort(new Error("the event recorder is being stopped"));
      await writing;
    },
  };
}

interface Details {
  readonly namespace: string;
  readonly name: string;
  readonly message: string;
  readonly count: number;
  readonly firstMs: number;
  readonly nowMs: number;
}

const newEvent = ({ source, about, note }: Occurrence, details: Details): Event => ({
  apiVersion: "v1",
  kind: "Event",
  metadata: { name: details.name, namespace: details.namespace },
  involvedObject: about,
  reason: note.reason,
  message: details.message,
  type: note.type,
  ...(note.action === undefined ? {} : { action: note.action }),
  ...(note.related === undefined ? {} : { related: note.related }),
  source: { component: source.component, ...(source.host === undefined ? {} : { host: source.host }) },
  reportingComponent: source.component,
  reportingInstance: source.host ?? "",
  firstTimestamp: rfc3339(details.firstMs),
  lastTimestamp: rfc3339(details.nowMs),
  count: details.count,
});

const namespaceOf = (about: ObjectReference): string =>
  about.namespace === undefined || about.namespace === "" ? "default" : about.namespace;
