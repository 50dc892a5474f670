// Answers with many keys as bytes, written by hand: the field tables would take most of the time of a long range.
import type { Int, WireEvent, WireHeader, WireKeyValue, WireRangeResponse, WireWatchResponse } from "./wire.ts";

/** A piece is as long as the largest frame that is sent, or as the one key that it is for. */
const pieceBytes = 64 * 1024;

/** etcdserverpb.RangeResponse, byte for byte as the field tables have it; in pieces, which are sent one after the other. */
export function rangeAnswer({ header, kvs, more, count }: WireRangeResponse): readonly Buffer[] {
  const headerSize = header === undefined ? 0 : headerBytes(header);
  const sizes = kvs.map(keyValueBytes);
  let bytes = lengthDelimitedBytes(headerSize) + 2 + intBytes(count);
  for (const size of sizes) bytes += lengthDelimitedBytes(size);
  const pieces = new Pieces(bytes);
  if (header !== undefined) writeHeader(pieces, header, headerSize);
  for (let index = 0; index < kvs.length; index++) writeKeyValue(pieces, 2, kvs[index] as WireKeyValue, sizes[index] as number); // index < length
  pieces.room(2 + intBytes(count));
  pieces.flag(3, more);
  pieces.int(4, count);
  return pieces.taken();
}

/** etcdserverpb.WatchResponse, in the same way. */
export function watchAnswer(answer: WireWatchResponse): readonly Buffer[] {
  const { header, events = [] } = answer as Partial<WireWatchResponse>;
  const { watch_id, created = false, canceled = false, compact_revision = 0, cancel_reason = "", fragment = false } = answer;
  const headerSize = header === undefined ? 0 : headerBytes(header);
  const reason = Buffer.from(cancel_reason);
  const sizes = events.map(sizesOfEvent);
  const own = intBytes(watch_id) + 6 + intBytes(compact_revision) + lengthDelimitedBytes(reason.length);
  let bytes = lengthDelimitedBytes(headerSize) + own;
  for (const { event } of sizes) bytes += lengthDelimitedBytes(event);
  const pieces = new Pieces(bytes);
  if (header !== undefined) writeHeader(pieces, header, headerSize);
  pieces.room(own);
  pieces.int(2, watch_id);
  pieces.flag(3, created);
  pieces.flag(4, canceled);
  pieces.int(5, compact_revision);
  pieces.bytes(6, reason);
  pieces.flag(7, fragment);
  for (let index = 0; index < events.length; index++) writeEvent(pieces, events[index] as WireEvent, sizes[index] as EventSizes); // index < length
  return pieces.taken();
}

interface EventSizes {
  readonly event: number;
  readonly kv: number;
  readonly previous: number;
}

function sizesOfEvent({ type, kv, prev_kv }: WireEvent): EventSizes {
  const sizes = { kv: keyValueBytes(kv), previous: prev_kv === undefined ? 0 : keyValueBytes(prev_kv) };
  const previous = prev_kv === undefined ? 0 : lengthDelimitedBytes(sizes.previous);
  return { ...sizes, event: (type === "DELETE" ? 2 : 0) + lengthDelimitedBytes(sizes.kv) + previous };
}

function writeEvent(pieces: Pieces, { type, kv, prev_kv }: WireEvent, sizes: EventSizes): void {
  pieces.room(lengthDelimitedBytes(sizes.event));
  pieces.message(11, sizes.event);
  pieces.flag(1, type === "DELETE");
  writeKeyValue(pieces, 2, kv, sizes.kv);
  if (prev_kv !== undefined) writeKeyValue(pieces, 3, prev_kv, sizes.previous);
}

function headerBytes({ cluster_id = 0, member_id = 0, revision = 0, raft_term = 0 }: WireHeader): number {
  return intBytes(cluster_id) + intBytes(member_id) + intBytes(revision) + intBytes(raft_term);
}

function writeHeader(pieces: Pieces, header: WireHeader, size: number): void {
  const { cluster_id = 0, member_id = 0, revision = 0, raft_term = 0 } = header;
  pieces.room(lengthDelimitedBytes(size));
  pieces.message(1, size);
  pieces.int(1, cluster_id);
  pieces.int(2, member_id);
  pieces.int(3, revision);
  pieces.int(4, raft_term);
}

function keyValueBytes({ key, value, create_revision, mod_revision, version, lease }: WireKeyValue): number {
  let size = intBytes(create_revision) + intBytes(mod_revision) + intBytes(version) + intBytes(lease);
  if (key.length > 0) size += lengthDelimitedBytes(key.length);
  if (value.length > 0) size += lengthDelimitedBytes(value.length);
  return size;
}

function writeKeyValue(pieces: Pieces, field: number, kv: WireKeyValue, size: number): void {
  pieces.room(lengthDelimitedBytes(size));
  pieces.message(field, size);
  pieces.bytes(1, kv.key);
  pieces.int(2, kv.create_revision);
  pieces.int(3, kv.mod_revision);
  pieces.int(4, kv.version);
  pieces.bytes(5, kv.value);
  pieces.int(6, kv.lease);
}

/** With a tag of one byte: all field numbers here are below 16. */
const lengthDelimitedBytes = (length: number): number => 1 + varintBytes(length) + length;

/** A field that is zero is left out. */
const intBytes = (value: Int): number => (Number(value) === 0 ? 0 : 1 + varintBytes(value));

function varintBytes(value: Int): number {
  const number = Number(value);
  if (number < 0) return 10;
  if (number < 2 ** 7) return 1;
  if (number < 2 ** 14) return 2;
  if (number < 2 ** 21) return 3;
  if (number < 2 ** 28) return 4;
  let bytes = 0;
  for (let rest = BigInt(value); rest > 0n; rest >>= 7n) bytes++;
  return bytes;
}

const wireType = { varint: 0, lengthDelimited: 2 } as const;

class Pieces {
  readonly #whole: Buffer[] = [];
  #piece: Buffer = Buffer.alloc(0);
  #at = 0;
  /** Of the message, from the beginning of this piece. */
  #left: number;

  /** `bytes`: of the whole message, at least. */
  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** What is written next, until so many bytes more, is in one piece. */
  room(bytes: number): void {
    if (this.#piece.length - this.#at >= bytes) return;
    this.#cut();
    this.#piece = Buffer.allocUnsafe(Math.max(bytes, Math.min(pieceBytes, this.#left)));
  }

  taken(): readonly Buffer[] {
    this.#cut();
    return this.#whole;
  }

  /** A part of so many bytes follows. */
  message(field: number, length: number): void {
    this.#piece[this.#at++] = (field << 3) | wireType.lengthDelimited;
    this.#varint(length);
  }

  bytes(field: number, bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.message(field, bytes.length);
    this.#piece.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  int(field: number, value: Int): void {
    if (Number(value) === 0) return;
    this.#piece[this.#at++] = (field << 3) | wireType.varint;
    this.#varint(value);
  }

  flag(field: number, value: boolean): void {
    this.int(field, value ? 1 : 0);
  }

  #varint(value: Int): void {
    const number = Number(value);
    if (number >= 0 && number < 2 ** 31) {
      let rest = number;
      for (; rest > 127; rest >>>= 7) this.#piece[this.#at++] = (rest & 127) | 128;
      this.#piece[this.#at++] = rest;
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 127n; rest >>= 7n) this.#piece[this.#at++] = Number(rest & 127n) | 128;
    this.#piece[this.#at++] = Number(rest);
  }

  #cut(): void {
    if (this.#at > 0) this.#whole.push(this.#piece.subarray(0, this.#at));
    this.#left -= this.#at;
    this.#at = 0;
  }
}
