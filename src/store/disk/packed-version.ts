// A version read from the file at start: its value is a part of a buffer of many, and is looked at through a view made on demand.
import type { Version } from "../engine/state.ts";
import type { Key } from "../store.ts";
import type { RecordReader } from "./wire.ts";

/** A view per key would cost as much memory as all else about the key. Copies by spread have no value. */
export class PackedVersion implements Version {
  readonly row: number;
  readonly sub: number;
  readonly key: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly lease: bigint;
  #bytes: Buffer;
  #valueAt: number;
  readonly #valueLength: number;

  constructor(record: RecordReader, key: Key, bytes: Buffer) {
    this.row = record.row;
    this.sub = record.sub;
    this.key = key;
    this.createRevision = record.created;
    this.modRevision = record.revision;
    this.version = record.version;
    this.lease = record.lease;
    this.#bytes = bytes;
    this.#valueAt = record.valueAt;
    this.#valueLength = record.valueLength;
  }

  /** Of a copy of the buffer that it was in. */
  isIn(bytes: Buffer): void {
    this.#bytes = bytes;
  }

  /** Copies the value; returns where the next one may go. */
  moveTo(bytes: Buffer, valueAt: number): number {
    this.#bytes.copy(bytes, valueAt, this.#valueAt, this.#valueAt + this.#valueLength);
    this.#bytes = bytes;
    this.#valueAt = valueAt;
    return valueAt + this.#valueLength;
  }

  get value(): Buffer {
    return this.#bytes.subarray(this.#valueAt, this.#valueAt + this.#valueLength);
  }
}
