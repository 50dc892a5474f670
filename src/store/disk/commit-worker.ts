// The thread that owns the SQLite file: loads it, commits batches, forgets rows. One request at a time, in order.
import { statSync } from "node:fs";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { crc32 } from "node:zlib";
import { StoreError } from "../store.ts";
import { Backlog } from "./backlog.ts";
import { claimDirectory } from "./claim.ts";
import { Corrupt, Newer } from "./corrupt.ts";
import { Acknowledged, databaseFile, freeReserve, takeReserve } from "./directory.ts";
import { failureOf } from "./failure.ts";
import type { Failure, Loaded, Reply, Request, Sizes, Times } from "./protocol.ts";
import { type Recovered, recover } from "./recover.ts";
import { pragma } from "./schema.ts";
import type { SealedTables } from "./seal.ts";
import { type Tally, tallyAdd, tallyRemove } from "./tally.ts";
import { readRecords } from "./wire.ts";

const { directory, backlog } = workerData as { readonly directory: string; readonly backlog: SharedArrayBuffer };
const port = parentPort as NonNullable<typeof parentPort>; // this file runs as a worker only

class Committer {
  readonly #claim: Disposable;
  readonly #database: DatabaseSync;
  readonly #acknowledged: Acknowledged;
  readonly #tally: Tally;
  readonly #tables: SealedTables;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #insert: StatementSync;
  readonly #remove: StatementSync;
  #row: number;
  /** As `writerSettings` have it. */
  #syncs = true;

  private constructor(claim: Disposable, { database, tables, tally, loaded }: Recovered) {
    this.#claim = claim;
    this.#database = database;
    this.#acknowledged = new Acknowledged(directory);
    this.#tally = tally;
    this.#tables = tables;
    this.#row = loaded.row;
    this.#begin = database.prepare("BEGIN IMMEDIATE");
    this.#commit = database.prepare("COMMIT");
    this.#insert = database.prepare("INSERT INTO changes VALUES(?,?,?,?,?,?,?,?,?,?,?)");
    this.#remove = database.prepare("DELETE FROM changes WHERE row=? RETURNING crc");
  }

  /** Throws StoreError, Corrupt, Newer or SQLite's error; then nothing stays open. */
  static open(): { readonly committer: Committer; readonly loaded: Loaded } {
    const claim = claimDirectory(directory);
    try {
      const underWay = new Backlog(backlog);
      const recovered = recover(directory, (chunk, compactedRevision) => {
        port.postMessage({ kind: "loading", chunk, compactedRevision } satisfies Reply, [chunk.heads, chunk.values.buffer]);
        underWay.sent();
      });
      return { committer: new Committer(claim, recovered), loaded: recovered.loaded };
    } catch (error) {
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
        return this.#vacuum(request.pages);
      case "sizes":
        return this.#sizes();
      case "freeReserve":
        return this.#freeReserve();
      case "renewReserve":
        return takeReserve(directory, request.opening ?? false);
      case "close":
        return this.#close();
      case "read":
        throw new Error("Broken invariant: the commit worker does not read");
      default:
        return request satisfies never;
    }
  }

  #transaction(body: () => void, revision?: number): Times {
    const began = performance.now();
    let written = began;
    this.#syncCommits(revision !== undefined);
    const before = { ...this.#tally };
    const rowBefore = this.#row;
    const restoreTables = this.#tables.mark();
    try {
      this.#begin.run();
      body();
      written = performance.now();
      this.#commit.run();
    } catch (error) {
      Object.assign(this.#tally, before);
      this.#row = rowBefore;
      restoreTables();
      try {
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      } catch {
        // The first error is the one to report; the store stops writing after it.
      }
      throw error;
    }
    if (revision !== undefined) this.#acknowledged.write({ revision, steps: this.#tables.fact("steps") });
    const ended = performance.now();
    return { commitMs: ended - began, syncMs: ended - written };
  }

  #write(request: Request & { kind: "commit" }): void {
    const tally = this.#tally;
    readRecords(request.buffer, request.length, ({ row, revision, sub, key, created, version, lease, value, all }) => {
      const crc = crc32(all);
      tallyAdd(tally, crc);
      const { count, digest } = tally;
      this.#insert.run(row, revision, key, created, version, lease, crc, count, digest, value, sub);
      this.#row = row;
    });
    const { leases, compactedRevision } = request;
    if (leases.length === 0 && compactedRevision === undefined) return;
    this.#tables.changeLeases(leases);
    const steps = this.#tables.fact("steps") + 1;
    this.#tables.setFacts(compactedRevision === undefined ? { steps } : { steps, compactedRevision });
  }

  #forget(rows: Float64Array): void {
    for (const row of rows) {
      const removed = this.#remove.get(row);
      if (removed !== undefined) tallyRemove(this.#tally, Number(removed.crc));
    }
    this.#tables.setFacts({ tallyRow: this.#row, tallyCount: this.#tally.count, tallyDigest: this.#tally.digest });
  }

  /**
   * Nobody waits for what removes rows or pages: it need not be on disk before the next commit of a write, whose fsync takes it along, and a
   * power cut leaves it for the next start, whole as everything in the log. A copy of the log into the file syncs it first either way.
   */
  #syncCommits(sync: boolean): void {
    if (this.#syncs === sync) return;
    this.#database.exec(`PRAGMA synchronous=${sync ? "FULL" : "NORMAL"}`);
    this.#syncs = sync;
  }

  /** The room is first used to empty the write-ahead log, which gives back more than it takes. */
  #freeReserve(): void {
    freeReserve(directory);
    this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  /** Answers how many free pages are left. */
  #vacuum(pages: number): number {
    this.#syncCommits(false);
    this.#database.exec(`PRAGMA incremental_vacuum(${pages})`);
    return pragma(this.#database, "freelist_count");
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

function refusal(error: unknown): Failure {
  if (error instanceof StoreError) return { code: "locked", message: error.message, definite: true };
  if (error instanceof Corrupt) return { code: "corrupt", message: error.message, definite: true };
  if (error instanceof Newer) return { code: "newer", message: error.message, definite: true };
  return failureOf(error);
}

function main(): void {
  let committer: Committer;
  try {
    const opened = Committer.open();
    committer = opened.committer;
    port.postMessage({ kind: "loaded", loaded: opened.loaded } satisfies Reply);
  } catch (error) {
    port.postMessage({ kind: "refused", failure: refusal(error) } satisfies Reply);
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
