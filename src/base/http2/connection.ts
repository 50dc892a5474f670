// One HTTP/2 connection, the server's side, as a machine without a socket: bytes go in, requests come out of it; answers go in, bytes come out.
// RFC 9113 without push and priorities, for clients that we do not trust: whatever they send, what waits for them is bounded.
import { limits, type RequestHandler, type ResponseStream } from "./contract.ts";
import {
  ConnectionError,
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
import { CompressionError, HpackDecoder } from "./hpack-decoder.ts";
import { type RequestHead, readHead, soundTrailers } from "./request-head.ts";
import { Sender } from "./sender.ts";
import { Stream, type StreamOwner } from "./stream.ts";

export interface Http2Options {
  readonly accept: (head: RequestHead, stream: ResponseStream) => RequestHandler;
  /** There is something to take; soon will do. */
  readonly output: () => void;
}

interface HeaderBlock {
  readonly stream: number;
  readonly endStream: boolean;
  readonly pieces: Buffer[];
  bytes: number;
}

export class Http2Connection {
  readonly #options: Http2Options;
  readonly #owner: StreamOwner;
  readonly #reader: FrameReader;
  readonly #decoder = new HpackDecoder(limits.headerListBytes);
  readonly #sender = new Sender();
  readonly #streams = new Map<number, Stream>();
  /** Ended by our RST_STREAM; the client may not have known. Oldest first. */
  readonly #resetByUs = new Set<number>();
  #lastStream = 0;
  #block: HeaderBlock | undefined;
  #settled = false;
  #over: "no" | "failed" | "closed" = "no";
  #failure: ConnectionError | undefined;
  /** What the client may still send on this connection, and what it has sent since we last said so. */
  #window: number = limits.connectionWindow;
  #received = 0;
  #control = 0;
  #resetsLeft: number = limits.resets;
  /** Given up by the client, but the server's program still works for them. */
  #zombies = 0;

  constructor(options: Http2Options) {
    this.#options = options;
    this.#owner = {
      announce: options.output,
      windowUpdate: (id, bytes) => this.#windowUpdate(id, bytes),
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
      [setting.maxConcurrentStreams, limits.streams],
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

  /** Why the connection is over: take what is left, then close. */
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
    if (this.#over !== "no") return;
    try {
      this.#reader.receive(bytes);
    } catch (error) {
      if (error instanceof CompressionError) this.#fail(new ConnectionError(errorCode.compression, error.message));
      else if (error instanceof ConnectionError) this.#fail(error);
      else throw error;
    }
  }

  /** What is to be sent now, in order; empty: nothing, or nothing before the client opens a window. */
  take(): Buffer[] {
    this.#control = 0;
    this.#sender.fill();
    return this.#sender.output.take();
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
    if (this.#over !== "no") return;
    this.#over = "failed";
    this.#failure = error;
    const text = Buffer.from(error.message, "latin1");
    this.#sender.output.frame(frameType.goaway, 0, 0, 8 + text.length);
    this.#sender.output.uint32(this.#lastStream);
    this.#sender.output.uint32(error.code);
    this.#sender.output.append(text);
    for (const stream of this.#streams.values()) stream.close();
    this.#streams.clear();
    this.#options.output();
  }

  #frame(type: number, flags: number, id: number, payload: Buffer): void {
    if (this.#over !== "no") return;
    if (this.#block !== undefined && (type !== frameType.continuation || id !== this.#block.stream))
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
        this.#headers(flags, id, payload);
        break;
      case frameType.continuation:
        this.#continuation(flags, payload);
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
    if (id === 0 || id > this.#lastStream) throw new ConnectionError(errorCode.protocol, "data on a stream that is not open");
    this.#window -= payload.length;
    if (this.#window < 0) throw new ConnectionError(errorCode.flowControl, "more than the connection's window");
    this.#received += payload.length;
    if (this.#received >= limits.connectionWindow / 2) {
      this.#windowUpdate(0, this.#received);
      this.#window += this.#received;
      this.#received = 0;
    }
    const bytes = unpadded(flags, payload);
    const stream = this.#streams.get(id);
    if (stream !== undefined) stream.receive(bytes, payload.length, (flags & flag.endStream) !== 0);
    else if (!this.#resetByUs.has(id)) throw new StreamError(errorCode.streamClosed, "data on a closed stream");
  }

  #headers(flags: number, id: number, payload: Buffer): void {
    if (id % 2 === 0) throw new ConnectionError(errorCode.protocol, "clients open streams with odd numbers");
    let block = unpadded(flags, payload);
    if ((flags & flag.priority) !== 0) {
      checkPriority(id, block.subarray(0, 5));
      block = block.subarray(5);
    }
    this.#block = { stream: id, endStream: (flags & flag.endStream) !== 0, pieces: [], bytes: 0 };
    this.#headerPiece(this.#block, flags, block);
  }

  #continuation(flags: number, payload: Buffer): void {
    if (this.#block === undefined) throw new ConnectionError(errorCode.protocol, "CONTINUATION of nothing");
    this.#headerPiece(this.#block, flags, payload);
  }

  #headerPiece(block: HeaderBlock, flags: number, piece: Buffer): void {
    block.bytes += piece.length;
    if (block.bytes > limits.headerListBytes || block.pieces.length >= limits.headerFrames)
      throw new ConnectionError(errorCode.enhanceYourCalm, "a header block without end");
    const complete = (flags & flag.endHeaders) !== 0;
    if (!complete) {
      block.pieces.push(Buffer.from(piece));
      return;
    }
    this.#block = undefined;
    this.#headerBlock(block, block.pieces.length === 0 ? piece : Buffer.concat([...block.pieces, piece]));
  }

  #headerBlock({ stream: id, endStream }: HeaderBlock, block: Buffer): void {
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
    this.#lastStream = id;
    if (this.#streams.size + this.#zombies >= limits.streams) throw new StreamError(errorCode.refusedStream, "too many streams");
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
  }

  #resetByClient(id: number, payload: Buffer): void {
    if (id === 0 || id > this.#lastStream)
      throw new ConnectionError(errorCode.protocol, "RST_STREAM of a stream that is not open");
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
    if (id > this.#lastStream) throw new ConnectionError(errorCode.protocol, "a window of a stream that is not open");
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

function checkLength(rightLength: boolean, rightStream: boolean): void {
  if (!rightStream) throw new ConnectionError(errorCode.protocol, "a frame of the connection on a stream");
  if (!rightLength) throw new ConnectionError(errorCode.frameSize, "a frame of the wrong length");
}

/** Priorities are not followed. */
function checkPriority(id: number, payload: Buffer): void {
  if (id === 0) throw new ConnectionError(errorCode.protocol, "PRIORITY of no stream");
  if (payload.length !== 5) throw new ConnectionError(errorCode.frameSize, "a priority of the wrong length");
  if ((payload.readUInt32BE(0) & 0x7fff_ffff) === id)
    throw new ConnectionError(errorCode.protocol, "a stream that depends on itself");
}
