// A watch over HTTP: one frame per event, as many frames per write as wait, no more than the client reads.
import { encodeJson, encodeProtobuf, type JsonObject, protobufWatchFrame } from "#api";
import type { Answer } from "../answer.ts";
import type { Delivery } from "../cache/watcher.ts";
import { bookmarkObject, expiredFrame } from "../in-process.ts";
import type { ServedResource } from "../registry/resource.ts";
import { columnsOf } from "../tables/columns.ts";
import { tableOf } from "../tables/table.ts";
import type { Wanted } from "./accept.ts";
import { notAcceptable } from "./accept.ts";
import { partialMetadata, servedJson, servedObject } from "./encode.ts";
import type { Exchange } from "./exchange.ts";

const frameEnd = Buffer.from("}\n");
const frameStart: Readonly<Record<string, Buffer>> = Object.fromEntries(
  ["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"].map((type) => [type, Buffer.from(`{"type":"${type}","object":`)]),
);

const maxWriteBytes = 1024 * 1024;

/** Resolves when the watch is over. */
export async function sendWatch(
  exchange: Exchange,
  answer: Extract<Answer, { kind: "watch" }>,
  wanted: Wanted,
  head: Readonly<Record<string, string | readonly string[]>>,
  sent: (count: number) => void,
): Promise<void> {
  const { watcher, resource } = answer;
  if (wanted.format === "yaml") {
    watcher.end("closed");
    throw notAcceptable("application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch");
  }
  const contentType = wanted.format === "protobuf" ? "application/vnd.kubernetes.protobuf;stream=watch" : "application/json";
  const stream = exchange.stream(200, { ...head, "content-type": contentType });
  exchange.signal.addEventListener("abort", () => watcher.end("closed"), { once: true });
  const encoder = frameEncoder(resource, wanted);
  for (;;) {
    const taken = watcher.take();
    if (taken.length > 0) {
      sent(taken.length);
      let parts: Buffer[] = [];
      let size = 0;
      for (const delivery of taken) {
        for (const part of encoder.frame(delivery)) {
          parts.push(part);
          size += part.length;
        }
        if (size < maxWriteBytes) continue;
        if (!stream.write(Buffer.concat(parts))) await stream.drained();
        [parts, size] = [[], 0];
      }
      if (parts.length > 0 && !stream.write(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)))
        await stream.drained();
      continue;
    }
    if (watcher.ended !== undefined) break;
    await new Promise<void>((resolve) => watcher.whenReady(resolve));
  }
  if (watcher.ended === "expired") stream.write(Buffer.concat(encoder.error(expiredFrame(watcher))));
  stream.end();
}

interface FrameEncoder {
  frame(delivery: Delivery): readonly Buffer[];
  error(status: object): Buffer[];
}

function frameEncoder(resource: ServedResource, wanted: Wanted): FrameEncoder {
  const objectOf = transformed(resource, wanted);
  if (wanted.format === "protobuf") {
    return {
      frame: (delivery) => [protobufWatchFrame(delivery.type, encodeProtobuf(objectOf(delivery) as JsonObject))],
      error: (status) => [protobufWatchFrame("ERROR", encodeProtobuf(status as JsonObject))],
    };
  }
  const framed = (type: string, body: Buffer): Buffer[] => [frameStart[type] as Buffer, body, frameEnd]; // one of the five types
  return {
    frame: (delivery) =>
      framed(
        delivery.type,
        delivery.type !== "BOOKMARK" && wanted.transform === "none"
          ? servedJson(resource, delivery.entry)
          : encodeJson(objectOf(delivery)),
      ),
    error: (status) => framed("ERROR", encodeJson(status)),
  };
}

/** The object of a frame as the client wants it. A table's columns are told once. */
function transformed(resource: ServedResource, wanted: Wanted): (delivery: Delivery) => unknown {
  let first = true;
  return (delivery) => {
    if (wanted.transform === "Table") {
      const withColumns = first;
      first = false;
      if (delivery.type !== "BOOKMARK")
        return tableOf(resource, [delivery.entry], { resourceVersion: String(delivery.entry.revision) }, wanted, withColumns);
      return bookmarkTable(resource, delivery, wanted);
    }
    if (delivery.type === "BOOKMARK") {
      const bookmark = bookmarkObject(resource, delivery.revision, delivery.initialEventsEnd);
      return wanted.transform === "none"
        ? bookmark
        : { kind: "PartialObjectMetadata", apiVersion: `meta.k8s.io/${wanted.metaVersion}`, metadata: bookmark.metadata };
    }
    return wanted.transform === "none"
      ? servedObject(resource, delivery.entry)
      : partialMetadata(delivery.entry, wanted.metaVersion);
  };
}

function bookmarkTable(resource: ServedResource, delivery: Extract<Delivery, { type: "BOOKMARK" }>, wanted: Wanted): object {
  const { metadata } = bookmarkObject(resource, delivery.revision, delivery.initialEventsEnd);
  return {
    kind: "Table",
    apiVersion: `meta.k8s.io/${wanted.metaVersion}`,
    metadata: { resourceVersion: metadata.resourceVersion },
    columnDefinitions: null,
    rows: [
      {
        cells: columnsOf(resource).columns.map((column) =>
          column.type === "integer" || (column.name === "Data" && column.type === "string") ? 0 : "",
        ),
        object: { kind: "PartialObjectMetadata", apiVersion: `meta.k8s.io/${wanted.metaVersion}`, metadata },
      },
    ],
  };
}
