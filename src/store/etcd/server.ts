// Our etcd API on a port: every method of etcd's services, answered by the facade.
import type { Clock, Log, Running } from "#base";
import type { Store } from "../store.ts";
import { rangeAnswer, watchAnswer } from "./answer-bytes.ts";
import { etcdFacade, type Facade, missing, statusFor } from "./facade.ts";
import type { GrpcMessage, GrpcMethod } from "./grpc-calls.ts";
import { listenGrpc } from "./grpc-listener.ts";
import type { GrpcFailure } from "./grpc-messages.ts";
import { etcdMessages, etcdTables, type WireRangeResponse, type WireWatchResponse } from "./wire.ts";

export interface EtcdServerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** "127.0.0.1:2379"; port 0: any. */
  readonly listen: string;
  /** PEM. Clients must show a certificate of `ca`. Absent: plain text, for tests on the loopback only. */
  readonly tls?: { readonly ca: string; readonly certificate: string; readonly key: string };
}

export interface EtcdServer extends Running {
  /** "https://127.0.0.1:2379" */
  readonly url: string;
  watching(): Watching;
}

/** Watches through the etcd API, as they are now. */
export interface Watching {
  readonly watches: number;
  /** Put down until their clients have read what was sent before. */
  readonly slow: number;
  /** Answers that wait in memory to be read: of all clients, and of the one with most. */
  readonly unreadBytes: number;
  readonly mostUnreadBytes: number;
}

/** Larger than etcd's own request limit, so that the answer is etcd's text and not gRPC's. */
const maxMessageBytes = 8 * 1024 * 1024;

/** Serves `store` until disposed; open streams are then ended. Rejects when the port is taken. */
export async function startEtcdServer(options: EtcdServerOptions): Promise<EtcdServer> {
  const { tls } = options;
  let url = "";
  const facade = etcdFacade({
    store: options.store,
    clock: options.clock,
    clientUrls: () => [url],
    clusterId: 0x7469_7068_7973n,
    memberId: 0x7469_7068_7901n,
  });
  const listener = await listenGrpc({
    listen: options.listen,
    tls,
    methods: methodsOf(facade),
    failure,
    maxMessageBytes,
  }).catch((error: Error) => {
    throw listenError(options.listen, error);
  });
  const host = options.listen.slice(0, options.listen.lastIndexOf(":"));
  url = `${tls === undefined ? "http" : "https"}://${host}:${listener.port}`;
  options.log.info("serving the etcd API", { url });
  return {
    url,
    ready: () => undefined,
    watching: () => {
      const unread = listener.unread();
      const unreadBytes = unread.reduce((sum, bytes) => sum + bytes, 0);
      return { ...facade.watching(), unreadBytes, mostUnreadBytes: Math.max(0, ...unread) };
    },
    [Symbol.asyncDispose]: () => listener.close(),
  };
}

const listenError = (address: string, cause: Error): Error =>
  new Error(`Cannot serve the etcd API on "${address}": ${cause.message}; is the port taken? Choose another with --etcd-listen`, {
    cause,
  });

function methodsOf(facade: Facade): ReadonlyMap<string, GrpcMethod> {
  const methods = new Map<string, GrpcMethod>();
  for (const service of ["KV", "Watch", "Lease", "Cluster", "Maintenance", "Auth"]) {
    for (const { name, request, response, requestStream } of etcdTables.services.get(`etcdserverpb.${service}`) ?? []) {
      const decode = (bytes: Buffer) => etcdMessages.decode(request, bytes);
      const encode = byHand[response] ?? ((message: object) => etcdMessages.encode(response, message));
      methods.set(`/etcdserverpb.${service}/${name}`, methodOf(facade, `${service}.${name}`, { decode, encode, requestStream }));
    }
  }
  return methods;
}

/** What may be long. The facade makes these messages as wire.ts has them. */
const byHand: Readonly<Record<string, (message: object) => GrpcMessage>> = {
  "etcdserverpb.RangeResponse": (message) => rangeAnswer(message as WireRangeResponse),
  "etcdserverpb.WatchResponse": (message) => watchAnswer(message as WireWatchResponse),
};

interface Codec {
  readonly decode: (bytes: Buffer) => Record<string, unknown>;
  readonly encode: (message: object) => GrpcMessage;
  readonly requestStream: boolean;
}

function methodOf(facade: Facade, name: string, { decode, encode, requestStream }: Codec): GrpcMethod {
  const stream = facade.streams[name];
  if (stream !== undefined) {
    return {
      kind: "stream",
      endsWithClient: requestStream,
      open: (client) => {
        const handler = stream({ ...client, send: (response) => client.send(encode(response)) });
        return {
          message: (bytes) => handler.message(decode(bytes)),
          drained: () => handler.drained(),
          end: () => handler.end(),
        };
      },
    };
  }
  const unary = facade.unary[name];
  const answer =
    unary === undefined ? () => Promise.reject(missing(name)) : async (bytes: Buffer) => encode(await unary(decode(bytes)));
  return { kind: "unary", answer };
}

/** gRPC's numbers of the statuses that the facade answers with. */
const statusCodes: Readonly<Record<string, number>> = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
};

function failure(error: unknown): GrpcFailure {
  const { status, message } = statusFor(error);
  return { code: statusCodes[status] ?? statusCodes["INTERNAL"] ?? 13, message };
}
