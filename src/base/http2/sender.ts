// The way out of one connection: frames as far as windows and the socket allow, what is left waits in its stream, and streams take turns.
import { defaultFrameBytes, defaultWindow, flag, frameType, largestWindow } from "./frames.ts";
import { type HeaderFields, HpackEncoder } from "./hpack-encoder.ts";
import { Output } from "./output.ts";

/** More than this does not leave its stream before the socket has taken what did. */
const outputBytes = 256 * 1024;
/** However large the client's frames may be: streams take turns by the frame. */
const largestFrameBytes = 64 * 1024;

const nothing = Buffer.alloc(0);

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
  /** Said when everything is sent. */
  trailers: HeaderFields | undefined;

  constructor(id: number, window: number, owner: OutgoingOwner) {
    this.id = id;
    this.window = window;
    this.owner = owner;
  }

  add(bytes: Buffer): void {
    this.#queue.push(bytes);
    this.bytes += bytes.length;
  }

  /** At most `limit` bytes of what has waited longest. */
  next(limit: number): Buffer {
    const [first = nothing] = this.#queue;
    const piece = first.subarray(0, limit);
    if (piece.length === first.length) this.#queue.shift();
    else this.#queue[0] = first.subarray(limit);
    this.bytes -= piece.length;
    return piece;
  }

  drop(): void {
    this.#queue.length = 0;
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
    if (this.#fits(stream, bytes)) this.#frame(stream, bytes, false);
    else this.#wait(stream, bytes);
  }

  /** The same, and nothing comes after. */
  last(stream: Outgoing, bytes: Buffer): void {
    if (this.#fits(stream, bytes)) this.#frame(stream, bytes, true);
    else {
      stream.trailers = [];
      this.#wait(stream, bytes);
    }
  }

  /** Nothing comes after. */
  end(stream: Outgoing, trailers: HeaderFields): void {
    if (stream.bytes > 0) stream.trailers = trailers;
    else if (trailers.length === 0) this.#frame(stream, nothing, true);
    else {
      this.headers(stream.id, trailers, true);
      stream.owner.ended();
    }
  }

  #fits(stream: Outgoing, bytes: Buffer): boolean {
    const most = Math.min(this.#maxFrame, this.#window, stream.window);
    return stream.bytes === 0 && bytes.length <= most && this.output.bytes < outputBytes;
  }

  #wait(stream: Outgoing, bytes: Buffer): void {
    stream.add(bytes);
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
      const piece = stream.next(Math.min(this.#maxFrame, this.#window, stream.window));
      const last = stream.bytes === 0 && stream.trailers?.length === 0;
      this.#frame(stream, piece, last);
      if (last) continue; // it is gone
      if (stream.bytes > 0) this.#ready.add(stream);
      else if (stream.trailers === undefined) stream.owner.drained();
      else this.end(stream, stream.trailers);
    }
  }

  #frame(stream: Outgoing, bytes: Buffer, end: boolean): void {
    this.#window -= bytes.length;
    stream.window -= bytes.length;
    this.output.frame(frameType.data, end ? flag.endStream : 0, stream.id, bytes.length);
    this.output.append(bytes);
    if (end) stream.owner.ended();
  }
}
