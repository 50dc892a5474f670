// How changes travel between the store and its workers: packed into one buffer, which is handed over without a copy.

/** One row of the `changes` table. `version` 0 is a deletion. */
export interface WireRecord {
  readonly row: number;
  readonly revision: number;
  readonly sub: number;
  readonly key: string;
  readonly created: number;
  readonly version: number;
  readonly lease: bigint;
  readonly value: Uint8Array;
}

/** Records whose values stand by themselves: heads and keys as ever, then in a buffer of their own the values, the last record's first. */
export interface Chunk {
  readonly heads: ArrayBuffer;
  /** Of the heads. */
  readonly length: number;
  readonly values: Uint8Array<ArrayBuffer>;
}

// Eight-byte words: sub, lengths of key and value (32 bits each), row, revision, created, version, lease; then key, value, padding.
const headerBytes = 56;
/** A checksum leaves out a sub of 0: schema 1 had none. */
const subBytes = 8;

const recordBytes = (keyLength: number, valueLength: number): number => (headerBytes + keyLength + valueLength + 7) & ~7;

export const sizeOfRecord = (key: string, valueLength: number): number => recordBytes(key.length, valueLength);

/** What a record takes in the heads of a chunk. */
export const sizeOfHead = (keyLength: number): number => recordBytes(keyLength, 0);

/** Writes records one after the other into a buffer of a size known beforehand. */
export class WireWriter {
  readonly buffer: ArrayBuffer;
  /** Bytes written. */
  length = 0;
  readonly #bytes: Buffer;
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;
  readonly #i64: BigInt64Array;

  constructor(capacity: number) {
    const size = (capacity + 7) & ~7;
    this.buffer = new ArrayBuffer(size);
    this.#bytes = Buffer.from(this.buffer);
    this.#u32 = new Uint32Array(this.buffer);
    this.#f64 = new Float64Array(this.buffer);
    this.#i64 = new BigInt64Array(this.buffer);
  }

  /** Appends one record; returns the bytes that its checksum covers. */
  write(
    row: number,
    revision: number,
    sub: number,
    key: string,
    created: number,
    version: number,
    lease: bigint,
    value: Uint8Array,
  ): Uint8Array {
    const start = this.length;
    const end = start + headerBytes + key.length + value.length;
    this.#header(start, row, revision, sub, key.length, created, version, value.length);
    this.#i64[(start >> 3) + 6] = lease;
    this.#bytes.write(key, start + headerBytes, "latin1");
    this.#bytes.set(value, start + headerBytes + key.length);
    this.length += recordBytes(key.length, value.length);
    return this.#bytes.subarray(sub === 0 ? start + subBytes : start, end);
  }

  /** Appends a record of a chunk; its key is a part of `keys`. Returns what its checksum covers before the value. */
  writeHead(
    row: number,
    revision: number,
    sub: number,
    keys: Buffer,
    keyAt: number,
    keyLength: number,
    created: number,
    version: number,
    lease: bigint,
    valueLength: number,
  ): Uint8Array {
    const start = this.length;
    this.#header(start, row, revision, sub, keyLength, created, version, valueLength);
    if (lease !== 0n) this.#i64[(start >> 3) + 6] = lease; // the buffer comes with zeros
    keys.copy(this.#bytes, start + headerBytes, keyAt, keyAt + keyLength);
    this.length += recordBytes(keyLength, 0);
    return this.#bytes.subarray(sub === 0 ? start + subBytes : start, start + headerBytes + keyLength);
  }

  #header(
    start: number,
    row: number,
    revision: number,
    sub: number,
    keyLength: number,
    created: number,
    version: number,
    valueLength: number,
  ): void {
    const word = start >> 3;
    this.#f64[word] = sub;
    this.#u32[word * 2 + 2] = keyLength;
    this.#u32[word * 2 + 3] = valueLength;
    this.#f64[word + 2] = row;
    this.#f64[word + 3] = revision;
    this.#f64[word + 4] = created;
    this.#f64[word + 5] = version;
  }
}

/** One record of a buffer; the same object goes from record to record. Views stay valid as long as the buffer does. */
export class RecordReader {
  row = 0;
  revision = 0;
  sub = 0;
  created = 0;
  version = 0;
  lease = 0n;
  /** Where the value is in its buffer. */
  valueAt = 0;
  valueLength = 0;
  readonly #bytes: Buffer;
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;
  readonly #i64: BigInt64Array;
  readonly #values: Buffer;
  #at = 0;
  #keyAt = 0;
  #keyLength = 0;

