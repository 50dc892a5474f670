// Looks for damage in a store's directory, while no process uses it: every row against its checksum, the rest as at every start.
import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { type Revision, StoreError } from "../store.ts";
import { claimDirectory } from "./claim.ts";
import { Corrupt } from "./corrupt.ts";
import { databaseFile } from "./directory.ts";
import { recover } from "./recover.ts";
import { sizeOfRecord, WireWriter } from "./wire.ts";

export interface CheckReport {
  readonly rows: number;
  /** Of a sound store. */
  readonly revision?: Revision;
  readonly compactedRevision?: Revision;
  readonly leases?: number;
  /** In words, one a line; empty: sound. */
  readonly damage: readonly string[];
}

/** More is not listed. */
const mostDamage = 100;

/** Throws StoreError "unavailable" when the directory is in use or holds no store. Changes nothing in a store that is damaged. */
export function checkStore(directory: string): CheckReport {
  assertStore("check", directory);
  using _claim = claimDirectory(directory);
  try {
    const { database, loaded, tally } = recover(directory, () => {});
    const rows = tally.count;
    database.close();
    const { revision, compactedRevision, leases } = loaded;
    return { rows, revision, compactedRevision, leases: leases.length, damage: [] };
  } catch (error) {
    if (!(error instanceof Corrupt) && (error as { readonly errcode?: number }).errcode === undefined) throw error;
    const { rows, damage } = damagedRows(directory);
    const first = (error as Error).message;
    return { rows, damage: damage.some((line) => first.startsWith(line)) ? damage : [first, ...damage] };
  }
}

/** Throws StoreError "unavailable" when there is no store, which others would take for an empty one. */
export function assertStore(action: string, directory: string): void {
  if (existsSync(databaseFile(directory))) return;
  throw new StoreError(
    "unavailable",
    `Cannot ${action} the store in "${directory}": there is none; choose another with --data-dir`,
  );
}

type Row = readonly [
  row: number,
  revision: number,
  key: Uint8Array,
  created: number,
  version: number,
  lease: string,
  crc: number,
  value: Uint8Array,
  sub: number,
];

function damagedRows(directory: string): { readonly rows: number; readonly damage: string[] } {
  const damage: string[] = [];
  let rows = 0;
  const database = new DatabaseSync(databaseFile(directory), { readOnly: true });
  try {
    const select = database.prepare(
      "SELECT row, revision, key, created, version, CAST(lease AS TEXT), crc, value, sub FROM changes ORDER BY row",
    );
    select.setReturnArrays(true);
    for (const found of select.iterate()) {
      const [row, revision, keyBytes, created, version, lease, crc, value, sub] = found as unknown as Row;
      rows++;
      const key = Buffer.from(keyBytes).toString("latin1");
      const record = new WireWriter(sizeOfRecord(key, value.length));
      if (crc32(record.write(row, revision, sub, key, created, version, BigInt(lease), value)) === crc) continue;
      if (damage.length < mostDamage) damage.push(`row ${row} (key "${key}", revision ${revision}) does not match its checksum`);
    }
  } catch (error) {
    damage.push(`after ${rows} rows: ${(error as Error).message}`);
  } finally {
    database.close();
  }
  return { rows, damage };
}
