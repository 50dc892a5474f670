// hostPath volumes: the type decides what must be there, and what is made.
import type { HostPathVolumeSource } from "#api";
import type { Files } from "#base";
import { statThrough } from "./safe-path.ts";
import { CannotMount } from "./volumes.ts";

export async function prepareHostPath({ path, type = "" }: HostPathVolumeSource, files: Files): Promise<void> {
  if (type === "") return;
  const found = await statThrough(path, files);
  const refuse = (what: string): never => {
    throw new CannotMount(`hostPath type check failed: ${path} is not ${what}`);
  };
  switch (type) {
    case "DirectoryOrCreate":
      if (found === undefined) await files.makeDirectory(path, 0o755);
      else if (found.kind !== "directory") refuse("a directory");
      return;
    case "FileOrCreate":
      if (found === undefined) await files.write(path, "", 0o644);
      else if (found.kind !== "file") refuse("a file");
      return;
    case "Directory":
      if (found?.kind !== "directory") refuse("a directory");
      return;
    case "File":
      if (found?.kind !== "file") refuse("a file");
      return;
    case "Socket":
      if (found?.kind !== "socket") refuse("a socket file");
      return;
    case "CharDevice":
      if (found?.kind !== "other") refuse("a character device");
      return;
    case "BlockDevice":
      if (found?.kind !== "other") refuse("a block device");
      return;
    default:
      throw new CannotMount(`${type} is an invalid volume type`);
  }
}
