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
  /** Undefined: left on disk. */
  readonly value: Uint8Array | undefined;
}

// Eight-byte words: sub, lengths of key and value (32 bits each), row, revision, created, version, lease; then key, value, padding.
const headerBytes = 56;
/** A checksum leaves out a sub of 0: schema 1 had none. */
const subBytes = 8;
const noValue = 0xffff_ffff;

const recordBytes = (keyLength: number, valueLength: number): number => (headerBytes + keyLength + valueLength + 7) & ~7;

export const sizeOfRecord = (key: string, valueLength: number): number => recordBytes(key.length, valueLength);

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

  get room(): number {
    return this.buffer.byteLength - this.length;
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
    value: Uint8Array | undefined,
  ): Uint8Array {
    const start = this.length;
    const word = start >> 3;
    this.#f64[word] = sub;
    this.#u32[word * 2 + 2] = key.length;
    this.#u32[word * 2 + 3] = value === undefined ? noValue : value.length;
    this.#f64[word + 2] = row;
    this.#f64[word + 3] = revision;
    this.#f64[word + 4] = created;
    this.#f64[word + 5] = version;
    this.#i64[word + 6] = lease;
    const keyAt = start + headerBytes;
    this.#bytes.write(key, keyAt, "latin1");
    const valueLength = value?.length ?? 0;
    if (value !== undefined) this.#bytes.set(value, keyAt + key.length);
    this.length += recordBytes(key.length, valueLength);
    return this.#bytes.subarray(sub === 0 ? start + subBytes : start, keyAt + key.length + valueLength);
  }

  /** Takes the last record back. */
  rewind(length: number): void {
    this.length = length;
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
  hasValue = false;
  valueAt = 0;
  /** 0 where there is none. */
  valueLength = 0;
  readonly #bytes: Buffer;
  readonly #u32: Uint32Array;
  readonly #f64: Float64Array;
  readonly #i64: BigInt64Array;
  #at = 0;
  #keyLength = 0;

  constructor(buffer: ArrayBuffer) {
    this.#bytes = Buffer.from(buffer);
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
    const marked = u32[word * 2 + 3] as number;
    this.#at = at;
    this.#keyLength = keyLength;
    this.hasValue = marked !== noValue;
    this.valueLength = this.hasValue ? marked : 0;
    this.valueAt = at + headerBytes + keyLength;
    this.sub = f64[word] as number;
    this.row = f64[word + 2] as number;
    this.revision = f64[word + 3] as number;
    this.created = f64[word + 4] as number;
    this.version = f64[word + 5] as number;
    this.lease = this.#i64[word + 6] as bigint;
    return at + recordBytes(keyLength, this.valueLength);
  }

  get key(): Buffer {
    return this.#bytes.subarray(this.valueAt - this.#keyLength, this.valueAt);
  }

  /** The key as the store has it: a char for each byte. */
  get keyText(): string {
    return this.#bytes.toString("latin1", this.valueAt - this.#keyLength, this.valueAt);
  }

  get value(): Buffer | undefined {
    return this.hasValue ? this.#bytes.subarray(this.valueAt, this.valueAt + this.valueLength) : undefined;
  }

  /** What the checksum covers. */
  get all(): Buffer {
    return this.#bytes.subarray(this.sub === 0 ? this.#at + subBytes : this.#at, this.valueAt + this.valueLength);
  }
}

/** Calls `visit` for each record. */
export function readRecords(buffer: ArrayBuffer, length: number, visit: (record: RecordReader) => void): void {
  const record = new RecordReader(buffer);
  for (let at = 0; at < length; ) {
    const next = record.moveTo(at);
    visit(record);
    at = next;
  }
}
