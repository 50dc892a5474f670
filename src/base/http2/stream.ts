// One stream of a connection: how far its request and its response are, and what the client may still send.
import { limits, type RequestHandler, type ResponseStream } from "./contract.ts";
import { errorCode, StreamError } from "./frames.ts";
import type { HeaderFields } from "./hpack-encoder.ts";
import { Outgoing, type OutgoingOwner, type Sender } from "./sender.ts";

/** What streams have their connection do. */
export interface StreamOwner {
  announce(): void;
  windowUpdate(id: number, bytes: number): void;
  /** So much of what the client has sent no longer takes memory. */
  consumed(bytes: number): void;
  /** The client has got something for its request. */
  answered(): void;
  /** Both sides have said everything. */
  complete(id: number): void;
  /** The response is complete, what is left of the request is not wanted. */
  stop(id: number): void;
  /** The program has stopped working for a stream that the client had given up. */
  idle(): void;
}

interface StreamOptions {
  readonly id: number;
  readonly sender: Sender;
  readonly owner: StreamOwner;
  /** What the request says of itself. */
  readonly contentLength: number | undefined;
  /** The request has no body. */
  readonly endStream: boolean;
}

export class Stream implements ResponseStream, OutgoingOwner {
  readonly #sender: Sender;
  readonly #owner: StreamOwner;
  readonly #outgoing: Outgoing;
  readonly #contentLength: number | undefined;
  #handler: RequestHandler | undefined;
  #requestEnded: boolean;
  #requestBytes = 0;
  /** The program has said its last word, */
  #responseEnded = false;
  /** and it is on its way. */
  #responseSent = false;
  #requestUnwanted = false;
  #closed = false;
  #answered = false;
  #working = false;
  /** What the client may still send, and what of it was dealt with since it last heard. */
  #window: number = limits.streamWindow;
  #consumed = 0;
  /** Received and not dealt with. */
  #held = 0;

  constructor({ id, sender, owner, contentLength, endStream }: StreamOptions) {
    this.#sender = sender;
    this.#owner = owner;
    this.#contentLength = contentLength;
    this.#requestEnded = endStream;
    this.#outgoing = new Outgoing(id, sender.initialWindow, this);
    this.#checkLength();
  }

  get open(): boolean {
    return !this.#closed && !this.#responseEnded;
  }

  get unreadBytes(): number {
    return this.#outgoing.bytes;
  }

  get answered(): boolean {
    return this.#answered;
  }

  get working(): boolean {
    return this.#working;
  }

  set working(working: boolean) {
    if (this.#closed && this.#working && !working) this.#owner.idle();
    this.#working = working;
  }

  begin(handler: RequestHandler): void {
    this.#handler = handler;
    if (this.#closed) handler.closed();
    else if (this.#requestEnded && !this.#responseEnded) handler.end();
  }

  respond(fields: HeaderFields, end: boolean): void {
    if (!this.open) return;
    this.#sender.headers(this.#outgoing.id, fields, end);
    this.#owner.announce();
    if (this.#handler !== undefined) this.#answer(); // what was said before anybody looked is no answer
    if (!end) return;
    this.#responseEnded = true;
    this.#answer();
    this.ended();
  }

  write(bytes: Buffer): void {
    if (!this.open || bytes.length === 0) return;
    this.#sender.data(this.#outgoing, bytes);
    this.#answer();
    if (this.#sender.pending) this.#owner.announce();
  }

  writeLast(pieces: readonly Buffer[]): void {
    if (!this.open) return;
    this.#responseEnded = true;
    this.#answer();
    let bytes = 0;
    for (const piece of pieces) bytes += piece.length;
    if (bytes > 0) this.#sender.last(this.#outgoing, pieces, bytes);
    else this.#sender.end(this.#outgoing, []);
    this.#owner.announce();
  }

  end(trailers: HeaderFields): void {
    if (!this.open) return;
    this.#responseEnded = true;
    this.#answer();
    this.#sender.end(this.#outgoing, trailers);
    this.#owner.announce();
  }

  stopRequest(): void {
    this.#requestUnwanted = true;
    if (this.#responseSent && !this.#closed) this.#owner.stop(this.#outgoing.id);
  }

  consumed(bytes: number): void {
    if (this.#closed) return;
    this.#release(bytes);
    this.#consumed += bytes;
    if (this.#requestEnded || this.#consumed < limits.streamWindow / 2) return;
    this.#owner.windowUpdate(this.#outgoing.id, this.#consumed);
    this.#window += this.#consumed;
    this.#consumed = 0;
  }

  /** `frameBytes`: with padding. Throws StreamError. */
  receive(bytes: Buffer, frameBytes: number, end: boolean): void {
    this.#held += frameBytes;
    if (this.#requestEnded) throw new StreamError(errorCode.streamClosed, "data after the end of the request");
    this.#window -= frameBytes;
    if (this.#window < 0) throw new StreamError(errorCode.flowControl, "more than the stream's window");
    this.#requestBytes += bytes.length;
    if (this.#responseEnded) this.#release(bytes.length);
    else if (bytes.length > 0) this.#handler?.data(bytes);
    this.consumed(frameBytes - bytes.length);
    if (end) this.requestEnds();
    else this.#checkLength();
  }

  /** Throws StreamError. */
  requestEnds(): void {
    if (this.#requestEnded) throw new StreamError(errorCode.streamClosed, "trailers after the end of the request");
    this.#requestEnded = true;
    this.#checkLength();
    if (this.#closed) return;
    if (this.#responseSent) this.#owner.complete(this.#outgoing.id);
    else if (!this.#responseEnded) this.#handler?.end();
  }

  /** False: more than the protocol can count. */
  openWindow(bytes: number): boolean {
    return this.#sender.openWindow(this.#outgoing, bytes);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sender.forget(this.#outgoing);
    this.#release(this.#held);
    this.#handler?.closed();
  }

  #release(bytes: number): void {
    this.#held -= bytes;
    this.#owner.consumed(bytes);
  }

  #checkLength(): void {
    const expected = this.#contentLength ?? this.#requestBytes;
    if (this.#requestEnded ? this.#requestBytes !== expected : this.#requestBytes > expected)
      throw new StreamError(errorCode.protocol, "the request is not as long as it says");
  }

  #answer(): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#owner.answered();
  }

  drained(): void {
    this.#handler?.drained();
  }

  ended(): void {
    this.#responseSent = true;
    if (this.#closed) return;
    if (this.#requestEnded) this.#owner.complete(this.#outgoing.id);
    else if (this.#requestUnwanted) this.#owner.stop(this.#outgoing.id);
  }
}
