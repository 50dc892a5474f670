// The thread that owns the SQLite file: loads it, commits batches, forgets rows. One request at a time, in order.
import { statSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { crc32 } from "node:zlib";
import { StoreError } from "../store.ts";
import { claimDirectory } from "./claim.ts";
import { Acknowledged, databaseFile, freeReserve, takeReserve } from "./directory.ts";
import { failureOf } from "./failure.ts";
import { Corrupt, load } from "./load.ts";
import type { Loaded, Reply, Request, Sizes } from "./protocol.ts";
import { pragma, prepare } from "./schema.ts";
import { type Tally, tallyAdd, tallyRemove } from "./tally.ts";
import { readRecords } from "./wire.ts";

const { directory } = workerData as { readonly directory: string };
const port = parentPort as NonNullable<typeof parentPort>; // this file runs as a worker only

class Committer {
  readonly #claim: Disposable;
  readonly #database: DatabaseSync;
  readonly #acknowledged: Acknowledged;
  readonly #tally: Tally;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #insert: StatementSync;
  readonly #remove: StatementSync;
  readonly #grant: StatementSync;
  readonly #revoke: StatementSync;
  readonly #fact: StatementSync;
  #row: number;

  private constructor(claim: Disposable, database: DatabaseSync, tally: Tally, row: number) {
    this.#claim = claim;
    this.#database = database;
    this.#acknowledged = new Acknowledged(directory);
    this.#tally = tally;
    this.#row = row;
    this.#begin = database.prepare("BEGIN IMMEDIATE");
    this.#commit = database.prepare("COMMIT");
    this.#insert = database.prepare("INSERT INTO changes VALUES(?,?,?,?,?,?,?,?,?,?)");
    this.#remove = database.prepare("DELETE FROM changes WHERE row=? RETURNING crc");
    this.#grant = database.prepare("INSERT INTO leases VALUES(?,?)");
    this.#revoke = database.prepare("DELETE FROM leases WHERE id=?");
    this.#fact = database.prepare("INSERT INTO facts VALUES(?,?) ON CONFLICT DO UPDATE SET value=excluded.value");
  }

  /** Throws StoreError, Corrupt or SQLite's error; then nothing stays open. */
  static open(): { readonly committer: Committer; readonly loaded: Loaded } {
    const claim = claimDirectory(directory);
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(databaseFile(directory), { timeout: 5000 });
      const prepared = prepare(database);
      if (!prepared.ok) throw new Corrupt(prepared.message);
      const { loaded, tally } = load(database, (buffer, length) =>
        port.postMessage({ kind: "loading", buffer, length } satisfies Reply, [buffer]),
      );
      const acknowledged = Acknowledged.read(directory);
      if (acknowledged > loaded.revision) {
        throw new Corrupt(
          `revision ${acknowledged} was acknowledged and the newest in the file is ${loaded.revision}: the write-ahead log is damaged`,
        );
      }
      return { committer: new Committer(claim, database, tally, loaded.row), loaded };
    } catch (error) {
      // Keeps the write-ahead log as it is: a closing connection would write it into a file that may be damaged.
      if (!(error instanceof Corrupt)) database?.close();
      claim[Symbol.dispose]();
      throw error;
    }
  }

  handle(request: Request): unknown {
    switch (request.kind) {
      case "commit":
        return this.#transaction(() => this.#write(request), request.revision);
      case "forget":
        return this.#transaction(() => this.#forget(request.rows));
      case "checkpoint":
        return this.#database.prepare(`PRAGMA wal_checkpoint(${request.mode})`).get();
      case "vacuum":
        return this.#database.exec(`PRAGMA incremental_vacuum(${request.pages})`);
      case "sizes":
        return this.#sizes();
      case "freeReserve":
        return this.#freeReserve();
      case "renewReserve":
        return takeReserve(directory);
      case "close":
        return this.#close();
      case "read":
        throw new Error("Broken invariant: the commit worker does not read");
      default:
        return request satisfies never;
    }
  }

  #transaction(body: () => void, revision?: number): void {
    const before = { ...this.#tally };
    const rowBefore = this.#row;
    try {
      this.#begin.run();
      body();
      this.#commit.run();
    } catch (error) {
      Object.assign(this.#tally, before);
      this.#row = rowBefore;
      try {
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      } catch {
        // The first error is the one to report; the store stops writing after it.
      }
      throw error;
    }
    if (revision !== undefined) this.#acknowledged.write(revision);
  }

  #write(request: Request & { kind: "commit" }): void {
    const tally = this.#tally;
    readRecords(request.buffer, request.length, ({ row, revision, key, created, version, lease, value, all }) => {
      const crc = crc32(all);
      tallyAdd(tally, crc);
      this.#insert.run(row, revision, key, created, version, lease, crc, tally.count, tally.digest, value ?? Buffer.alloc(0));
      this.#row = row;
    });
    for (const { id, ttlSeconds } of request.leases) {
      if (ttlSeconds === undefined) this.#revoke.run(id);
      else this.#grant.run(id, ttlSeconds);
    }
    if (request.compactedRevision !== undefined) this.#fact.run("compactedRevision", request.compactedRevision);
  }

  #forget(rows: Float64Array): void {
    for (const row of rows) {
      const removed = this.#remove.get(row);
      if (removed !== undefined) tallyRemove(this.#tally, Number(removed.crc));
    }
    this.#fact.run("tallyRow", this.#row);
    this.#fact.run("tallyCount", this.#tally.count);
    this.#fact.run("tallyDigest", this.#tally.digest);
  }

  /** The room is first used to empty the write-ahead log, which gives back more than it takes. */
  #freeReserve(): void {
    freeReserve(directory);
    this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  #sizes(): Sizes {
    const pageSize = pragma(this.#database, "page_size");
    const pages = pragma(this.#database, "page_count");
    const free = pragma(this.#database, "freelist_count");
    const walBytes = statSync(`${databaseFile(directory)}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    return { bytes: pages * pageSize, bytesInUse: (pages - free) * pageSize, walBytes };
  }

  #close(): void {
    this.#acknowledged.close();
    this.#database.close();
    this.#claim[Symbol.dispose]();
  }
}

function main(): void {
  let committer: Committer;
  try {
    const opened = Committer.open();
    committer = opened.committer;
    port.postMessage({ kind: "loaded", loaded: opened.loaded } satisfies Reply);
  } catch (error) {
    const failure =
      error instanceof StoreError
        ? { code: "locked" as const, message: error.message, definite: true }
        : error instanceof Corrupt
          ? { code: "corrupt" as const, message: error.message, definite: true }
          : failureOf(error);
    port.postMessage({ kind: "refused", failure } satisfies Reply);
    port.close();
    return;
  }
  port.on("message", ({ id, request }: { readonly id: number; readonly request: Request }) => {
    try {
      const value = committer.handle(request);
      port.postMessage({ kind: "done", id, value } satisfies Reply);
    } catch (error) {
      port.postMessage({ kind: "failed", id, failure: failureOf(error) } satisfies Reply);
    }
    if (request.kind === "close") port.close();
  });
}

main();