  /** `values`: of a chunk. */
  constructor(buffer: ArrayBuffer, values?: Uint8Array<ArrayBuffer>) {
    this.#bytes = Buffer.from(buffer);
    this.#values = values === undefined ? this.#bytes : Buffer.from(values.buffer, values.byteOffset, values.length);
    this.valueAt = this.#values.length;
    this.#u32 = new Uint32Array(buffer);
    this.#f64 = new Float64Array(buffer);
    this.#i64 = new BigInt64Array(buffer);
  }

  /** Reads the record at `at`; returns where the next one is. */
  moveTo(at: number): number {
    const word = at >> 3;
    const u32 = this.#u32;
    const f64 = this.#f64;
    // All are inside the buffer: what is read ends behind a whole record.
    const keyLength = u32[word * 2 + 2] as number;
    const valueLength = u32[word * 2 + 3] as number;
    const apart = this.#values !== this.#bytes;
    this.#at = at;
    this.#keyAt = at + headerBytes;
    this.#keyLength = keyLength;
    this.valueLength = valueLength;
    this.valueAt = apart ? this.valueAt - valueLength : at + headerBytes + keyLength;
    this.sub = f64[word] as number;
    this.row = f64[word + 2] as number;
    this.revision = f64[word + 3] as number;
    this.created = f64[word + 4] as number;
    this.version = f64[word + 5] as number;
    // A zero of its own for every key would have to be kept.
    this.lease =
      (u32[word * 2 + 12] as number) === 0 && (u32[word * 2 + 13] as number) === 0 ? 0n : (this.#i64[word + 6] as bigint);
    return at + recordBytes(keyLength, apart ? 0 : valueLength);
  }

  get key(): Buffer {
    return this.#bytes.subarray(this.#keyAt, this.#keyAt + this.#keyLength);
  }

  /** The key as the store has it: a char for each byte. */
  get keyText(): string {
    return this.#bytes.toString("latin1", this.#keyAt, this.#keyAt + this.#keyLength);
  }

  /** HalfSipHash-1-3 of the key under a seed of two words; of a chunk only, where zeros follow the key. */
  keyHash(seed: Int32Array): number {
    const u32 = this.#u32;
    let a = seed[0] as number; // two words, see above
    let b = seed[1] as number;
    let c = a ^ 0x6c79_6765;
    let d = b ^ 0x7465_6462;
    const first = this.#keyAt >> 2;
    const words = (this.#keyLength + 3) >> 2;
    // One word more: the length; then three rounds without a word.
    for (let round = 0; round < words + 4; round++) {
      const word = round < words ? (u32[first + round] as number) : round === words ? this.#keyLength : 0; // inside the head
      if (round === words + 1) c ^= 0xff;
      d ^= word;
      a = (a + b) | 0;
      b = ((b << 5) | (b >>> 27)) ^ a;
      a = (a << 16) | (a >>> 16);
      c = (c + d) | 0;
      d = ((d << 8) | (d >>> 24)) ^ c;
      a = (a + d) | 0;
      d = ((d << 7) | (d >>> 25)) ^ a;
      c = (c + b) | 0;
      b = ((b << 13) | (b >>> 19)) ^ c;
      c = (c << 16) | (c >>> 16);
      a ^= word;
    }
    return b ^ d;
  }

  get value(): Buffer {
    return this.#values.subarray(this.valueAt, this.valueAt + this.valueLength);
  }

  /** What the checksum covers; not of a chunk. */
  get all(): Buffer {
    return this.#bytes.subarray(this.sub === 0 ? this.#at + subBytes : this.#at, this.valueAt + this.valueLength);
  }
}

/** Calls `visit` for each record of a buffer or, with `values`, of a chunk. */
export function readRecords(
  buffer: ArrayBuffer,
  length: number,
  visit: (record: RecordReader) => void,
  values?: Uint8Array<ArrayBuffer>,
): void {
  const record = new RecordReader(buffer, values);
  for (let at = 0; at < length; ) {
    const next = record.moveTo(at);
    visit(record);
    at = next;
  }
}
