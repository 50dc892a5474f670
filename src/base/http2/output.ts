// Bytes on their way out, gathered in buffers that are used again: an answer as large as a cluster makes no garbage.
import { frameHeaderBytes } from "./frames.ts";

/** So much leaves at once at most, and then the rest of a frame. */
export const outputBytes = 192 * 1024;
/** Most answers fit. */
const smallBytes = 16 * 1024;
/** All that leaves at once, the largest frame and what else is said meanwhile. */
const largeBytes = 272 * 1024;

/** Of one size, between two uses. */
class Buffers {
  readonly #bytes: number;
  readonly #most: number;
  readonly #free: Buffer[] = [];

  constructor(bytes: number, most: number) {
    this.#bytes = bytes;
    this.#most = most;
  }

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#bytes);
  }

  give(buffer: Buffer): void {
    if (this.#free.length < this.#most) this.#free.push(buffer);
  }
}

const small = new Buffers(smallBytes, 64);
const large = new Buffers(largeBytes, 8);

/** Ends the use of bytes that an output has given: they are sent, and nobody looks at them any more. */
export function reuse(bytes: Buffer<ArrayBuffer>): void {
  const buffers = bytes.buffer.byteLength === smallBytes ? small : large;
  buffers.give(Buffer.from(bytes.buffer));
}

export class Output {
  #full: Buffer<ArrayBuffer>[] = [];
  #open: Buffer<ArrayBuffer> | undefined;
  #at = 0;
  #bytes = 0;

  /** Not taken yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** In order. They are the taker's until he says `reuse`. */
  take(): Buffer<ArrayBuffer>[] {
    const taken = this.#full;
    if (this.#open !== undefined) taken.push(this.#open.subarray(0, this.#at));
    this.#full = [];
    this.#open = undefined;
    this.#at = 0;
    this.#bytes = 0;
    return taken;
  }

  /** The header of a frame; `length` bytes of payload must follow. */
  frame(type: number, flags: number, stream: number, length: number): void {
    const open = this.#room(frameHeaderBytes);
    const at = this.#at;
    open.writeUIntBE(length, at, 3);
    open[at + 3] = type;
    open[at + 4] = flags;
    open.writeUInt32BE(stream, at + 5);
    this.#wrote(frameHeaderBytes);
  }

  uint32(value: number): void {
    this.#room(4).writeUInt32BE(value, this.#at);
    this.#wrote(4);
  }

  uint16(value: number): void {
    this.#room(2).writeUInt16BE(value, this.#at);
    this.#wrote(2);
  }

  /** The bytes from `from` to before `to`, all of them unless told. */
  append(bytes: Uint8Array, from = 0, to = bytes.length): void {
    while (from < to) {
      const open = this.#room(1);
      const count = Math.min(to - from, open.length - this.#at);
      const whole = count === bytes.length;
      open.set(whole ? bytes : bytes.subarray(from, from + count), this.#at);
      this.#wrote(count);
      from += count;
    }
  }

  #wrote(bytes: number): void {
    this.#at += bytes;
    this.#bytes += bytes;
  }

  /** The open buffer, with so much room: the first is small, and what outgrows it moves. */
  #room(bytes: number): Buffer<ArrayBuffer> {
    const open = this.#open;
    if (open !== undefined && open.length - this.#at >= bytes) return open;
    const next = open === undefined ? small.take() : large.take();
    if (open?.length === smallBytes) {
      next.set(open);
      small.give(open);
    } else if (open !== undefined) {
      this.#full.push(open.subarray(0, this.#at));
      this.#at = 0;
    }
    this.#open = next as Buffer<ArrayBuffer>;
    return this.#open;
  }
}
