// The file system as an argument: the real one lives in system/files.ts.

export interface FileStat {
  readonly kind: "file" | "directory" | "symlink" | "socket" | "other";
  readonly size: number;
  readonly mode: number;
  readonly mtimeMs: number;
  readonly uid: number;
  readonly gid: number;
}

/** Errors carry Node's `code` ("ENOENT", "EACCES", ...). Paths are absolute. */
export interface Files {
  read(path: string): Promise<Buffer>;
  /** Replaces the file in one step (temporary file, fsync, rename, fsync of the directory). */
  writeAtomic(path: string, data: Uint8Array | string, mode?: number): Promise<void>;
  write(path: string, data: Uint8Array | string, mode?: number): Promise<void>;
  append(path: string, data: Uint8Array | string): Promise<void>;
  /** Creates missing parents too. */
  makeDirectory(path: string, mode?: number): Promise<void>;
  list(path: string): Promise<string[]>;
  /** Undefined where nothing is. Does not follow a final symbolic link. */
  stat(path: string): Promise<FileStat | undefined>;
  rename(from: string, to: string): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  readLink(path: string): Promise<string>;
  chmod(path: string, mode: number): Promise<void>;
  chown(path: string, uid: number, gid: number): Promise<void>;
  /** Bytes of the file system that holds `path`. */
  diskBytes(path: string): Promise<number>;
  /** Removes an empty directory; fails with ENOENT where there is none. */
  removeDirectory(path: string): Promise<void>;
  /** Removes a file or a whole tree; harmless when absent. */
  remove(path: string): Promise<void>;
}
