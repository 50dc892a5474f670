// The real file system.
import * as fs from "node:fs/promises";
import { dirname } from "node:path";
import type { FileStat, Files } from "../files.ts";

export const systemFiles: Files = {
  read: (path) => fs.readFile(path),
  writeAtomic,
  write: (path, data, mode) => fs.writeFile(path, data, { mode }),
  append: (path, data) => fs.appendFile(path, data),
  makeDirectory: async (path, mode) => {
    await fs.mkdir(path, { recursive: true, mode });
  },
  list: (path) => fs.readdir(path),
  stat: async (path) => {
    try {
      const found = await fs.lstat(path);
      return {
        kind: kindOf(found),
        size: found.size,
        mode: found.mode & 0o7777,
        mtimeMs: found.mtimeMs,
        uid: found.uid,
        gid: found.gid,
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT" || (error as NodeJS.ErrnoException).code === "ENOTDIR")
        return undefined;
      throw error;
    }
  },
  rename: fs.rename,
  symlink: (target, path) => fs.symlink(target, path),
  readLink: (path) => fs.readlink(path),
  chmod: fs.chmod,
  chown: fs.lchown,
  diskBytes: async (path) => {
    const { blocks, bsize } = await fs.statfs(path);
    return blocks * bsize;
  },
  removeDirectory: fs.rmdir,
  remove: (path) => fs.rm(path, { recursive: true, force: true }),
};

async function writeAtomic(path: string, data: Uint8Array | string, mode = 0o644): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  await withHandle(fs.open(temporary, "w", mode), async (handle) => {
    await handle.writeFile(data);
    await handle.chmod(mode);
    await handle.sync();
  });
  await fs.rename(temporary, path);
  await withHandle(fs.open(dirname(path), "r"), (handle) => handle.sync());
}

async function withHandle(opening: Promise<fs.FileHandle>, use: (handle: fs.FileHandle) => Promise<void>): Promise<void> {
  const handle = await opening;
  try {
    await use(handle);
  } finally {
    await handle.close();
  }
}

function kindOf(found: Awaited<ReturnType<typeof fs.lstat>>): FileStat["kind"] {
  if (found.isFile()) return "file";
  if (found.isDirectory()) return "directory";
  if (found.isSymbolicLink()) return "symlink";
  return found.isSocket() ? "socket" : "other";
}
