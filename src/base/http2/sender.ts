// The way out of one connection: frames as far as windows and the socket allow, what is left waits in its stream, and streams take turns.
import { defaultFrameBytes, defaultWindow, flag, frameType, largestWindow } from "./frames.ts";
import { type HeaderFields, HpackEncoder } from "./hpack-encoder.ts";
import { Output, outputBytes } from "./output.ts";

/** However large the client's frames may be: streams take turns by the frame. */
const largestFrameBytes = 64 * 1024;

const nothing = Buffer.alloc(0);
const fewPieces = 256;

export interface OutgoingOwner {
  /** Everything that waited is sent, and more may come. */
  drained(): void;
  /** The last frame is sent. */
  ended(): void;
}

/** What one stream has to send. */
export class Outgoing {
  readonly id: number;
  readonly owner: OutgoingOwner;
  /** What the client's window has room for; below zero when it has made it smaller. */
  window: number;
  /** Waiting, in bytes. */
  bytes = 0;
  readonly #queue: Buffer[] = [];
  /** Where it goes on: the first piece that is not sent, and what of it is. */
  #first = 0;
  #sent = 0;
  /** Said when everything is sent. */
  trailers: HeaderFields | undefined;

  constructor(id: number, window: number, owner: OutgoingOwner) {
    this.id = id;
    this.window = window;
    this.owner = owner;
  }

  add(pieces: readonly Buffer[]): void {
    for (const piece of pieces) {
      if (piece.length === 0) continue;
      this.#queue.push(piece);
      this.bytes += piece.length;
    }
  }

  /** What has waited longest, `bytes` of it. */
  moveTo(output: Output, bytes: number): void {
    this.bytes -= bytes;
    for (let left = bytes; left > 0; ) {
      const piece = this.#queue[this.#first] as Buffer; // there are `bytes` of them
      const count = Math.min(left, piece.length - this.#sent);
      output.append(piece, this.#sent, this.#sent + count);
      left -= count;
      this.#sent += count;
      if (this.#sent === piece.length) this.#next();
    }
  }

  /** Pieces leave the queue many at a time: each by itself would move all that follow. */
  #next(): void {
    this.#queue[this.#first++] = nothing;
    this.#sent = 0;
    if (this.#first < this.#queue.length && (this.#first < fewPieces || this.#first * 2 < this.#queue.length)) return;
    this.#queue.splice(0, this.#first);
    this.#first = 0;
  }

  drop(): void {
    this.#queue.length = 0;
    this.#first = 0;
    this.#sent = 0;
    this.bytes = 0;
    this.trailers = undefined;
  }
}

export class Sender {
  readonly output = new Output();
  readonly encoder = new HpackEncoder();
  initialWindow = defaultWindow;
  #maxFrame = defaultFrameBytes;
  #window = defaultWindow;
  /** With something to send and a window for it. */
  readonly #ready = new Set<Outgoing>();

  set maxFrame(bytes: number) {
    this.#maxFrame = Math.min(bytes, largestFrameBytes);
  }

  headers(id: number, fields: HeaderFields, end: boolean): void {
    const block = this.encoder.encode(fields);
    const endStream = end ? flag.endStream : 0;
    if (block.length <= this.#maxFrame) {
      this.output.frame(frameType.headers, flag.endHeaders | endStream, id, block.length);
      this.output.append(block);
      return;
    }
    for (let at = 0; at < block.length; at += this.#maxFrame) {
      const piece = block.subarray(at, at + this.#maxFrame);
      const endHeaders = at + this.#maxFrame >= block.length ? flag.endHeaders : 0;
      if (at === 0) this.output.frame(frameType.headers, endStream | endHeaders, id, piece.length);
      else this.output.frame(frameType.continuation, endHeaders, id, piece.length);
      this.output.append(piece);
    }
  }

  /** The bytes must not change any more. */
  data(stream: Outgoing, bytes: Buffer): void {
    if (this.#fits(stream, bytes.length)) this.#frame(stream, [bytes], bytes.length, false);
    else this.#wait(stream, [bytes]);
  }

  /** The same with all that is left to send, `bytes` in sum. */
  last(stream: Outgoing, pieces: readonly Buffer[], bytes: number): void {
    if (this.#fits(stream, bytes)) this.#frame(stream, pieces, bytes, true);
    else {
      stream.trailers = [];
      this.#wait(stream, pieces);
    }
  }

  /** Nothing comes after. */
  end(stream: Outgoing, trailers: HeaderFields): void {
    if (stream.bytes > 0) stream.trailers = trailers;
    else if (trailers.length === 0) this.#frame(stream, [], 0, true);
    else {
      this.headers(stream.id, trailers, true);
      stream.owner.ended();
    }
  }

  #fits(stream: Outgoing, bytes: number): boolean {
    const most = Math.min(this.#maxFrame, this.#window, stream.window);
    return stream.bytes === 0 && bytes <= most && this.output.bytes < outputBytes;
  }

  #wait(stream: Outgoing, pieces: readonly Buffer[]): void {
    stream.add(pieces);
    if (stream.window > 0) this.#ready.add(stream);
  }

  forget(stream: Outgoing): void {
    stream.drop();
    this.#ready.delete(stream);
  }

  /** The client takes more; false: more than the protocol can count. */
  openWindow(stream: Outgoing | undefined, bytes: number): boolean {
    if (stream === undefined) {
      this.#window += bytes;
      return this.#window <= largestWindow;
    }
    stream.window += bytes;
    if (stream.bytes > 0 && stream.window > 0) this.#ready.add(stream);
    return stream.window <= largestWindow;
  }

  /** There is something that could be taken. */
  get pending(): boolean {
    return this.output.bytes > 0 || (this.#ready.size > 0 && this.#window > 0);
  }

  /** Moves what waits in streams to the output, as far as windows and its own bound allow. */
  fill(): void {
    // A stream that is deleted and added again comes last: the loop sees it once more.
    for (const stream of this.#ready) {
      if (this.#window <= 0 || this.output.bytes >= outputBytes) return;
      this.#ready.delete(stream);
      if (stream.window <= 0) continue;
      const bytes = Math.min(this.#maxFrame, this.#window, stream.window, stream.bytes);
      const last = bytes === stream.bytes && stream.trailers?.length === 0;
      this.#begin(stream, bytes, last);
      stream.moveTo(this.output, bytes);
      if (last) {
        stream.owner.ended();
        continue; // it is gone
      }
      if (stream.bytes > 0) this.#ready.add(stream);
      else if (stream.trailers === undefined) stream.owner.drained();
      else this.end(stream, stream.trailers);
    }
  }

  #frame(stream: Outgoing, pieces: readonly Buffer[], bytes: number, end: boolean): void {
    this.#begin(stream, bytes, end);
    for (const piece of pieces) this.output.append(piece);
    if (end) stream.owner.ended();
  }

  #begin(stream: Outgoing, bytes: number, end: boolean): void {
    this.#window -= bytes;
    stream.window -= bytes;
    this.output.frame(frameType.data, end ? flag.endStream : 0, stream.id, bytes);
  }
}
