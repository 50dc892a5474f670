// Makes a store's directory from a history that was kept elsewhere: all of it appears at once, or nothing.
import { mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { HistoryRecord } from "../engine/history.ts";
import type { Grant } from "../engine/state.ts";
import { type Revision, StoreError } from "../store.ts";
import { claimDirectory } from "./claim.ts";
import { databaseFile } from "./directory.ts";
import { syncDirectory } from "./files.ts";
import { prepare } from "./schema.ts";
import { SealedTables } from "./seal.ts";
import { emptyTally, tallyAdd } from "./tally.ts";
import { sizeOfRecord, WireWriter } from "./wire.ts";

export interface Contents {
  readonly compactedRevision: Revision;
  readonly leases: readonly Grant[];
  /** In the order of revision and position; an empty key only moves the revision on. */
  readonly records: Iterable<HistoryRecord>;
  /** Added to the newest revision, and everything up to there is then compacted: no client takes an old answer for a new one. */
  readonly bumpRevision?: number;
}

const rowsATransaction = 20_000;

/**
 * Writes the store that `contents` describe to a directory that is not there or empty; answers with its revision. Throws what `contents` throw,
 * StoreError "unavailable" when the directory is in use; then nothing is left behind.
 */
export function importStore(directory: string, contents: Contents): Revision {
  const target = resolve(directory);
  refuseUsed(target);
  const partial = `${target}.restoring`;
  rmSync(partial, { recursive: true, force: true }); // of an import that was killed
  mkdirSync(partial, { recursive: true, mode: 0o700 });
  try {
    const revision = write(partial, contents);
    syncDirectory(partial);
    if (statSync(target, { throwIfNoEntry: false }) !== undefined) rmdirSync(target);
    renameSync(partial, target);
    syncDirectory(dirname(target));
    return revision;
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw error;
  }
}

function refuseUsed(directory: string): void {
  const found = statSync(directory, { throwIfNoEntry: false });
  if (found === undefined || (found.isDirectory() && readdirSync(directory).length === 0)) return;
  // Says who uses it, if somebody does.
  if (found.isDirectory()) claimDirectory(directory)[Symbol.dispose]();
  throw new StoreError("unavailable", `Cannot restore into "${directory}": something is there; move it away first`);
}

function write(directory: string, contents: Contents): Revision {
  const database = new DatabaseSync(databaseFile(directory));
  try {
    prepare(database)();
    const newest = writeRecords(database, contents.records);
    const revision = Math.max(1, newest, contents.compactedRevision) + (contents.bumpRevision ?? 0);
    database.exec("BEGIN");
    const lease = database.prepare("INSERT INTO leases VALUES(?,?)");
    for (const { id, ttlSeconds } of contents.leases) lease.run(id, ttlSeconds);
    const fact = database.prepare("INSERT INTO facts VALUES(?,?) ON CONFLICT DO UPDATE SET value=excluded.value");
    fact.run("revision", revision);
    fact.run("compactedRevision", contents.bumpRevision ? revision : contents.compactedRevision);
    SealedTables.seal(database);
    database.exec("COMMIT");
    return revision;
  } finally {
    database.close();
  }
}

/** Returns the newest revision among them. */
function writeRecords(database: DatabaseSync, records: Iterable<HistoryRecord>): Revision {
  const insert = database.prepare("INSERT INTO changes VALUES(?,?,?,?,?,?,?,?,?,?,?)");
  const tally = emptyTally();
  let newest = 0;
  database.exec("BEGIN");
  for (const { key, value, createRevision, modRevision, version, lease, sub } of records) {
    newest = modRevision;
    if (key === "") continue;
    const row = tally.count + 1;
    const record = new WireWriter(sizeOfRecord(key, value.length));
    const crc = crc32(record.write(row, modRevision, sub, key, createRevision, version, lease, value));
    tallyAdd(tally, crc);
    const { count, digest } = tally;
    insert.run(row, modRevision, Buffer.from(key, "latin1"), createRevision, version, lease, crc, count, digest, value, sub);
    if (row % rowsATransaction === 0) database.exec("COMMIT; PRAGMA wal_checkpoint(TRUNCATE); BEGIN");
  }
  database.exec("COMMIT");
  return newest;
}
