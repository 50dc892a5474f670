// Files beside the database: a marker of what was acknowledged, and a reserve for the day the disk is full.
import {
  closeSync,
  constants,
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { failureOf } from "./failure.ts";

/** More than the write-ahead log may hold before it is copied (disk-store.ts): enough to copy it. */
const reserveBytes = 32 * 1024 * 1024;
const plentyBytes = 1024 ** 3;
/** What must be free beside it: it would be pointless to take the last of the disk. */
const leftBytes = 2 * 1024 * 1024;

export const databaseFile = (directory: string): string => join(directory, "store.db");
const acknowledgedFile = (directory: string): string => join(directory, "acknowledged");
const reserveFile = (directory: string): string => join(directory, "reserve");

export interface Mark {
  readonly revision: number;
  /** Changes of leases and compactions, which have no revision. */
  readonly steps: number;
}

/** Remembers, without an fsync, what was acknowledged last: against it the loss shows when the write-ahead log is damaged. */
export class Acknowledged {
  readonly #fd: number;

  constructor(directory: string) {
    this.#fd = openSync(acknowledgedFile(directory), constants.O_RDWR | constants.O_CREAT, 0o600);
  }

  static read(directory: string): Mark {
    if (!existsSync(acknowledgedFile(directory))) return { revision: 0, steps: 0 };
    const [revision = "", steps = ""] = readFileSync(acknowledgedFile(directory), "latin1").split(/\s/);
    return { revision: Number.parseInt(revision, 10) || 0, steps: Number.parseInt(steps, 10) || 0 };
  }

  /** What it marks is durable already: without room for the mark an older one stays, which only sees less. */
  write({ revision, steps }: Mark): void {
    const digits = (value: number): string => String(value).padStart(16, "0");
    try {
      writeSync(this.#fd, `${digits(revision)} ${digits(steps)}\n`, 0, "latin1");
    } catch (error) {
      if (failureOf(error).code !== "noSpace") throw error;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Room for deletions and compaction when the disk is full: given up with the NOSPACE alarm, taken back when it is cleared. */
export function takeReserve(directory: string, opening: boolean): void {
  // One of another size: a process died on the way.
  if (statSync(reserveFile(directory), { throwIfNoEntry: false })?.size === reserveBytes) return;
  freeReserve(directory);
  // Not by trying: others on this disk would have no room meanwhile, our own write-ahead log among them.
  const { bavail, bsize } = statfsSync(directory);
  if (opening && bavail * bsize > plentyBytes) return;
  if (bavail * bsize < reserveBytes + leftBytes)
    throw Object.assign(new Error(`there is no room for the reserve of ${reserveBytes} bytes`), { code: "ENOSPC" });
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
