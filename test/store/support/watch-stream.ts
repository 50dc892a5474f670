// etcd's Watch service at the level of its messages, one at a time: nothing is read before it is asked for.
import { type GrpcChannel, type GrpcDuplex, openGrpcChannel } from "#base";
import { etcdMessages, keyBytes, type WireWatchResponse } from "../../../src/store/etcd/wire.ts";

/** A connection of its own. */
export const openWatchChannel = (url: string): Promise<GrpcChannel> =>
  openGrpcChannel({ address: url.replace("http://", ""), messages: etcdMessages, maxMessageBytes: 2 ** 31 - 1 });

export interface WatchWanted {
  readonly key: string;
  readonly end?: string | undefined;
  /** 0 or absent: from now on. */
  readonly startRevision?: number;
  readonly previous?: boolean;
  readonly filters?: readonly ("noput" | "nodelete")[];
  readonly fragment?: boolean;
}

export interface WatchStreamClient {
  readonly responses: AsyncIterableIterator<WireWatchResponse>;
  requestProgress(): void;
  cancel(): void;
}

/** Opens one stream with these watches; their ids are 1, 2, ... */
export function openWatchStream(channel: GrpcChannel, wanted: readonly WatchWanted[], signal?: AbortSignal): WatchStreamClient {
  const stream: GrpcDuplex = channel.duplex(method, signal === undefined ? {} : { signal });
  for (const [index, { key, end, startRevision = 0, previous = false, filters = [], fragment = false }] of wanted.entries()) {
    stream.write({
      create_request: {
        key: keyBytes(key),
        ...(end === undefined ? {} : { range_end: keyBytes(end) }),
        start_revision: startRevision,
        prev_kv: previous,
        filters: filters.map((filter) => filter.toUpperCase()),
        watch_id: index + 1,
        fragment,
      },
    });
  }
  return {
    responses: stream[Symbol.asyncIterator]() as AsyncIterableIterator<WireWatchResponse>,
    requestProgress: () => stream.write({ progress_request: {} }),
    cancel: () => stream.cancel(),
  };
}

const method = {
  path: "/etcdserverpb.Watch/Watch",
  request: "etcdserverpb.WatchRequest",
  response: "etcdserverpb.WatchResponse",
} as const;
