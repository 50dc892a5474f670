// Numbers and keys of many rows at once: SQLite hands them to a function of ours, which costs a fraction of an object for each row.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { WireWriter } from "./wire.ts";

const rowsAtOnce = 1000;

/** Where the numbers of a row stand among its eight. */
const at = { row: 0, revision: 1, sub: 2, created: 3, version: 4, crc: 5, keyLength: 6, valueLength: 7 } as const;
const width = 8;

/** Up to a thousand rows, newest first; the same object goes from thousand to thousand. */
export class Heads {
  /** Rows in it. */
  count = 0;
  readonly #select: StatementSync;
  readonly #numbers = new Float64Array(rowsAtOnce * width);
  /** Of the few that have one, by index. */
  readonly #leases = new Map<number, bigint>();
  #keys: Buffer = Buffer.alloc(0);
  readonly #keyAt = new Float64Array(rowsAtOnce);

  constructor(database: DatabaseSync) {
    database.aggregate<number>("heads", {
      start: () => 0,
      // SQLite counts the parameters, and asks for as many.
      step: (index, row, revision, sub, created, version, crc, keyLength, valueLength, lease) => {
        const numbers = this.#numbers;
        const first = index * width;
        numbers[first + at.row] = row as number;
        numbers[first + at.revision] = revision as number;
        numbers[first + at.sub] = sub as number;
        numbers[first + at.created] = created as number;
        numbers[first + at.version] = version as number;
        numbers[first + at.crc] = crc as number;
        numbers[first + at.keyLength] = keyLength as number;
        numbers[first + at.valueLength] = valueLength as number;
        if (lease !== null) this.#leases.set(index, BigInt(lease as string));
        return index + 1;
      },
    });
    // Leases need 64 bits; the other numbers are safe integers.
    this.#select = database.prepare(
      `SELECT heads(row, revision, sub, created, version, crc, keyLength, valueLength, lease) AS count,
         CAST(group_concat(key, '') AS BLOB) AS keys
       FROM (SELECT row, revision, sub, created, version, crc, octet_length(key) AS keyLength, octet_length(value) AS valueLength,
               CASE lease WHEN 0 THEN NULL ELSE CAST(lease AS TEXT) END AS lease, key
             FROM changes WHERE row <= ? ORDER BY row DESC LIMIT ${rowsAtOnce})`,
    );
  }

  /** Reads on from a row downwards; returns how many rows there were. */
  read(newest: number): number {
    this.#leases.clear();
    const { count, keys } = this.#select.get(newest) as { readonly count: number; readonly keys: Uint8Array | null };
    this.count = count;
    this.#keys = keys === null ? Buffer.alloc(0) : Buffer.from(keys.buffer, keys.byteOffset, keys.length);
    for (let index = 0, next = 0; index < count; index++) {
      this.#keyAt[index] = next;
      next += this.keyLength(index);
    }
    return count;
  }

  row(index: number): number {
    return this.#number(index, at.row);
  }

  keyLength(index: number): number {
    return this.#number(index, at.keyLength);
  }

  valueLength(index: number): number {
    return this.#number(index, at.valueLength);
  }

  crc(index: number): number {
    return this.#number(index, at.crc);
  }

  /** For messages. */
  name(index: number): string {
    const start = this.#keyAt[index] as number; // index < count, here and below
    const key = this.#keys.toString("latin1", start, start + this.keyLength(index));
    return `row ${this.row(index)} (key "${key}", revision ${this.#number(index, at.revision)})`;
  }

  /** Appends the head of a row; returns what its checksum covers before the value. */
  write(index: number, writer: WireWriter): Uint8Array {
    const numbers = this.#numbers;
    const first = index * width;
    return writer.writeHead(
      numbers[first + at.row] as number,
      numbers[first + at.revision] as number,
      numbers[first + at.sub] as number,
      this.#keys,
      this.#keyAt[index] as number,
      numbers[first + at.keyLength] as number,
      numbers[first + at.created] as number,
      numbers[first + at.version] as number,
      this.#leases.get(index) ?? 0n,
      numbers[first + at.valueLength] as number,
    );
  }

  #number(index: number, column: number): number {
    return this.#numbers[index * width + column] as number;
  }
}
