// gRPC on our HTTP/2: each call of a client is a stream. Without sockets and time.
import type { HeaderFields, RequestHandler, RequestHead, ResponseStream } from "#base";
import { type GrpcFailure, grpcCode, MessageReader, MessageRoom, prefixBytes, Refusal } from "./grpc-messages.ts";

export interface GrpcOptions {
  /** By path, "/etcdserverpb.KV/Put". */
  readonly methods: ReadonlyMap<string, GrpcMethod>;
  /** gRPC's number and text for what a method throws. */
  readonly failure: (error: unknown) => GrpcFailure;
  /** Larger requests are refused with RESOURCE_EXHAUSTED. */
  readonly maxMessageBytes: number;
}

/** Encoded protobuf, whole or in pieces to be sent one after the other; neither changes any more. */
export type GrpcMessage = Uint8Array | readonly Uint8Array[];

/** Messages received are valid until the next turn only. */
export type GrpcMethod =
  | { readonly kind: "unary"; readonly answer: (message: Buffer) => GrpcMessage | Promise<GrpcMessage> }
  | {
      readonly kind: "stream";
      /** The stream ends when the client ends its part; false: only when the handler says so (a stream of answers to one request). */
      readonly endsWithClient: boolean;
      readonly open: (stream: GrpcStream) => GrpcStreamHandler;
    };

interface GrpcStream {
  /** False when the client reads too slowly; `drained` follows. */
  send(message: GrpcMessage): boolean;
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

/** A stream with more than this waiting for its client is told so: one message more is the most that a client keeps in our memory. */
const unreadBytes = 256 * 1024;
/** Above this an answer is not copied behind its length. */
const copiedBytes = 64 * 1024;
/** Of the unfinished messages of one connection. */
const unfinishedBytes = 64 * 1024 * 1024;

const answerHeaders: HeaderFields = [
  { name: ":status", value: "200" },
  { name: "content-type", value: "application/grpc", repeated: true },
];
const success: HeaderFields = [{ name: "grpc-status", value: "0", repeated: true }];
const notGrpc: HeaderFields = [
  { name: ":status", value: "415" },
  { name: "content-type", value: "text/plain" },
];

/** The calls of one connection. */
export class GrpcCalls {
  readonly #options: GrpcOptions;
  readonly #room = new MessageRoom(unfinishedBytes);
  readonly #streams = new Set<ResponseStream>();

  constructor(options: GrpcOptions) {
    this.#options = options;
  }

