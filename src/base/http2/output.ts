// Bytes on their way out: small pieces are copied together, large ones are passed on as they are.
import { frameHeaderBytes } from "./frames.ts";

const slabBytes = 16 * 1024;
/** Above this a piece is not copied. */
const copiedBytes = 4 * 1024;

export class Output {
  #whole: Buffer[] = [];
  /** Never written twice: who has taken a part of it may still be sending it. */
  #slab: Buffer = Buffer.alloc(0);
  #from = 0;
  #to = 0;
  #bytes = 0;

  /** Not taken yet. */
  get bytes(): number {
    return this.#bytes;
  }

  take(): Buffer[] {
    this.#cut();
    const taken = this.#whole;
    this.#whole = [];
    this.#bytes = 0;
    return taken;
  }

  /** The header of a frame; `length` bytes of payload must follow. */
  frame(type: number, flags: number, stream: number, length: number): void {
    const at = this.#room(frameHeaderBytes);
    this.#slab.writeUIntBE(length, at, 3);
    this.#slab[at + 3] = type;
    this.#slab[at + 4] = flags;
    this.#slab.writeUInt32BE(stream, at + 5);
  }

  uint32(value: number): void {
    const at = this.#room(4); // first: it may change the slab
    this.#slab.writeUInt32BE(value, at);
  }

  uint16(value: number): void {
    const at = this.#room(2);
    this.#slab.writeUInt16BE(value, at);
  }

  /** The bytes must not change any more. */
  append(bytes: Buffer): void {
    if (bytes.length <= copiedBytes) {
      const at = this.#room(bytes.length);
      this.#slab.set(bytes, at);
      return;
    }
    this.#cut();
    this.#whole.push(bytes);
    this.#bytes += bytes.length;
  }

  #room(bytes: number): number {
    if (this.#slab.length - this.#to < bytes) {
      this.#cut();
      this.#slab = Buffer.allocUnsafeSlow(slabBytes);
      this.#from = 0;
      this.#to = 0;
    }
    const at = this.#to;
    this.#to += bytes;
    this.#bytes += bytes;
    return at;
  }

  #cut(): void {
    if (this.#to === this.#from) return;
    this.#whole.push(this.#slab.subarray(this.#from, this.#to));
    this.#from = this.#to;
  }
}
