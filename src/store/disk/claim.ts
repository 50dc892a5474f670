// One process at a time in a directory, whatever the operating system calls file locks.
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StoreError } from "../store.ts";

const pidFile = (directory: string): string => join(directory, "pid");

/**
 * Claims a directory for this process, making it if need be; disposing lets go. Throws StoreError "unavailable" that names the holder.
 * The kernel lets go when the process dies, however it dies: SQLite's lock on an empty file is a POSIX lock.
 */
export function claimDirectory(directory: string): Disposable {
  let lock: DatabaseSync | undefined;
  try {
    makeDirectory(directory);
    lock = new DatabaseSync(join(directory, "lock"), { timeout: 0 });
    lock.exec("PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE");
    writeFileSync(pidFile(directory), `${process.pid}\n`, { mode: 0o600 });
  } catch (error) {
    lock?.close();
    throw new StoreError("unavailable", `Cannot use data directory "${directory}": ${explain(directory, error)}`, {
      cause: error,
    });
  }
  const held = lock;
  return {
    [Symbol.dispose]: () => {
      if (!held.isOpen) return;
      rmSync(pidFile(directory), { force: true });
      held.close();
    },
  };
}

/** Not mkdirSync's own `recursive`: that never returns below /proc. */
function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    const { code } = error as { readonly code?: string };
    if (code === "EEXIST" && statSync(directory).isDirectory()) return;
    if (code !== "ENOENT" || dirname(directory) === directory) throw error;
    makeDirectory(dirname(directory));
    mkdirSync(directory, { mode: 0o700 });
  }
}

function explain(directory: string, error: unknown): string {
  const { code, errcode } = error as { readonly code?: string; readonly errcode?: number };
  if (errcode === 5) return `tiphys with pid ${holder(directory)} is using it: stop it or choose another with --data-dir`;
  if (code === "EACCES" || code === "EPERM" || errcode === 14 || errcode === 8) {
    return "no permission to write there: run as its owner or choose another with --data-dir";
  }
  if (code === "ENOTDIR" || code === "EEXIST") return "a file is in the way: choose another with --data-dir";
  if (code === "EROFS") return "the file system is read-only: choose another with --data-dir";
  return error instanceof Error ? error.message : String(error);
}

function holder(directory: string): string {
  try {
    return readFileSync(pidFile(directory), "utf8").trim();
  } catch {
    return "unknown";
  }
}
