// A gRPC server of few lines on node:http2 (a border module: it opens a port). Half the work per call of the reference implementation.
import {
  createSecureServer,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";

interface GrpcListenOptions {
  /** "127.0.0.1:2379"; port 0: any. */
  readonly listen: string;
  /** PEM. Clients must show a certificate of `ca`. Absent: plain text. */
  readonly tls: { readonly ca: string; readonly certificate: string; readonly key: string } | undefined;
  /** By path, "/etcdserverpb.KV/Put". */
  readonly methods: ReadonlyMap<string, GrpcMethod>;
  /** gRPC's number and text for what a method throws. */
  readonly failure: (error: unknown) => GrpcFailure;
  /** Larger requests are refused with RESOURCE_EXHAUSTED. */
  readonly maxMessageBytes: number;
}

export interface GrpcFailure {
  readonly code: number;
  readonly message: string;
}

/** Messages are encoded protobuf; those received are valid until the next turn only. */
export type GrpcMethod =
  | { readonly kind: "unary"; readonly answer: (message: Buffer) => Uint8Array | Promise<Uint8Array> }
  | {
      readonly kind: "stream";
      /** The stream ends when the client ends its part; false: only when the handler says so (a stream of answers to one request). */
      readonly endsWithClient: boolean;
      readonly open: (stream: GrpcStream) => GrpcStreamHandler;
    };

interface GrpcStream {
  /** False when the client reads too slowly; `drained` follows. */
  send(message: Uint8Array): boolean;
  /** No more answers. */
  end(): void;
  fail(error: unknown): void;
}

interface GrpcStreamHandler {
  message(message: Buffer): void;
  drained(): void;
  /** The client has ended its part, or is gone. May be called more than once. */
  end(): void;
}

interface GrpcListener {
  readonly port: number;
  /** What waits in memory because clients have not read it: of the streams that are open, in bytes. */
  unread(): readonly number[];
  /** Ends every connection at once. */
  close(): Promise<void>;
}

const unimplemented = 12;
const internal = 13;
const resourceExhausted = 8;

/** A stream with more than this waiting for its client is told so: one message more is the most that a client keeps in our memory. */
const unreadBytes = 256 * 1024;

const answerHeaders = { ":status": 200, "content-type": "application/grpc" };
/** Above this an answer is not copied behind its length. */
const copiedBytes = 64 * 1024;

/** Rejects with the listen error (EADDRINUSE, ...). */
export async function listenGrpc(options: GrpcListenOptions): Promise<GrpcListener> {
  const { tls, listen, methods } = options;
  // Node's 10 MB a session are shared by all its streams.
  const settings = { maxSessionMemory: 1000, settings: { initialWindowSize: 1 << 20, maxHeaderListSize: 64 * 1024 } };
  const server: Http2Server =
    tls === undefined
      ? createServer(settings)
      : createSecureServer({
          ...settings,
          cert: tls.certificate,
          key: tls.key,
          ca: tls.ca,
          requestCert: true,
          rejectUnauthorized: true,
          minVersion: "TLSv1.2",
        });
  const sessions = new Set<ServerHttp2Session>();
  const streams = new Set<ServerHttp2Stream>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", () => {}); // a client that goes away; its streams hear of it
    session.setLocalWindowSize(16 << 20);
  });
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on("error", () => {}); // the same
    const method = methods.get(headers[":path"] ?? "");
    if (headers["content-type"]?.startsWith("application/grpc") !== true) stream.respond({ ":status": 415 }, { endStream: true });
    else if (method === undefined) refuse(stream, { code: unimplemented, message: `unknown method ${headers[":path"]}` });
    else if (method.kind === "unary") serveUnary(stream, method.answer, options);
    else {
      streams.add(stream);
      stream.on("close", () => streams.delete(stream));
      serveStream(stream, method, options);
    }
  });
  const colon = listen.lastIndexOf(":");
  const port = await new Promise<number>((resolve, reject) => {
    server.once("error", reject);
    server.listen(Number(listen.slice(colon + 1)), listen.slice(0, colon).replace(/^\[|\]$/g, ""), () => {
      server.removeListener("error", reject);
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
  return {
    port,
    unread: () => [...streams].map(({ writableLength }) => writableLength),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const session of sessions) session.destroy();
      }),
  };
}

