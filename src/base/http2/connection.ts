// One HTTP/2 connection, the server's side, as a machine without a socket: bytes go in, requests come out of it; answers go in, bytes come out.
// RFC 9113 without push and priorities, for clients that we do not trust: whatever they send, what waits for them is bounded.
import { limits, type RequestHandler, type ResponseStream } from "./contract.ts";
import {
  ConnectionError,
  checkLength,
  checkPriority,
  defaultFrameBytes,
  defaultWindow,
  errorCode,
  FrameReader,
  flag,
  frameType,
  largestWindow,
  StreamError,
  setting,
  unpadded,
} from "./frames.ts";
import { type HeaderBlock, HeaderBlocks } from "./header-blocks.ts";
import { CompressionError, HpackDecoder } from "./hpack-decoder.ts";
import { type RequestHead, readHead, soundTrailers } from "./request-head.ts";
import { Sender } from "./sender.ts";
import { Stream, type StreamOwner } from "./stream.ts";

export interface Http2Options {
  /** So many of one connection at a time. */
  readonly streams: number;
  readonly accept: (head: RequestHead, stream: ResponseStream) => RequestHandler;
  /** There is something to take; soon will do. */
  readonly output: () => void;
}

export class Http2Connection {
  readonly #options: Http2Options;
  readonly #owner: StreamOwner;
  readonly #reader: FrameReader;
  readonly #blocks = new HeaderBlocks();
  readonly #decoder = new HpackDecoder(limits.headerListBytes);
  readonly #sender = new Sender();
  readonly #streams = new Map<number, Stream>();
  /** Ended by our RST_STREAM; the client may not have known. Oldest first. */
  readonly #resetByUs = new Set<number>();
  #lastStream = 0;
  #settled = false;
  #over: "no" | "ended" | "closed" = "no";
  /** No further streams: the client may not have heard. */
  #leaving = false;
  #failure: ConnectionError | undefined;
  /** What the client may still send on this connection, and what was dealt with since it last heard. */
  #window: number = limits.connectionWindow;
  #consumed = 0;
  #control = 0;
  #resetsLeft: number = limits.resets;
  /** Given up by the client, but the server's program still works for them. */
  #zombies = 0;

  constructor(options: Http2Options) {
    this.#options = options;
    this.#owner = {
      announce: options.output,
      windowUpdate: (id, bytes) => this.#windowUpdate(id, bytes),
      consumed: (bytes) => this.#consume(bytes),
      answered: () => {
        if (this.#resetsLeft < limits.resets) this.#resetsLeft++;
      },
      complete: (id) => this.#forget(id),
      stop: (id) => this.#reset(id, errorCode.none),
      idle: () => {
        this.#zombies--;
      },
    };
    this.#reader = new FrameReader((type, flags, id, payload) => this.#frame(type, flags, id, payload));
    const { output } = this.#sender;
    const settings = [
      [setting.maxConcurrentStreams, options.streams],
      [setting.initialWindowSize, limits.streamWindow],
      [setting.maxHeaderListSize, limits.headerListBytes],
    ] as const;
    output.frame(frameType.settings, 0, 0, 6 * settings.length);
    for (const [name, value] of settings) {
      output.uint16(name);
      output.uint32(value);
    }
    this.#windowUpdate(0, limits.connectionWindow - defaultWindow);
  }

  /** The client speaks HTTP/2: its settings have come. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Take what is left, then close. */
  get over(): boolean {
    return this.#over !== "no";
  }

  /** Why it is over, unless in peace. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Could be taken now. */
  get pending(): boolean {
    return this.#sender.pending;
  }

  /** Bytes to be taken that wait for nothing but the socket. Whoever lets them grow should read no more. */
  get backlog(): number {
    return this.#sender.output.bytes;
  }

  receive(bytes: Buffer): void {
    if (this.over) return;
    try {
      this.#reader.receive(bytes);
    } catch (error) {
      if (error instanceof CompressionError) this.#fail(new ConnectionError(errorCode.compression, error.message));
      else if (error instanceof ConnectionError) this.#fail(error);
      else throw error;
    }
  }

  /** What is to be sent now, in order; empty: nothing, or nothing before the client opens a window. Whoever has sent it says `reuse` (output.ts). */
  take(): Buffer<ArrayBuffer>[] {
    this.#control = 0;
    this.#sender.fill();
    return this.#sender.output.take();
  }

