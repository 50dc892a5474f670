// The SQLite file: its tables, its settings, and how files of older schemas are brought up to date.
import type { DatabaseSync } from "node:sqlite";
import { Corrupt, Newer } from "./corrupt.ts";
import { SealedTables } from "./seal.ts";
import { numberChanges } from "./upgrade-sub.ts";

/** Says in the file's header that it is ours ("Tphs"). */
const applicationId = 0x54706873;

/** Seven objects of 2 KiB fit a page; a larger page costs the lonely writer, a smaller one the crowd (docs: bench/store.ts). */
const pageBytes = 16384;

/** Upgrades by the version they start from, in SQL or by hand; version 0 is an empty file. */
const upgrades: readonly (string | ((database: DatabaseSync) => void))[] = [
  `CREATE TABLE changes(
     row INTEGER PRIMARY KEY,   -- counts every change of a key, ever
     revision INTEGER NOT NULL,
     key BLOB NOT NULL,
     created INTEGER NOT NULL,
     version INTEGER NOT NULL,  -- 0: deleted
     lease INTEGER NOT NULL,
     crc INTEGER NOT NULL,      -- of the record as it travels (wire.ts)
     count INTEGER NOT NULL,    -- rows in the table after this one was added
     digest INTEGER NOT NULL,   -- exclusive or of their crc
     value BLOB NOT NULL
   );
   -- Without a rowid, since node:sqlite reports the last one after every statement and throws when it has 64 bits.
   CREATE TABLE leases(id INTEGER PRIMARY KEY, ttl INTEGER NOT NULL) WITHOUT ROWID;
   CREATE TABLE facts(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;`,
  numberChanges,
  SealedTables.seal,
];

export const schemaVersion = upgrades.length;

/** Settings of every connection that writes. The automatic checkpoint is off: it would run inside somebody's commit. */
export const writerSettings = `PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=67108864; PRAGMA cell_size_check=ON; PRAGMA cache_size=-8192;`;

/** The version in the file; 0: empty. Throws Corrupt when the file is not ours, Newer when it is ours and not for us. */
export function findSchema(database: DatabaseSync): number {
  const found = pragma(database, "user_version");
  const owner = pragma(database, "application_id");
  const foreign = found === 0 && pragma(database, "schema_version") > 0; // has tables
  if (foreign || (owner !== 0 && owner !== applicationId)) throw new Corrupt("the file belongs to another program");
  if (found > schemaVersion) {
    throw new Newer(`the file has schema ${found}, this version of Tiphys knows ${schemaVersion}; use the newer version`);
  }
  return found;
}

/**
 * Creates or upgrades the tables. Returns what makes that final, for when everything has been found to be sound; until then closing the
 * connection takes it back. Throws as findSchema.
 */
export function prepare(database: DatabaseSync): () => void {
  const found = findSchema(database);
  if (found === 0) database.exec(`PRAGMA page_size=${pageBytes}; PRAGMA auto_vacuum=INCREMENTAL;`);
  database.exec("PRAGMA journal_mode=WAL");
  database.exec(writerSettings);
  if (found === schemaVersion) return () => {};
  database.exec("BEGIN IMMEDIATE");
  for (const upgrade of upgrades.slice(found)) {
    if (typeof upgrade === "string") database.exec(upgrade);
    else upgrade(database);
  }
  database.exec(`PRAGMA application_id=${applicationId}; PRAGMA user_version=${schemaVersion}`);
  return () => database.exec("COMMIT");
}

export function pragma(database: DatabaseSync, name: string): number {
  return Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0] ?? 0);
}