function serveUnary(
  stream: ServerHttp2Stream,
  answer: (message: Buffer) => Uint8Array | Promise<Uint8Array>,
  { failure, maxMessageBytes }: GrpcListenOptions,
): void {
  let asked = false;
  const fail = (error: unknown): void => refuse(stream, error instanceof Refusal ? error.failure : failure(error));
  readMessages(stream, maxMessageBytes, fail, (message) => {
    if (asked) return;
    asked = true;
    try {
      const answered = answer(message);
      if (answered instanceof Promise) answered.then((bytes) => reply(stream, bytes), fail);
      else reply(stream, answered);
    } catch (error) {
      fail(error);
    }
  });
  stream.on("end", () => {
    if (!asked) refuse(stream, { code: internal, message: "the request has no message" });
  });
}

function serveStream(
  stream: ServerHttp2Stream,
  { open, endsWithClient }: GrpcMethod & { kind: "stream" },
  { failure, maxMessageBytes }: GrpcListenOptions,
): void {
  const trailers = { code: 0, message: "" };
  const end = (status: GrpcFailure): void => {
    if (stream.destroyed || stream.writableEnded) return;
    Object.assign(trailers, status);
    stream.end();
  };
  const fail = (error: unknown): void => end(error instanceof Refusal ? error.failure : failure(error));
  stream.respond(answerHeaders, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers(statusHeaders(trailers)));
  const handler = open({
    send: (message) => {
      if (stream.destroyed || stream.writableEnded) return true;
      writeMessage(stream, message);
      if (stream.writableLength <= unreadBytes) return true;
      stream.pause(); // who does not read does not ask for more
      return false;
    },
    end: () => end({ code: 0, message: "" }),
    fail,
  });
  stream.on("drain", () => {
    stream.resume();
    handler.drained();
  });
  readMessages(stream, maxMessageBytes, fail, (message) => {
    try {
      handler.message(message);
    } catch (error) {
      fail(error);
    }
  });
  stream.on("end", () => {
    if (!endsWithClient) return;
    handler.end();
    end({ code: 0, message: "" });
  });
  stream.on("close", () => handler.end());
}

/** Says what the client has done wrong, as opposed to what a method throws. */
class Refusal extends Error {
  readonly failure: GrpcFailure;
  constructor(failure: GrpcFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Cuts the bytes of a stream into messages: a byte that says "compressed", four of length, the message. */
function readMessages(
  stream: ServerHttp2Stream,
  maxBytes: number,
  fail: (error: unknown) => void,
  visit: (message: Buffer) => void,
): void {
  let rest: Buffer | undefined;
  stream.on("data", (chunk: Buffer) => {
    let bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    rest = undefined;
    while (bytes.length >= 5) {
      const length = bytes.readUInt32BE(1);
      if (bytes[0] !== 0) return fail(new Refusal({ code: unimplemented, message: "compressed messages are not supported" }));
      if (length > maxBytes) {
        const message = `received message larger than max (${length} vs. ${maxBytes})`;
        return fail(new Refusal({ code: resourceExhausted, message }));
      }
      if (bytes.length < 5 + length) break;
      visit(bytes.subarray(5, 5 + length));
      bytes = bytes.subarray(5 + length);
    }
    if (bytes.length > 0) rest = bytes;
  });
}

function reply(stream: ServerHttp2Stream, message: Uint8Array): void {
  if (stream.destroyed) return;
  stream.respond(answerHeaders, { waitForTrailers: true });
  stream.on("wantTrailers", sendSuccess);
  writeMessage(stream, message);
  stream.end();
}

const success = { "grpc-status": "0" };

function sendSuccess(this: ServerHttp2Stream): void {
  this.sendTrailers(success);
}

function writeMessage(stream: ServerHttp2Stream, message: Uint8Array): boolean {
  const header = Buffer.allocUnsafe(message.length > copiedBytes ? 5 : 5 + message.length);
  header[0] = 0;
  header.writeUInt32BE(message.length, 1);
  if (message.length <= copiedBytes) {
    header.set(message, 5);
    return stream.write(header);
  }
  stream.write(header);
  return stream.write(message);
}

function refuse(stream: ServerHttp2Stream, failure: GrpcFailure): void {
  if (stream.destroyed || stream.headersSent) return;
  stream.respond({ ...answerHeaders, ...statusHeaders(failure) }, { endStream: true });
}

const statusHeaders = ({ code, message }: GrpcFailure): Record<string, string> => ({
  "grpc-status": String(code),
  ...(message === "" ? {} : { "grpc-message": percentEncoded(message) }),
});

/** gRPC's own: printable ASCII but "%" stays as it is. */
const percentEncoded = (text: string): string => text.toWellFormed().replace(/[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent);
