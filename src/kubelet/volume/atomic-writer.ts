// Writes a set of files so that a reader sees the old set or the new one: ..data is a symbolic link that is renamed into place.
import type { Files } from "#base";
import type { Payload } from "./payload.ts";

export interface Ownership {
  /** Files and directories get this group, and the group may read. */
  readonly fsGroup: number | undefined;
}

/** `stamp` names the new directory: different for each call. Paths: name -> ..data/name -> ..<stamp>/name, as upstream. */
export async function writePayload(
  directory: string,
  payload: Payload,
  stamp: string,
  ownership: Ownership,
  files: Files,
): Promise<void> {
  const before = await linkTarget(`${directory}/..data`, files);
  const generation = `..${stamp}`;
  const target = `${directory}/${generation}`;
  await makeDirectory(directory, ownership, files);
  await makeDirectory(target, ownership, files);
  try {
    for (const [path, file] of payload) await writeFile(target, path, file, ownership, files);
    await files.remove(`${directory}/..data_tmp`);
    await files.symlink(generation, `${directory}/..data_tmp`);
    await files.rename(`${directory}/..data_tmp`, `${directory}/..data`);
  } catch (error) {
    await files.remove(target);
    throw error;
  }
  await alignLinks(directory, payload, files);
  if (before !== undefined && before !== generation) await files.remove(`${directory}/${before}`);
}

async function writeFile(
  target: string,
  path: string,
  file: { data: Buffer; mode: number },
  ownership: Ownership,
  files: Files,
): Promise<void> {
  const parts = path.split("/");
  let parent = target;
  for (const part of parts.slice(0, -1)) {
    parent = `${parent}/${part}`;
    await makeDirectory(parent, ownership, files);
  }
  const full = `${target}/${path}`;
  await files.write(full, file.data, file.mode);
  // The mode of a new file is cut by the process's umask.
  await files.chmod(full, ownership.fsGroup === undefined ? file.mode : file.mode | 0o440);
  if (ownership.fsGroup !== undefined) await files.chown(full, (await ownerOf(full, files)) ?? 0, ownership.fsGroup);
}

async function makeDirectory(path: string, { fsGroup }: Ownership, files: Files): Promise<void> {
  if ((await files.stat(path)) !== undefined) return;
  await files.makeDirectory(path);
  if (fsGroup !== undefined) await files.chown(path, (await ownerOf(path, files)) ?? 0, fsGroup);
  await files.chmod(path, fsGroup === undefined ? 0o755 : 0o2775);
}

/** One link for each first component; links to what is gone are removed. */
async function alignLinks(directory: string, payload: Payload, files: Files): Promise<void> {
  const wanted = new Set([...payload.keys()].map((path) => path.split("/")[0] ?? ""));
  for (const name of await files.list(directory)) {
    if (name.startsWith("..") || wanted.delete(name)) continue;
    await files.remove(`${directory}/${name}`);
  }
  for (const name of wanted) await files.symlink(`..data/${name}`, `${directory}/${name}`);
}

async function linkTarget(path: string, files: Files): Promise<string | undefined> {
  return (await files.stat(path))?.kind === "symlink" ? await files.readLink(path) : undefined;
}

const ownerOf = async (path: string, files: Files): Promise<number | undefined> => (await files.stat(path))?.uid;