  /** What waits in memory because the client has not read it: of the streams that are open, in bytes. */
  unread(): number[] {
    return [...this.#streams].map((stream) => stream.unreadBytes);
  }

  accept(head: RequestHead, stream: ResponseStream): RequestHandler {
    const method = this.#options.methods.get(head.path);
    if (head.method !== "POST" || head.contentType?.startsWith("application/grpc") !== true) {
      stream.respond(notGrpc, false);
      stream.write(Buffer.from("This is etcd's API: gRPC only\n"));
      stream.end([]);
      return ignored;
    }
    if (method === undefined) {
      refuse(stream, { code: grpcCode.unimplemented, message: `unknown method ${head.path}` });
      return ignored;
    }
    if (method.kind === "unary") return unaryCall(stream, method.answer, this.#options, this.#room);
    this.#streams.add(stream);
    const handler = streamCall(stream, method, this.#options, this.#room);
    return {
      ...handler,
      closed: () => {
        this.#streams.delete(stream);
        handler.closed();
      },
    };
  }
}

const ignored: RequestHandler = { data: () => {}, end: () => {}, drained: () => {}, closed: () => {} };

function unaryCall(
  stream: ResponseStream,
  answer: (message: Buffer) => GrpcMessage | Promise<GrpcMessage>,
  { failure, maxMessageBytes }: GrpcOptions,
  room: MessageRoom,
): RequestHandler {
  let asked = false;
  const fail = (error: unknown): void => refuse(stream, error instanceof Refusal ? error.failure : failure(error));
  const answered = (message: GrpcMessage): void => {
    stream.working = false;
    stream.respond(answerHeaders, false);
    writeMessage(stream, message);
    stream.end(success);
  };
  const failed = (error: unknown): void => {
    stream.working = false;
    fail(error);
  };
  const reader = new MessageReader({
    maxBytes: maxMessageBytes,
    room,
    visit: (message) => {
      if (asked) return;
      asked = true;
      const answering = answer(message);
      if (!(answering instanceof Promise)) return answered(answering);
      stream.working = true;
      answering.then(answered, failed);
    },
  });
  return {
    data: (bytes) => {
      try {
        reader.receive(bytes);
        stream.consumed(bytes.length);
      } catch (error) {
        fail(error);
      }
    },
    end: () => {
      if (!asked) fail(new Refusal(grpcCode.internal, "the request has no message"));
    },
    drained: () => {},
    closed: () => reader.close(),
  };
}

function streamCall(
  stream: ResponseStream,
  { open, endsWithClient }: GrpcMethod & { kind: "stream" },
  { failure, maxMessageBytes }: GrpcOptions,
  room: MessageRoom,
): RequestHandler {
  /** Of the request, not dealt with while the client does not read. */
  let waitingBytes = 0;
  let requestEnded = false;
  const reader = new MessageReader({ maxBytes: maxMessageBytes, room, visit: (message) => handler.message(message) });
  stream.respond(answerHeaders, false);
  const end = (status: HeaderFields): void => {
    stream.end(status);
    stream.stopRequest();
    reader.close();
  };
  const fail = (error: unknown): void => end(statusFields(error instanceof Refusal ? error.failure : failure(error)));
  const handler = open({
    send: (message) => {
      if (!stream.open) return true;
      writeMessage(stream, message);
      if (stream.unreadBytes <= unreadBytes) return true;
      reader.hold(); // who does not read does not ask for more
      return false;
    },
    end: () => end(success),
    fail,
  });
  const requestEnds = (): void => {
    if (!endsWithClient) return;
    handler.end();
    end(success);
  };
  const attempt = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      fail(error);
    }
  };
  return {
    data: (bytes) =>
      attempt(() => {
        waitingBytes += bytes.length;
        reader.receive(bytes);
        if (reader.held) return;
        stream.consumed(waitingBytes);
        waitingBytes = 0;
      }),
    end: () => {
      requestEnded = true;
      if (!reader.held) requestEnds();
    },
    drained: () => {
      attempt(() => reader.resume());
      if (reader.held) return;
      stream.consumed(waitingBytes);
      waitingBytes = 0;
      handler.drained();
      if (requestEnded) requestEnds();
    },
    closed: () => {
      reader.close();
      handler.end();
    },
  };
}

function writeMessage(stream: ResponseStream, message: GrpcMessage): void {
  const pieces = message instanceof Uint8Array ? [message] : message;
  let length = 0;
  for (const piece of pieces) length += piece.length;
  const copied = length <= copiedBytes;
  const prefix = Buffer.allocUnsafe(prefixBytes + (copied ? length : 0));
  prefix[0] = 0;
  prefix.writeUInt32BE(length, 1);
  if (copied) {
    let at = prefixBytes;
    for (const piece of pieces) {
      prefix.set(piece, at);
      at += piece.length;
    }
  }
  stream.write(prefix);
  if (copied) return;
  for (const piece of pieces) stream.write(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
}

function refuse(stream: ResponseStream, failure: GrpcFailure): void {
  stream.respond([...answerHeaders, ...statusFields(failure)], true);
  stream.stopRequest();
}

const statusFields = ({ code, message }: GrpcFailure): HeaderFields => [
  { name: "grpc-status", value: String(code) },
  ...(message === "" ? [] : [{ name: "grpc-message", value: percentEncoded(message) }]),
];

/** gRPC's own: printable ASCII but "%" stays as it is. */
const percentEncoded = (text: string): string => text.toWellFormed().replace(/[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent);
