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

export interface RawRecord {
  row: number;
  revision: number;
  sub: number;
  created: number;
  version: number;
  lease: bigint;
  /** Views of the buffer. */
  key: Buffer;
  value: Buffer | undefined;
  /** What the checksum covers. */
  all: Buffer;
}

/** Calls `visit` for each record. The views stay valid as long as the buffer does; the record object is used again. */
export function readRecords(buffer: ArrayBuffer, length: number, visit: (record: RawRecord) => void): void {
  const u32 = new Uint32Array(buffer);
  const f64 = new Float64Array(buffer);
  const i64 = new BigInt64Array(buffer);
  const nothing = Buffer.alloc(0);
  const record: RawRecord = {
    row: 0,
    revision: 0,
    sub: 0,
    created: 0,
    version: 0,
    lease: 0n,
    key: nothing,
    value: nothing,
    all: nothing,
  };
  for (let at = 0; at < length; ) {
    const word = at >> 3;
    const keyLength = u32[word * 2 + 2] as number; // inside the buffer: `length` ends behind a whole record
    const marked = u32[word * 2 + 3] as number;
    const valueLength = marked === noValue ? 0 : marked;
    const valueAt = at + headerBytes + keyLength;
    record.sub = f64[word] as number;
    record.row = f64[word + 2] as number;
    record.revision = f64[word + 3] as number;
    record.created = f64[word + 4] as number;
    record.version = f64[word + 5] as number;
    record.lease = i64[word + 6] as bigint;
    record.key = Buffer.from(buffer, at + headerBytes, keyLength);
    record.value = marked === noValue ? undefined : Buffer.from(buffer, valueAt, valueLength);
    const covered = record.sub === 0 ? at + subBytes : at;
    record.all = Buffer.from(buffer, covered, valueAt + valueLength - covered);
    visit(record);
    at += recordBytes(keyLength, valueLength);
  }
}
