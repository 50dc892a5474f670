// Reads the whole file at start: every row is checked, the latest values and all metadata go to the store.
import type { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { Corrupt } from "./corrupt.ts";
import type { SealedTables } from "./seal.ts";
import { emptyTally, type Tally, tallyAdd } from "./tally.ts";
import { sizeOfRecord, WireWriter } from "./wire.ts";

/** A buffer lives as long as one value in it does, so they are small. */
const chunkBytes = 256 * 1024;

type Row = readonly [
  row: number,
  revision: number,
  keyLength: number,
  created: number,
  version: number,
  lease: string | null,
  crc: number,
  /** In one: a blob each would be an allocation each. */
  keyAndValue: Uint8Array,
  sub: number,
];

export interface Newest {
  readonly row: number;
  readonly revision: number;
  /** The tally when it was written. */
  readonly count: number;
  readonly digest: number;
}

/**
 * Calls `send` with packed records, newest first. Values come with the newest record of a key only.
 * Throws Corrupt when a row is damaged or missing.
 */
export function load(
  database: DatabaseSync,
  tables: SealedTables,
  send: (buffer: ArrayBuffer, length: number) => void,
): { readonly newest: Newest | undefined; readonly tally: Tally } {
  const tally = emptyTally();
  const newest = database.prepare("SELECT row, revision, count, digest FROM changes ORDER BY row DESC LIMIT 1").get() as
    | Newest
    | undefined;
  scan(database, tally, send);
  const expected =
    newest === undefined || newest.row <= tables.fact("tallyRow")
      ? { count: tables.fact("tallyCount"), digest: tables.fact("tallyDigest") }
      : newest;
  if (tally.count !== expected.count) throw new Corrupt(`${expected.count} rows were written and ${tally.count} are left`);
  if (tally.digest !== expected.digest) throw new Corrupt("the checksum over all rows does not match");
  return { newest, tally };
}

function scan(database: DatabaseSync, tally: Tally, send: (buffer: ArrayBuffer, length: number) => void): void {
  const seen = new Set<string>();
  let chunk = new WireWriter(chunkBytes);
  // Leases need 64 bits; the other numbers are safe integers.
  const statement = database.prepare(
    `SELECT row, revision, length(key), created, version, NULLIF(CAST(lease AS TEXT), '0'), crc, CAST(key || value AS BLOB), sub
     FROM changes ORDER BY row DESC`,
  );
  statement.setReturnArrays(true);
  for (const found of statement.iterate()) {
    const [row, revision, keyLength, created, version, lease, crc, keyAndValue, sub] = found as unknown as Row;
    const bytes = Buffer.from(keyAndValue.buffer, keyAndValue.byteOffset, keyAndValue.length);
    const key = bytes.toString("latin1", 0, keyLength);
    const value = bytes.subarray(keyLength);
    const leaseId = lease === null ? 0n : BigInt(lease);
    const needed = sizeOfRecord(key, value.length);
    if (needed > chunk.room) {
      if (chunk.length > 0) send(chunk.buffer, chunk.length);
      chunk = new WireWriter(Math.max(chunkBytes, needed));
    }
    const start = chunk.length;
    const covered = chunk.write(row, revision, sub, key, created, version, leaseId, value);
    if (crc32(covered) !== crc) throw new Corrupt(`row ${row} (key "${key}", revision ${revision}) does not match its checksum`);
    tallyAdd(tally, crc);
    if (seen.has(key) || version === 0) {
      chunk.rewind(start);
      chunk.write(row, revision, sub, key, created, version, leaseId, undefined);
    }
    seen.add(key);
  }
  if (chunk.length > 0) send(chunk.buffer, chunk.length);
}
