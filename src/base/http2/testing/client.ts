// A client for tests that writes HTTP/2 frame by frame, right or wrong, to a connection without a socket.
import { Http2Connection } from "../connection.ts";
import type { RequestHandler, ResponseStream } from "../contract.ts";
import { frameHeaderBytes } from "../frames.ts";
import { type HeaderFields, HpackEncoder } from "../hpack-encoder.ts";
import type { RequestHead } from "../request-head.ts";

export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

export function frame(type: number, flags: number, stream: number, payload: Uint8Array | readonly number[] = []): Buffer {
  const header = Buffer.alloc(frameHeaderBytes);
  const bytes = Buffer.from(payload as Uint8Array);
  header.writeUIntBE(bytes.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, bytes]);
}

export const uint32 = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
  return bytes;
};

export const settings = (...pairs: readonly (readonly [number, number])[]): Buffer =>
  frame(
    4,
    0,
    0,
    Buffer.concat(pairs.map(([name, value]) => Buffer.concat([Buffer.from([name >> 8, name & 255]), uint32(value)]))),
  );

export const headerBlock = (fields: HeaderFields): Buffer => new HpackEncoder().encode(fields);

export const requestFields = (more: HeaderFields = []): HeaderFields => [
  { name: ":method", value: "POST" },
  { name: ":scheme", value: "http" },
  { name: ":path", value: "/a" },
  ...more,
];

/** HEADERS that open a stream; the request goes on unless `end`. */
export const open = (stream: number, { end = false, more = [] as HeaderFields } = {}): Buffer =>
  frame(1, end ? 5 : 4, stream, headerBlock(requestFields(more)));

export interface HeardFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function framesOf(bytes: Buffer): HeardFrame[] {
  const frames: HeardFrame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + frameHeaderBytes + bytes.readUIntBE(at, 3);
    const payload = bytes.subarray(at + frameHeaderBytes, end);
    frames.push({ type: bytes.readUInt8(at + 3), flags: bytes.readUInt8(at + 4), stream: bytes.readUInt32BE(at + 5), payload });
    at = end;
  }
  return frames;
}

/** What the server's program has heard of one request, in words. */
export interface Heard {
  readonly head: RequestHead;
  readonly stream: ResponseStream;
  readonly events: string[];
}

interface ClientOptions {
  /** It has not said its preface and an empty SETTINGS. */
  readonly silent?: boolean;
  /** So many at a time. */
  readonly streams?: number;
  readonly output?: () => void;
  readonly drained?: (stream: ResponseStream) => void;
  /** What the server says before it looks at a request. */
  readonly accepted?: (stream: ResponseStream) => void;
}

/** A client whose requests the server only notes. */
export class Client {
  readonly requests: Heard[] = [];
  readonly connection: Http2Connection;
  readonly #drained: (stream: ResponseStream) => void;
  readonly #accepted: (stream: ResponseStream) => void;

  constructor({
    silent = false,
    streams = 10_000,
    output = () => {},
    drained = () => {},
    accepted = () => {},
  }: ClientOptions = {}) {
    this.#drained = drained;
    this.#accepted = accepted;
    this.connection = new Http2Connection({ streams, accept: (head, stream) => this.#note(head, stream), output });
    if (silent) return;
    this.say(preface, settings());
    this.hear();
  }

  say(...pieces: readonly Buffer[]): void {
    for (const bytes of pieces) this.connection.receive(bytes);
  }

  hear(): HeardFrame[] {
    return framesOf(Buffer.concat(this.connection.take()));
  }

  /** Says something wrong: the code of the GOAWAY that it causes, or undefined. */
  goawayAfter(...pieces: readonly Buffer[]): number | undefined {
    this.say(...pieces);
    return this.hear()
      .find(({ type }) => type === 7)
      ?.payload.readUInt32BE(4);
  }

  /** The same for RST_STREAM. */
  resetAfter(...pieces: readonly Buffer[]): number | undefined {
    this.say(...pieces);
    return this.hear()
      .find(({ type }) => type === 3)
      ?.payload.readUInt32BE(0);
  }

  request(index = 0): Heard {
    const request = this.requests[index];
    if (request === undefined) throw new Error(`the server has not heard of request ${index}`);
    return request;
  }

  #note(head: RequestHead, stream: ResponseStream): RequestHandler {
    const events: string[] = [];
    this.requests.push({ head, stream, events });
    this.#accepted(stream);
    return {
      data: (bytes) => events.push(`data ${bytes.toString("latin1")}`),
      end: () => events.push("end"),
      drained: () => {
        events.push("drained");
        this.#drained(stream);
      },
      closed: () => events.push("closed"),
    };
  }
}
