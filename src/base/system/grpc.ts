// gRPC calls with the table codec: a thin layer over @grpc/grpc-js, loaded on first use.
import { isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import type * as Grpc from "@grpc/grpc-js";
import type { Messages } from "../protobuf.ts";

export interface GrpcChannelOptions {
  /** "unix:/run/containerd.sock" or "127.0.0.1:2379". */
  readonly address: string;
  /** PEM; absent: no TLS. */
  readonly tls?: { readonly ca: string; readonly certificate?: string; readonly key?: string };
  readonly messages: Messages;
  /** Largest message in bytes, either way; default 16 MiB. */
  readonly maxMessageBytes?: number;
  /** Ping a connection with calls on it this often, and give it up when no answer comes in time. Absent: never. */
  readonly keepalive?: { readonly timeMs: number; readonly timeoutMs: number };
}

export interface GrpcCall {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Of one RPC: "/runtime.v1.RuntimeService/Version" and the full names of its messages. */
export interface GrpcMethod {
  readonly path: string;
  readonly request: string;
  readonly response: string;
}

/** A failed call. `code` is gRPC's name of it: "NOT_FOUND", "UNAVAILABLE", "DEADLINE_EXCEEDED", ... */
export class GrpcError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "GrpcError";
    this.code = code;
  }
}

export interface GrpcDuplex extends AsyncIterable<Record<string, unknown>> {
  write(request: object): void;
  /** No further requests; the answers go on. */
  end(): void;
  cancel(): void;
}

export interface GrpcChannel {
  unary(method: GrpcMethod, request: object, call?: GrpcCall): Promise<Record<string, unknown>>;
  /** Ends when the server ends it; throws GrpcError when it fails; stops quietly when the signal aborts. */
  serverStream(method: GrpcMethod, request: object, call?: GrpcCall): AsyncIterable<Record<string, unknown>>;
  duplex(method: GrpcMethod, call?: GrpcCall): GrpcDuplex;
  close(): void;
}

export async function openGrpcChannel(options: GrpcChannelOptions): Promise<GrpcChannel> {
  const grpc = await import("@grpc/grpc-js");
  const { messages, tls } = options;
  // grpc-js offers the host as the TLS server name, which Node refuses for an IP address: offer another name, check the real one.
  const host = options.address.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  const isAddress = tls !== undefined && isIP(host) !== 0;
  const verify = isAddress
    ? { checkServerIdentity: (_name: string, certificate: PeerCertificate) => checkServerIdentity(host, certificate) }
    : {};
  const credentials =
    tls === undefined
      ? grpc.credentials.createInsecure()
      : grpc.credentials.createSsl(
          Buffer.from(tls.ca),
          tls.key === undefined ? null : Buffer.from(tls.key),
          tls.certificate === undefined ? null : Buffer.from(tls.certificate),
          verify,
        );
  const limit = options.maxMessageBytes ?? 16 * 1024 * 1024;
  const client = new grpc.Client(options.address, credentials, {
    "grpc.max_receive_message_length": limit,
    "grpc.max_send_message_length": limit,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 3000,
    "grpc.use_local_subchannel_pool": 1,
    ...(options.keepalive === undefined
      ? {}
      : { "grpc.keepalive_time_ms": options.keepalive.timeMs, "grpc.keepalive_timeout_ms": options.keepalive.timeoutMs }),
    ...(isAddress ? { "grpc.ssl_target_name_override": "localhost", "grpc.default_authority": options.address } : {}),
  });
  const encode = (method: GrpcMethod) => (request: object) => messages.encode(method.request, request);
  const decode = (method: GrpcMethod) => (bytes: Buffer) => messages.decode(method.response, bytes);
  const settings = (call: GrpcCall | undefined): { metadata: Grpc.Metadata; options: Grpc.CallOptions } => {
    const metadata = new grpc.Metadata();
    for (const [key, value] of Object.entries(call?.metadata ?? {})) metadata.set(key, value);
    return { metadata, options: call?.timeoutMs === undefined ? {} : { deadline: Date.now() + call.timeoutMs } };
  };
  const failure = (method: GrpcMethod, error: Grpc.ServiceError): GrpcError =>
    new GrpcError(grpc.status[error.code] ?? "UNKNOWN", error.details === "" ? `${method.path} failed` : error.details, {
      cause: error,
    });

  return {
    unary: (method, request, call) =>
      new Promise((resolve, reject) => {
        if (call?.signal?.aborted) return reject(call.signal.reason as Error);
        const { metadata, options: callOptions } = settings(call);
        const running = client.makeUnaryRequest(
          method.path,
          encode(method),
          decode(method),
          request,
          metadata,
          callOptions,
          (error, response) => {
            call?.signal?.removeEventListener("abort", cancel);
            if (error !== null) reject(call?.signal?.aborted ? (call.signal.reason as Error) : failure(method, error));
            else resolve(response as Record<string, unknown>);
          },
        );
        const cancel = (): void => running.cancel();
        call?.signal?.addEventListener("abort", cancel, { once: true });
      }),

    serverStream: async function* (method, request, call) {
      if (call?.signal?.aborted) return;
      const { metadata, options: callOptions } = settings(call);
      const stream = client.makeServerStreamRequest(method.path, encode(method), decode(method), request, metadata, callOptions);
      const cancel = (): void => stream.cancel();
      call?.signal?.addEventListener("abort", cancel, { once: true });
      try {
        for await (const message of stream) yield message as Record<string, unknown>;
      } catch (error) {
        if (!call?.signal?.aborted) throw failure(method, error as Grpc.ServiceError);
      } finally {
        call?.signal?.removeEventListener("abort", cancel);
        stream.cancel();
      }
    },

    duplex: (method, call) => {
      const { metadata, options: callOptions } = settings(call);
      const stream = client.makeBidiStreamRequest(method.path, encode(method), decode(method), metadata, callOptions);
      const cancel = (): void => stream.cancel();
      call?.signal?.addEventListener("abort", cancel, { once: true });
      return {
        write: (request) => void stream.write(request),
        end: () => void stream.end(),
        cancel,
        [Symbol.asyncIterator]: async function* () {
          try {
            for await (const message of stream) yield message as Record<string, unknown>;
          } catch (error) {
            if (!call?.signal?.aborted && (error as Grpc.ServiceError).code !== grpc.status.CANCELLED)
              throw failure(method, error as Grpc.ServiceError);
          } finally {
            call?.signal?.removeEventListener("abort", cancel);
          }
        },
      };
    },

    close: () => client.close(),
  };
}
