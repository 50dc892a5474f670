// Answers for callers in the same process: parsed objects, shared with the cache, and watches as async iterables.
import { ApiError, type ApiObject, apiError, apiVersionOf, expired } from "#api";
import type { ApiReply, WatchFrame } from "#client";
import type { Answer } from "./answer.ts";
import type { CacheWatcher, Delivery } from "./cache/watcher.ts";
import { plainListMetadata } from "./http/encode.ts";
import { type ServedResource, toServed } from "./registry/resource.ts";

export function replyOf(answer: Answer, warnings: readonly string[]): ApiReply {
  const noted = warnings.length === 0 ? {} : { warnings };
  switch (answer.kind) {
    case "entry":
      return { code: answer.code, object: toServed(answer.resource, answer.entry.parse()), ...noted };
    case "object":
      return { code: answer.code, object: answer.object, ...noted };
    case "list": {
      const { type } = answer.resource;
      return {
        code: 200,
        object: {
          kind: `${type.kind}List`,
          apiVersion: apiVersionOf(type),
          metadata: plainListMetadata(answer),
          items: answer.entries.map((entry) => toServed(answer.resource, entry.parse())),
        },
        ...noted,
      };
    }
    case "watch":
      return { code: 200, frames: frames(answer.resource, answer.watcher) };
    case "forward": {
      const { status } = apiError("ServiceUnavailable", "streams from nodes are only served over HTTPS");
      return { code: status.code, object: status, ...noted };
    }
    case "raw":
      return { code: answer.code, object: rawObject(answer), ...noted };
    default:
      return answer satisfies never;
  }
}

function rawObject(answer: Extract<Answer, { kind: "raw" }>): unknown {
  const text = answer.body.toString();
  if (answer.contentType.startsWith("application/json")) return JSON.parse(text);
  if (answer.code < 400) return text;
  return new ApiError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    reason: answer.code === 404 ? "NotFound" : "",
    message: text.trimEnd(),
    code: answer.code,
  }).status;
}

/** What a bookmark says. */
export const bookmarkObject = (resource: ServedResource, revision: number, initialEventsEnd: boolean): ApiObject => ({
  kind: resource.type.kind,
  apiVersion: apiVersionOf(resource.type),
  metadata: {
    resourceVersion: String(revision),
    ...(initialEventsEnd ? { annotations: { "k8s.io/initial-events-end": "true" } } : {}),
  },
});

/** What the last event of an expired watch says. */
export const expiredFrame = ({ because }: CacheWatcher): object => expired(because).status;

function frameOf(resource: ServedResource, delivery: Delivery): WatchFrame {
  if (delivery.type === "BOOKMARK")
    return { type: "BOOKMARK", object: bookmarkObject(resource, delivery.revision, delivery.initialEventsEnd) };
  return { type: delivery.type, object: toServed(resource, delivery.entry.parse()) };
}

async function* frames(resource: ServedResource, watcher: CacheWatcher): AsyncGenerator<WatchFrame> {
  try {
    for (;;) {
      const taken = watcher.take();
      for (const delivery of taken) yield frameOf(resource, delivery);
      if (taken.length > 0) continue;
      if (watcher.ended !== undefined) {
        if (watcher.ended === "expired") yield { type: "ERROR", object: expiredFrame(watcher) };
        return;
      }
      await new Promise<void>((resolve) => watcher.whenReady(resolve));
    }
  } finally {
    watcher.end("closed");
  }
}
