// The words of HTTP/2's binary layer (RFC 9113 sections 4, 6 and 7), and its cutting into frames.

export const frameHeaderBytes = 9;
/** The largest frame that we take, and that a client takes who has said nothing else. */
export const defaultFrameBytes = 16_384;
export const defaultWindow = 65_535;
export const largestWindow = 2 ** 31 - 1;

export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const flag = { ack: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

export const setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

export const errorCode = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  enhanceYourCalm: 11,
} as const;

/** The client has broken the rules so that the connection must end; `code` is for the GOAWAY. */
export class ConnectionError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** The client has broken the rules on one stream. */
export class StreamError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

type VisitFrame = (type: number, flags: number, stream: number, payload: Buffer) => void;

/** Cuts what arrives, in whatever pieces, into frames. */
export class FrameReader {
  readonly #visit: VisitFrame;
  #rest: Buffer | undefined;
  #prefaceRead = false;

  /** The payload is part of the chunk it came in: who keeps it copies it. */
  constructor(visit: VisitFrame) {
    this.#visit = visit;
  }

  /** Throws ConnectionError, and what `visit` throws. */
  receive(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = undefined;
    let at = 0;
    if (!this.#prefaceRead) {
      const begin = Math.min(preface.length, bytes.length);
      if (preface.compare(bytes, 0, begin, 0, begin) !== 0) throw new ConnectionError(errorCode.protocol, "this is not HTTP/2");
      if (begin === preface.length) {
        this.#prefaceRead = true;
        at = begin;
      }
    }
    while (this.#prefaceRead && bytes.length - at >= frameHeaderBytes) {
      const length = bytes.readUIntBE(at, 3);
      if (length > defaultFrameBytes) throw new ConnectionError(errorCode.frameSize, `a frame of ${length} bytes is too large`);
      const end = at + frameHeaderBytes + length;
      if (end > bytes.length) break;
      const payload = bytes.subarray(at + frameHeaderBytes, end);
      this.#visit(bytes[at + 3] as number, bytes[at + 4] as number, bytes.readUInt32BE(at + 5) & 0x7fff_ffff, payload); // in bounds
      at = end;
    }
    // a copy: a frame's beginning must not keep a large chunk alive
    if (at < bytes.length) this.#rest = Buffer.from(bytes.subarray(at));
  }
}

/** What is left of a DATA or HEADERS payload without its padding. Throws ConnectionError. */
export function unpadded(flags: number, payload: Buffer): Buffer {
  if ((flags & flag.padded) === 0) return payload;
  const padding = payload[0];
  if (padding === undefined || padding >= payload.length)
    throw new ConnectionError(errorCode.protocol, "the padding is longer than the frame");
  return payload.subarray(1, payload.length - padding);
}

/** Throws ConnectionError. */
export function checkLength(rightLength: boolean, rightStream: boolean): void {
  if (!rightStream) throw new ConnectionError(errorCode.protocol, "a frame of the connection on a stream");
  if (!rightLength) throw new ConnectionError(errorCode.frameSize, "a frame of the wrong length");
}

/** Priorities are not followed. Throws ConnectionError. */
export function checkPriority(id: number, payload: Buffer): void {
  if (id === 0) throw new ConnectionError(errorCode.protocol, "PRIORITY of no stream");
  if (payload.length !== 5) throw new ConnectionError(errorCode.frameSize, "a priority of the wrong length");
  if ((payload.readUInt32BE(0) & 0x7fff_ffff) === id)
    throw new ConnectionError(errorCode.protocol, "a stream that depends on itself");
}
