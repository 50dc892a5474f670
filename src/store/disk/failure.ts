// What an error of SQLite or the file system means for the store.
import type { Failure } from "./protocol.ts";

const sqlite = { busy: 5, readonly: 8, ioError: 10, corrupt: 11, full: 13, cannotOpen: 14, notADatabase: 26 } as const;

/** Only a full disk is known to leave nothing behind; after any other failed write the file may or may not hold it. */
export function failureOf(error: unknown): Failure {
  const { errcode, code } = error as { readonly errcode?: number; readonly code?: string };
  const message = error instanceof Error ? error.message : String(error);
  if (code === "ENOSPC" || code === "EDQUOT") return { code: "noSpace", message, definite: true };
  switch (errcode === undefined ? undefined : errcode & 0xff) {
    case sqlite.full:
      return { code: "noSpace", message, definite: true };
    case sqlite.corrupt:
    case sqlite.notADatabase:
      return { code: "corrupt", message, definite: false };
    default:
      return { code: "io", message: errcode === undefined ? message : `${message} (SQLite error ${errcode})`, definite: false };
  }
}
