// Snapshots of etcd as files: saved from a store, looked at, restored into a directory.
import type { History } from "../engine/history.ts";
import { DamagedFile } from "../snapshot/file-reader.ts";
import { Snapshot, type SnapshotStatus } from "../snapshot/read.ts";
import { planSnapshot, snapshotBytes } from "../snapshot/save.ts";
import { type Revision, StoreError } from "../store.ts";
import { openSource, writeWhole } from "./files.ts";
import { importStore } from "./import.ts";

/** Writes what etcd restores from; returns the size of the file. */
export async function saveSnapshot(history: History, file: string): Promise<number> {
  return writeWhole(file, snapshotBytes(history, await planSnapshot(history)));
}

/** Reads all of it. Throws StoreError "corrupt" when something in it is not as it was written. */
export function snapshotStatus(file: string): SnapshotStatus {
  return reading("read", file, false, (snapshot) => snapshot.status());
}

export interface RestoreOptions {
  readonly file: string;
  /** Of the store; not there, or empty. */
  readonly directory: string;
  /** Adds to the revision and compacts what was before it: clients that were ahead of the snapshot list again instead of trusting what they know. */
  readonly bumpRevision?: number;
  /** For a copy of a running etcd's database, which has no checksum. */
  readonly skipHashCheck?: boolean;
}

/** Returns the revision of the restored store. Throws StoreError "corrupt", "unavailable"; then nothing was written. */
export function restoreSnapshot({ file, directory, bumpRevision = 0, skipHashCheck = false }: RestoreOptions): Revision {
  return reading("restore", file, skipHashCheck, (snapshot) =>
    importStore(directory, {
      compactedRevision: snapshot.compactedRevision,
      leases: snapshot.leases,
      records: snapshot.records(),
      bumpRevision,
    }),
  );
}

function reading<T>(action: string, file: string, anyChecksum: boolean, use: (snapshot: Snapshot) => T): T {
  try {
    using source = openSource(file);
    return use(new Snapshot(source, { anyChecksum }));
  } catch (error) {
    if ((error as { readonly code?: string }).code === "ENOENT") {
      throw new StoreError("unavailable", `Cannot ${action} snapshot "${file}": no such file`);
    }
    if (!(error instanceof DamagedFile)) throw error;
    throw new StoreError("corrupt", `Cannot ${action} snapshot "${file}": ${error.message}`, { cause: error });
  }
}
