// A version read from the file at start: its value stays a part of the buffer it came in, and is looked at through a view made on demand.
import type { Version } from "../engine/state.ts";

/** A view per key would cost as much memory as all else about the key. Copies by spread have no value. */
export class PackedVersion implements Version {
  readonly row: number;
  readonly sub: number;
  readonly key: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly lease: bigint;
  readonly #bytes: Buffer;
  readonly #valueAt: number;
  readonly #valueLength: number;

  constructor(version: Omit<Version, "value">, bytes: Buffer, valueAt: number, valueLength: number) {
    this.row = version.row;
    this.sub = version.sub;
    this.key = version.key;
    this.createRevision = version.createRevision;
    this.modRevision = version.modRevision;
    this.version = version.version;
    this.lease = version.lease;
    this.#bytes = bytes;
    this.#valueAt = valueAt;
    this.#valueLength = valueLength;
  }

  get value(): Buffer {
    return this.#bytes.subarray(this.#valueAt, this.#valueAt + this.#valueLength);
  }
}
