// The files of snapshots: read in pieces, and written so that a name never stands for half a file.
import { closeSync, fstatSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { Source } from "../snapshot/file-reader.ts";

/** Throws the system's error. */
export function openSource(path: string): Source & Disposable {
  const fd = openSync(path, "r");
  return {
    size: fstatSync(fd).size,
    read: (position, length) => {
      const bytes = Buffer.allocUnsafeSlow(length);
      for (let done = 0; done < length; ) {
        const read = readSync(fd, bytes, done, length - done, position + done);
        if (read === 0) throw new Error(`"${path}" became shorter while it was read`);
        done += read;
      }
      return bytes;
    },
    [Symbol.dispose]: () => closeSync(fd),
  };
}

/** Replaces the file when all is written and on disk; returns its size. */
export async function writeWhole(path: string, chunks: AsyncIterable<Uint8Array>): Promise<number> {
  const partial = `${path}.part`;
  const fd = openSync(partial, "w", 0o600);
  let size = 0;
  try {
    try {
      for await (const chunk of chunks) {
        for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done);
        size += chunk.length;
      }
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(partial, path);
    syncDirectory(dirname(path));
    return size;
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}

/** Makes new names in a directory last. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
