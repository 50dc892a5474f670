// Writes header blocks: RFC 7541. Fields that are said again and again go into the table that the client keeps, and cost a byte from then on.
import { fieldBytes, type HeaderField, staticFields } from "./header-fields.ts";

interface OutgoingField extends HeaderField {
  /** Said in most responses, by this very object: worth a place in the client's table. */
  readonly repeated?: boolean;
}

export type HeaderFields = readonly OutgoingField[];

interface StaticName {
  /** The first with this name. */
  readonly index: number;
  readonly values: Map<string, number>;
}

const staticNames = new Map<string, StaticName>();
for (const [index, { name, value }] of staticFields.entries()) {
  const known = staticNames.get(name) ?? { index: index + 1, values: new Map() };
  staticNames.set(name, known);
  known.values.set(value, index + 1);
}

/** The protocol's default, which we never exceed. */
const maxTableBytes = 4096;

export class HpackEncoder {
  /** In the client's table, by the order of their coming. Nothing is ever pushed out: what does not fit is not put in. */
  readonly #indexed = new Map<OutgoingField, number>();
  #tableBytes = 0;
  #tableLimit = maxTableBytes;
  #emptied = false;

  /** The client's SETTINGS_HEADER_TABLE_SIZE. Less than the default: it must hear that its table is no longer used. */
  setTableLimit(bytes: number): void {
    if (bytes >= this.#tableLimit) return;
    this.#tableLimit = 0;
    this.#indexed.clear();
    this.#emptied = true;
  }

  encode(fields: HeaderFields): Buffer {
    const block = Buffer.allocUnsafe(fields.reduce((sum, field) => sum + fieldBytes(field), 1));
    let at = 0;
    if (this.#emptied) {
      this.#emptied = false;
      block[at++] = 0x20;
    }
    for (const field of fields) at = this.#field(block, at, field);
    return block.subarray(0, at);
  }

  #field(block: Buffer, at: number, field: OutgoingField): number {
    const known = this.#indexed.get(field);
    if (known !== undefined) return integer(block, at, 0x80, 7, staticFields.length + this.#indexed.size - known);
    const byName = staticNames.get(field.name);
    const exact = byName?.values.get(field.value);
    if (exact !== undefined) return integer(block, at, 0x80, 7, exact);
    const name = byName?.index ?? 0;
    const index = field.repeated === true && this.#tableBytes + fieldBytes(field) <= this.#tableLimit;
    let next = index ? integer(block, at, 0x40, 6, name) : integer(block, at, 0, 4, name);
    if (name === 0) next = text(block, next, field.name);
    if (index) {
      this.#indexed.set(field, this.#indexed.size);
      this.#tableBytes += fieldBytes(field);
    }
    return text(block, next, field.value);
  }
}

function integer(block: Buffer, at: number, pattern: number, prefixBits: number, value: number): number {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) {
    block[at] = pattern | value;
    return at + 1;
  }
  block[at++] = pattern | mask;
  let rest = value - mask;
  for (; rest > 127; rest >>>= 7) block[at++] = (rest & 127) | 128;
  block[at] = rest;
  return at + 1;
}

function text(block: Buffer, at: number, value: string): number {
  const start = integer(block, at, 0, 7, value.length);
  return start + block.write(value, start, "latin1");
}