  /** Sends the client elsewhere: the connection is over when the requests that have come are answered. */
  finish(): void {
    if (this.#leaving || this.over) return;
    this.#leaving = true;
    this.#goaway(errorCode.none, "");
    this.#finished();
  }

  /** Says goodbye, as far as the client still reads; streams hear that they are closed. */
  shutDown(): void {
    this.#fail(new ConnectionError(errorCode.none, "the server is shutting down"));
  }

  /** The socket is gone. */
  closed(): void {
    this.#over = "closed";
    for (const stream of this.#streams.values()) stream.close();
    this.#streams.clear();
  }

  #fail(error: ConnectionError): void {
    if (this.over) return;
    this.#over = "ended";
    this.#failure = error;
    this.#goaway(error.code, error.message);
    for (const stream of this.#streams.values()) stream.close();
    this.#streams.clear();
  }

  #goaway(code: number, message: string): void {
    const text = Buffer.from(message, "latin1");
    const { output } = this.#sender;
    output.frame(frameType.goaway, 0, 0, 8 + text.length);
    output.uint32(this.#lastStream);
    output.uint32(code);
    output.append(text);
    this.#options.output();
  }

  #finished(): void {
    if (!this.#leaving || this.#streams.size > 0 || this.over) return;
    this.#over = "ended";
    this.#options.output();
  }

  #frame(type: number, flags: number, id: number, payload: Buffer): void {
    if (this.over) return;
    const { unfinished } = this.#blocks;
    if (unfinished !== undefined && (type !== frameType.continuation || id !== unfinished))
      throw new ConnectionError(errorCode.protocol, "a header block is interrupted");
    if (!this.#settled && type !== frameType.settings)
      throw new ConnectionError(errorCode.protocol, "the first frame is not SETTINGS");
    try {
      this.#dispatch(type, flags, id, payload);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.#resetsLeft--; // what we must end is no better than what the client ends (CVE-2025-8671)
      this.#reset(id, error.code);
      this.#checkResets();
    }
  }

  #dispatch(type: number, flags: number, id: number, payload: Buffer): void {
    switch (type) {
      case frameType.data:
        this.#data(flags, id, payload);
        break;
      case frameType.headers:
        this.#headers(this.#blocks.begin(flags, id, payload));
        break;
      case frameType.continuation:
        this.#headers(this.#blocks.continue(flags, payload));
        break;
      case frameType.priority:
        checkPriority(id, payload);
        break;
      case frameType.resetStream:
        this.#resetByClient(id, payload);
        break;
      case frameType.settings:
        this.#settings(flags, id, payload);
        break;
      case frameType.ping:
        this.#ping(flags, id, payload);
        break;
      case frameType.goaway:
        checkLength(id === 0 && payload.length >= 8, id === 0);
        break;
      case frameType.windowUpdate:
        this.#openWindow(id, payload);
        break;
      case frameType.pushPromise:
        throw new ConnectionError(errorCode.protocol, "clients do not push");
      default: // unknown ones are to be ignored
    }
  }

  #data(flags: number, id: number, payload: Buffer): void {
    const unopened = this.#unopened(id, "data on a stream that is not open");
    this.#window -= payload.length;
    if (this.#window < 0) throw new ConnectionError(errorCode.flowControl, "more than the connection's window");
    const bytes = unpadded(flags, payload);
    const stream = this.#streams.get(id);
    if (stream !== undefined) {
      stream.receive(bytes, payload.length, (flags & flag.endStream) !== 0);
      return;
    }
    this.#consume(payload.length);
    if (!unopened && !this.#resetByUs.has(id)) throw new StreamError(errorCode.streamClosed, "data on a closed stream");
  }

  /** True: a stream of a client that has not heard yet that it should open no more. Throws ConnectionError if there is no reason. */
  #unopened(id: number, message: string): boolean {
    if (id > 0 && id <= this.#lastStream) return false;
    if (id > 0 && this.#leaving) return true;
    throw new ConnectionError(errorCode.protocol, message);
  }

  #consume(bytes: number): void {
    this.#consumed += bytes;
    if (this.over || this.#consumed < limits.connectionWindow / 2) return;
    this.#windowUpdate(0, this.#consumed);
    this.#window += this.#consumed;
    this.#consumed = 0;
  }

  #headers(header: HeaderBlock | undefined): void {
    if (header === undefined) return;
    const { stream: id, endStream, block } = header;
    const { fields, tooLarge } = this.#decoder.decode(block); // whatever follows: the table is the connection's
    const known = this.#streams.get(id);
    if (known !== undefined) {
      if (!endStream || tooLarge || !soundTrailers(fields)) throw new StreamError(errorCode.protocol, "malformed trailers");
      known.requestEnds();
      return;
    }
    if (id <= this.#lastStream) {
      if (this.#resetByUs.has(id)) return;
      throw new ConnectionError(errorCode.streamClosed, "HEADERS on a closed stream");
    }
    if (this.#leaving) return;
    this.#lastStream = id;
    if (this.#streams.size + this.#zombies >= this.#options.streams)
      throw new StreamError(errorCode.refusedStream, "too many streams");
    const head = readHead(fields);
    if (!tooLarge && head === undefined) throw new StreamError(errorCode.protocol, "a malformed request");
    this.#open(id, tooLarge ? undefined : head, endStream);
  }

  #open(id: number, head: RequestHead | undefined, endStream: boolean): void {
    const options = { id, sender: this.#sender, owner: this.#owner, contentLength: head?.contentLength, endStream };
    const stream = new Stream(options);
    this.#streams.set(id, stream);
    if (head !== undefined) {
      stream.begin(this.#options.accept(head, stream));
      return;
    }
    stream.respond([{ name: ":status", value: "431" }], true);
    stream.stopRequest();
  }

  #reset(id: number, code: number): void {
    this.#resetByUs.add(id);
    if (this.#resetByUs.size > limits.remembered) {
      const [oldest] = this.#resetByUs;
      this.#resetByUs.delete(oldest as number); // not empty
    }
    this.#answerControl(frameType.resetStream, 0, id, 4);
    this.#sender.output.uint32(code);
    this.#forget(id);
  }

  #forget(id: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    this.#streams.delete(id);
    if (stream.working) this.#zombies++;
    stream.close();
    this.#finished();
  }

  #resetByClient(id: number, payload: Buffer): void {
    if (this.#unopened(id, "RST_STREAM of a stream that is not open")) return;
    checkLength(payload.length === 4, true);
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    if (!stream.answered) this.#resetsLeft--;
    this.#forget(id);
    this.#checkResets();
  }

  #checkResets(): void {
    if (this.#resetsLeft < 0) throw new ConnectionError(errorCode.enhanceYourCalm, "too many streams are given up");
  }

  #settings(flags: number, id: number, payload: Buffer): void {
    const ack = (flags & flag.ack) !== 0;
    checkLength(payload.length % 6 === 0 && !(ack && payload.length > 0), id === 0);
    if (ack) return;
    const { initialWindow } = this.#sender;
    for (let at = 0; at < payload.length; at += 6) this.#setting(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    const change = this.#sender.initialWindow - initialWindow;
    if (change !== 0) {
      for (const stream of this.#streams.values()) {
        if (!stream.openWindow(change)) throw new ConnectionError(errorCode.flowControl, "a window is too large");
      }
    }
    this.#settled = true;
    this.#answerControl(frameType.settings, flag.ack, 0, 0);
  }

  #setting(name: number, value: number): void {
    if (name === setting.headerTableSize) this.#sender.encoder.setTableLimit(value);
    else if (name === setting.enablePush && value > 1) throw new ConnectionError(errorCode.protocol, "ENABLE_PUSH is 0 or 1");
    else if (name === setting.initialWindowSize) {
      if (value > largestWindow) throw new ConnectionError(errorCode.flowControl, "a window is too large");
      this.#sender.initialWindow = value;
    } else if (name === setting.maxFrameSize) {
      if (value < defaultFrameBytes || value >= 2 ** 24)
        throw new ConnectionError(errorCode.protocol, "MAX_FRAME_SIZE is out of range");
      this.#sender.maxFrame = value;
    }
  }

  #ping(flags: number, id: number, payload: Buffer): void {
    checkLength(payload.length === 8, id === 0);
    if ((flags & flag.ack) !== 0) return;
    this.#answerControl(frameType.ping, flag.ack, 0, 8);
    this.#sender.output.append(payload);
  }

  #openWindow(id: number, payload: Buffer): void {
    checkLength(payload.length === 4, true);
    if (id > 0 && this.#unopened(id, "a window of a stream that is not open")) return;
    const bytes = payload.readUInt32BE(0) & 0x7fff_ffff;
    const broken = (code: number, message: string): Error =>
      id === 0 ? new ConnectionError(code, message) : new StreamError(code, message);
    const stream = this.#streams.get(id);
    if (id !== 0 && stream === undefined) return; // it has just been closed
    if (bytes === 0) throw broken(errorCode.protocol, "a window is opened by nothing");
    const sound = stream === undefined ? this.#sender.openWindow(undefined, bytes) : stream.openWindow(bytes);
    if (!sound) throw broken(errorCode.flowControl, "a window is too large");
    if (this.#sender.pending) this.#options.output();
  }

  #windowUpdate(id: number, bytes: number): void {
    this.#sender.output.frame(frameType.windowUpdate, 0, id, 4);
    this.#sender.output.uint32(bytes);
    this.#options.output();
  }

  /** Begins a frame that the client makes us send; it may not make us keep many. */
  #answerControl(type: number, flags: number, id: number, length: number): void {
    if (++this.#control > limits.controlAnswers)
      this.#fail(new ConnectionError(errorCode.enhanceYourCalm, "too many answers are not read"));
    this.#sender.output.frame(type, flags, id, length);
    this.#options.output();
  }
}
