// Files beside the database: a marker of what was acknowledged, and a reserve for the day the disk is full.
import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

/** More than the write-ahead log may hold before it is copied (disk-store.ts): enough to copy it. */
const reserveBytes = 32 * 1024 * 1024;

export const databaseFile = (directory: string): string => join(directory, "store.db");
const acknowledgedFile = (directory: string): string => join(directory, "acknowledged");
const reserveFile = (directory: string): string => join(directory, "reserve");

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
