// The store's directory: one process at a time, a marker of what was acknowledged, a reserve for the day the disk is full.
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const reserveBytes = 4 * 1024 * 1024;

export const databaseFile = (directory: string): string => join(directory, "store.db");
const lockFile = (directory: string): string => join(directory, "lock");
const pidFile = (directory: string): string => join(directory, "pid");
const acknowledgedFile = (directory: string): string => join(directory, "acknowledged");
const reserveFile = (directory: string): string => join(directory, "reserve");

export class Locked extends Error {}

/** The kernel lets go of the lock when the process dies, however it dies: SQLite's lock on an empty file is a POSIX lock. */
export function lockDirectory(directory: string): DatabaseSync {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const lock = new DatabaseSync(lockFile(directory), { timeout: 0 });
  try {
    lock.exec("PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (!/locked/.test(String(error))) throw error;
    throw new Locked(`it is in use by ${holder(directory)}; stop that one first, or choose another data directory`);
  }
  writeFileSync(pidFile(directory), `${process.pid}\n`, { mode: 0o600 });
  return lock;
}

function holder(directory: string): string {
  try {
    return `process ${readFileSync(pidFile(directory), "utf8").trim()}`;
  } catch {
    return "another process";
  }
}

export function unlockDirectory(directory: string, lock: DatabaseSync): void {
  rmSync(pidFile(directory), { force: true });
  lock.close();
}

/**
 * Remembers, without an fsync, the last revision that was acknowledged. SQLite takes a damaged write-ahead log for a shorter one; against
 * this number the loss shows.
 */
export class Acknowledged {
  readonly #fd: number;

  constructor(directory: string) {
    this.#fd = openSync(acknowledgedFile(directory), "a+", 0o600);
    closeSync(this.#fd);
    this.#fd = openSync(acknowledgedFile(directory), "r+");
  }

  static read(directory: string): number {
    if (!existsSync(acknowledgedFile(directory))) return 0;
    return Number.parseInt(readFileSync(acknowledgedFile(directory), "latin1"), 10) || 0;
  }

  write(revision: number): void {
    writeSync(this.#fd, `${String(revision).padStart(16, "0")}\n`, 0, "latin1");
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Room for deletions and compaction when the disk is full: given up with the NOSPACE alarm, taken back when it is cleared. */
export function takeReserve(directory: string): void {
  if (existsSync(reserveFile(directory))) return;
  const fd = openSync(reserveFile(directory), "w", 0o600);
  try {
    const block = Buffer.alloc(64 * 1024, 0xa5); // not zeros: some file systems do not store those
    for (let written = 0; written < reserveBytes; written += block.length) writeSync(fd, block);
  } catch (error) {
    ftruncateSync(fd, 0);
    rmSync(reserveFile(directory), { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

export function freeReserve(directory: string): void {
  rmSync(reserveFile(directory), { force: true });
}
