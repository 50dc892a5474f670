// Reads compressed header blocks: RFC 7541. What a block can make us keep or do is bounded by its own length and by `maxListBytes`.
import { fieldBytes, type ReceivedField, receivedField, staticFields } from "./header-fields.ts";
import { huffmanText } from "./huffman.ts";

/** The connection cannot go on: both sides no longer agree on the table. */
export class CompressionError extends Error {}

interface HeaderList {
  readonly fields: readonly ReceivedField[];
  /** The list is larger than wanted; `fields` has its beginning. */
  readonly tooLarge: boolean;
}

/** What our side announces as SETTINGS_HEADER_TABLE_SIZE; the default of the protocol. */
const maxTableBytes = 4096;

export class HpackDecoder {
  readonly #maxListBytes: number;
  /** Newest last. */
  readonly #table: ReceivedField[] = [];
  #tableBytes = 0;
  #tableLimit = maxTableBytes;
  #block: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(maxListBytes: number) {
    this.#maxListBytes = maxListBytes;
  }

  /** Throws CompressionError. */
  decode(block: Buffer): HeaderList {
    this.#block = block;
    this.#at = 0;
    const fields: ReceivedField[] = [];
    let bytes = 0;
    while (this.#at < block.length) {
      const field = this.#next(bytes === 0);
      if (field === undefined) continue;
      bytes += fieldBytes(field);
      if (bytes <= this.#maxListBytes) fields.push(field);
    }
    return { fields, tooLarge: bytes > this.#maxListBytes };
  }

  /** Undefined: not a field but a change of the table's size. */
  #next(first: boolean): ReceivedField | undefined {
    const byte = this.#block[this.#at] as number; // the caller looked
    if (byte >= 0x80) return this.#indexed(this.#integer(7));
    if (byte >= 0x40) {
      const field = this.#literal(6);
      this.#add(field);
      return field;
    }
    if (byte < 0x20) return this.#literal(4); // whether it may be indexed by proxies is nothing to us
    const limit = this.#integer(5);
    if (!first) throw new CompressionError("the size of the table changes inside a header block");
    if (limit > maxTableBytes) throw new CompressionError(`a table of ${limit} bytes is larger than announced`);
    this.#tableLimit = limit;
    this.#evict();
    return undefined;
  }

  #indexed(index: number): ReceivedField {
    const dynamic = index - staticFields.length;
    const field = dynamic > 0 ? this.#table[this.#table.length - dynamic] : staticFields[index - 1];
    if (field === undefined) throw new CompressionError(`there is no header field ${index}`);
    return field;
  }

  #literal(prefixBits: number): ReceivedField {
    const index = this.#integer(prefixBits);
    const name = index === 0 ? this.#string() : this.#indexed(index).name;
    return receivedField(name, this.#string());
  }

  #add(field: ReceivedField): void {
    this.#table.push(field);
    this.#tableBytes += fieldBytes(field);
    this.#evict();
  }

  #evict(): void {
    while (this.#tableBytes > this.#tableLimit) this.#tableBytes -= fieldBytes(this.#table.shift() as ReceivedField); // bytes > 0
  }

  #integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = this.#byte() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.#byte();
      value += (byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw new CompressionError("a number is too large");
  }

  #byte(): number {
    const byte = this.#block[this.#at++];
    if (byte === undefined) throw new CompressionError("the header block is cut short");
    return byte;
  }

  #string(): string {
    const huffman = (this.#block[this.#at] ?? 0) >= 0x80;
    const length = this.#integer(7);
    const start = this.#at;
    this.#at += length;
    if (this.#at > this.#block.length) throw new CompressionError("the header block is cut short");
    if (!huffman) return this.#block.toString("latin1", start, this.#at);
    const text = huffmanText(this.#block, start, this.#at);
    if (text === undefined) throw new CompressionError("a header string is not in the Huffman code");
    return text;
  }
}
