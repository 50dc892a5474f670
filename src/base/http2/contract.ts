// What a server's program and an HTTP/2 connection say to each other, and what the connection lets clients do.
import type { HeaderFields } from "./hpack-encoder.ts";

/** One request and its response, as the server's program sees it. When it is closed what is said here has no effect. */
export interface ResponseStream {
  /** Neither side has given it up, and the response is not complete. */
  readonly open: boolean;
  /** Of the response, waiting in memory because the client does not read. */
  readonly unreadBytes: number;
  respond(fields: HeaderFields, end: boolean): void;
  /** The bytes must not change any more. */
  write(bytes: Buffer): void;
  /** The response ends with these bytes, one after the other. */
  writeLast(pieces: readonly Buffer[]): void;
  end(trailers: HeaderFields): void;
  /** The response is complete without the rest of the request. */
  stopRequest(): void;
  /** So many bytes of the request have been dealt with: the client may send as many more. */
  consumed(bytes: number): void;
  /** While set, the stream counts as one of the client's, even after he has given it up (CVE-2023-44487). */
  working: boolean;
}

/** What happens to a request after its head. */
export interface RequestHandler {
  /** Valid until this returns. */
  data(bytes: Buffer): void;
  /** The request is complete. */
  end(): void;
  /** Everything that was written has gone out. */
  drained(): void;
  /** Nothing more will happen; the last call. */
  closed(): void;
}

/** What no server needs otherwise; how many streams a client may have is the server's to say. */
export const limits = {
  /** Window of a stream, and of a connection: of that what was received and is not dealt with takes its part. */
  streamWindow: 2 ** 20,
  connectionWindow: 2 ** 24,
  /** A request's header list, and its compressed form in pieces. */
  headerListBytes: 64 * 1024,
  headerFrames: 32,
  /** Answers to PING, SETTINGS and broken rules that may wait to be taken. */
  controlAnswers: 1000,
  /** Streams given up before anything was answered on them, beyond those that got an answer. */
  resets: 1000,
  /** Streams ended by us whose late frames are expected. */
  remembered: 1000,
} as const;
