// Paths inside a directory that others may have filled with symbolic links.
import type { FileStat, Files } from "#base";

const mostLinks = 40;

/** Follows every link of an absolute path. Undefined where it leads nowhere. */
export async function realPath(path: string, files: Files): Promise<string | undefined> {
  let parts = path.split("/").filter(isPart);
  let resolved = "";
  for (let links = 0; parts.length > 0; ) {
    const [part = "", ...rest] = parts;
    parts = rest;
    if (part === "..") {
      resolved = resolved.slice(0, Math.max(0, resolved.lastIndexOf("/")));
      continue;
    }
    const next = `${resolved}/${part}`;
    const found = await files.stat(next);
    if (found === undefined) return undefined;
    if (found.kind !== "symlink") {
      resolved = next;
      continue;
    }
    if (++links > mostLinks) throw new Error(`too many symbolic links in "${path}"`);
    const target = await files.readLink(next);
    if (target.startsWith("/")) resolved = "";
    parts = [...target.split("/").filter(isPart), ...parts];
  }
  return resolved === "" ? "/" : resolved;
}

const isPart = (part: string): boolean => part !== "" && part !== ".";

/** What `path` leads to, links followed. */
export async function statThrough(path: string, files: Files): Promise<FileStat | undefined> {
  const real = await realPath(path, files);
  return real === undefined ? undefined : await files.stat(real);
}

/** The real path of `subPath` within `root`; missing directories are made. Throws when it leads out of `root` (CVE-2017-1002101). */
export async function pathInside(root: string, subPath: string, files: Files): Promise<string> {
  const parts = subPath.split("/").filter(isPart);
  if (subPath.startsWith("/") || parts.includes(".."))
    throw new Error(`subPath "${subPath}" must be a relative path without ".."`);
  const realRoot = await realPath(root, files);
  if (realRoot === undefined) throw new Error(`the volume's directory "${root}" does not exist`);
  let current = realRoot;
  for (const part of parts) {
    const next = `${current}/${part}`;
    const found = await files.stat(next);
    if (found === undefined) {
      await files.makeDirectory(next);
      await files.chmod(next, 0o750);
      current = next;
      continue;
    }
    const real = await realPath(next, files);
    if (real === undefined || (real !== realRoot && !real.startsWith(`${realRoot}/`))) {
      throw new Error(`subPath "${subPath}" leads out of its volume through a symbolic link`);
    }
    current = real;
  }
  return current;
}
