// Opens the file of a directory and holds everything in it against its checksums; a directory that is refused stays as it was.
import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { Corrupt, Newer } from "./corrupt.ts";
import { Acknowledged, databaseFile } from "./directory.ts";
import { load } from "./load.ts";
import type { Loaded } from "./protocol.ts";
import { findSchema, prepare } from "./schema.ts";
import { SealedTables } from "./seal.ts";
import type { Tally } from "./tally.ts";
import type { Chunk } from "./wire.ts";

export interface Recovered {
  readonly database: DatabaseSync;
  readonly tables: SealedTables;
  readonly tally: Tally;
  readonly loaded: Loaded;
}

/**
 * For whoever has claimed the directory. `send` gets all records (load.ts), also of a file that is refused in the end.
 * Throws Corrupt, Newer or SQLite's error.
 */
export function recover(directory: string, send: (chunk: Chunk, compactedRevision: number) => void): Recovered {
  // Too short for a header: SQLite would take the log for a stranger's and delete it.
  if (sizeOf(databaseFile(directory)) < headerBytes) checkAcknowledged(directory, 0, 0);
  // While it is open the other connection cannot, by closing, write the log into a file that may be damaged; itself it cannot at all.
  const keeper = openReader(databaseFile(directory));
  let database: DatabaseSync | undefined;
  try {
    // Of a log that was never copied and is damaged at its beginning nothing is left: what would be written into the empty file is refused too.
    if (keeper === undefined || findSchema(keeper) === 0) checkAcknowledged(directory, 0, 0);
    database = new DatabaseSync(databaseFile(directory), { timeout: 5000 });
    const finish = prepare(database);
    const { tables, grants } = SealedTables.read(database);
    const compactedRevision = tables.fact("compactedRevision");
    const { newest, tally } = load(database, tables, (chunk) => send(chunk, compactedRevision));
    const loaded = {
      // A restored store may be ahead of its rows: compaction or a bump has taken the newest.
      revision: Math.max(newest?.revision ?? 1, tables.fact("revision")),
      row: newest?.row ?? 0,
      compactedRevision,
      leases: grants,
    };
    checkAcknowledged(directory, loaded.revision, tables.fact("steps"));
    finish();
    return { database, tables, tally, loaded };
  } catch (error) {
    database?.close();
    throw asDamage(error);
  } finally {
    keeper?.close();
  }
}

const headerBytes = 100;
const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

/** Undefined when nothing has been written yet. Throws Corrupt when the file is of another program, Newer when of a newer version of this one. */
function openReader(file: string): DatabaseSync | undefined {
  if (sizeOf(file) === 0) return undefined;
  const reader = new DatabaseSync(file, { readOnly: true, timeout: 5000 });
  try {
    findSchema(reader);
    return reader;
  } catch (error) {
    reader.close();
    // The process died while it made the file: who may write can take that back.
    if ((error as { readonly errcode?: number }).errcode === readonlyRollback) return undefined;
    throw error;
  }
}

const readonlyRollback = 776;
/** Also: no such table. */
const sqlError = 1;

/** A table or column that is not there, a value of another type or too large to be a number: nothing that was ever written. */
function asDamage(error: unknown): unknown {
  const { errcode, syscall, message } = error as {
    readonly errcode?: number;
    readonly syscall?: string;
    readonly message: string;
  };
  if (
    error instanceof Corrupt ||
    error instanceof Newer ||
    syscall !== undefined ||
    (errcode !== undefined && errcode !== sqlError)
  )
    return error;
  return new Corrupt(`the file cannot be read: ${message}`, { cause: error });
}

/** SQLite takes a damaged write-ahead log for a shorter one. */
function checkAcknowledged(directory: string, revision: number, steps: number): void {
  const acknowledged = Acknowledged.read(directory);
  if (acknowledged.revision > revision) {
    throw new Corrupt(
      `revision ${acknowledged.revision} was acknowledged and the newest in the file is ${revision}: the write-ahead log is damaged`,
    );
  }
  if (acknowledged.steps > steps) {
    throw new Corrupt(
      `${acknowledged.steps} changes of leases and compactions were acknowledged and ${steps} are in the file: the write-ahead log is damaged`,
    );
  }
}
