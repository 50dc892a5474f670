// `tiphys etcd snapshot save|status|restore`: files that etcd's own tools read and write too.
import { resolve } from "node:path";
import { defineOptions, type OptionValues } from "#base";
import { restoreSnapshot, type SnapshotStatus, saveSnapshot, snapshotStatus, writeWhole } from "#store";
import { connectTo, dataDirOf, isInUse, placeOptions, readAccess, storeDirectory, withStore } from "./place.ts";

export const formOptions = defineOptions({
  output: { kind: "string", default: "text", choices: ["text", "json"], help: "Form of the answer" },
});

/** From the process that serves the directory, or from the directory itself when nobody uses it. */
export async function save(file: string, options: { readonly dataDir: string | undefined }): Promise<void> {
  const dataDir = dataDirOf(options);
  const path = resolve(file);
  try {
    await withStore("save", dataDir, async (store) => {
      using history = await store.history();
      await saveSnapshot(history, path);
    });
  } catch (error) {
    const access = isInUse(error) ? await readAccess(dataDir) : undefined;
    if (access === undefined) {
      if (!isInUse(error)) throw error;
      throw new Error(
        `${(error as Error).message}; or start it with --etcd-listen 127.0.0.1:2379: then a snapshot needs no stop`,
      );
    }
    await using member = await connectTo(access);
    await writeWhole(path, member.snapshot());
  }
  console.log(`Snapshot saved at ${file}`);
  console.log(text(snapshotStatus(path)));
}

export function status(file: string, { output }: OptionValues<typeof formOptions>): void {
  const found = snapshotStatus(resolve(file));
  console.log(output === "json" ? JSON.stringify(found) : text(found));
}

const text = (found: SnapshotStatus): string =>
  [
    `hash           ${found.hash.toString(16)}`,
    `revision       ${found.revision}`,
    `compacted      ${found.compactedRevision === 0 ? "never" : found.compactedRevision}`,
    `keys           ${found.totalKeys}`,
    `versions       ${found.totalVersions}`,
    `leases         ${found.leases}`,
    `size           ${found.totalBytes}`,
  ].join("\n");

export const restoreOptions = defineOptions({
  ...placeOptions,
  bumpRevision: {
    kind: "integer",
    default: 0,
    help: "Add this to the revision, so that no client has seen a later one (with --mark-compacted)",
  },
  markCompacted: {
    kind: "boolean",
    default: false,
    help: "Forget all history up to the new revision, so that every client lists again (with --bump-revision)",
  },
  skipHashCheck: {
    kind: "boolean",
    default: false,
    help: "For a copy of etcd's data directory (member/snap/db): it has no checksum",
  },
});

export function restore(file: string, options: OptionValues<typeof restoreOptions>): void {
  const { bumpRevision, markCompacted, skipHashCheck } = options;
  if (bumpRevision > 0 !== markCompacted || bumpRevision < 0) {
    throw new Error(`Cannot restore snapshot "${file}": --bump-revision N and --mark-compacted go together`);
  }
  const directory = storeDirectory(dataDirOf(options));
  const revision = restoreSnapshot({ file: resolve(file), directory, bumpRevision, skipHashCheck });
  console.log(`Restored ${file} to ${directory} at revision ${revision}; start it with --data-dir ${dataDirOf(options)}`);
}
