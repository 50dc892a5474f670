// Reads the whole file at start: every row is checked, latest values and all metadata go to the store.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { Corrupt } from "./corrupt.ts";
import { Heads } from "./heads.ts";
import type { SealedTables } from "./seal.ts";
import { emptyTally, type Tally, tallyAdd } from "./tally.ts";
import { type Chunk, sizeOfHead, WireWriter } from "./wire.ts";

/** A buffer of values lives as long as one value in it does, so they are small. */
const chunkBytes = 256 * 1024;

export interface Newest {
  readonly row: number;
  readonly revision: number;
  /** The tally when it was written. */
  readonly count: number;
  readonly digest: number;
}

/** Calls `send` with all records, newest first. Throws Corrupt when a row is damaged or missing. */
export function load(
  database: DatabaseSync,
  tables: SealedTables,
  send: (chunk: Chunk) => void,
): { readonly newest: Newest | undefined; readonly tally: Tally } {
  const tally = emptyTally();
  const newest = database.prepare("SELECT row, revision, count, digest FROM changes ORDER BY row DESC LIMIT 1").get() as
    | Newest
    | undefined;
  if (newest !== undefined) scan(database, newest.row, tally, send);
  const expected =
    newest === undefined || newest.row <= tables.fact("tallyRow")
      ? { count: tables.fact("tallyCount"), digest: tables.fact("tallyDigest") }
      : newest;
  if (tally.count !== expected.count) throw new Corrupt(`${expected.count} rows were written and ${tally.count} are left`);
  if (tally.digest !== expected.digest) throw new Corrupt("the checksum over all rows does not match");
  return { newest, tally };
}

/** A statement for each row would take most of the time: rows come by the hundred, as one value out of one statement. */
function scan(database: DatabaseSync, newestRow: number, tally: Tally, send: (chunk: Chunk) => void): void {
  const heads = new Heads(database);
  const select = database.prepare("SELECT CAST(group_concat(value, '') AS BLOB) AS bytes FROM changes WHERE row BETWEEN ? AND ?");
  for (let next = newestRow; heads.read(next) > 0; next = heads.row(heads.count - 1) - 1) {
    for (let from = 0; from < heads.count; ) {
      let until = from + 1;
      for (let bytes = heads.valueLength(from); until < heads.count; until++) {
        bytes += heads.valueLength(until);
        if (bytes > chunkBytes) break;
      }
      send(checked(heads, from, until, valuesOf(select, heads.row(until - 1), heads.row(from)), tally));
      from = until;
    }
  }
}

/** In the order of rows. */
const valuesOf = (select: StatementSync, first: number, last: number): Uint8Array<ArrayBuffer> =>
  (select.get(first, last)?.["bytes"] ?? new Uint8Array(0)) as Uint8Array<ArrayBuffer>;

/** The rows from index `from` to before index `until`, each held against its checksum. */
function checked(heads: Heads, from: number, until: number, values: Uint8Array<ArrayBuffer>, tally: Tally): Chunk {
  let size = 0;
  for (let index = from; index < until; index++) size += sizeOfHead(heads.keyLength(index));
  const writer = new WireWriter(size);
  let valueEnd = values.length;
  for (let index = from; index < until; index++) {
    const valueStart = valueEnd - heads.valueLength(index);
    const crc = crc32(values.subarray(valueStart, valueEnd), crc32(heads.write(index, writer)));
    if (crc !== heads.crc(index)) throw new Corrupt(`${heads.name(index)} does not match its checksum`);
    tallyAdd(tally, crc);
    valueEnd = valueStart;
  }
  if (valueEnd !== 0)
    throw new Corrupt(
      `${heads.name(from)} or one of the ${until - from - 1} before it does not have the length that it was written with`,
    );
  return { heads: writer.buffer, length: writer.length, values };
}
