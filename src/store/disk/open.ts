// Opens a data directory: a thread reads the file, the state is built from it, and a refusal names the next step.
import { StoreError } from "../store.ts";
import { DiskStore, type DiskStoreOptions } from "./disk-store.ts";
import { Restoration } from "./restore.ts";
import { openCommitThread, ThreadFailure } from "./thread.ts";

/** Throws StoreError "corrupt", "unavailable" (in use, no permission) with the next step in the message. */
export async function openDiskStore(options: DiskStoreOptions): Promise<DiskStore> {
  const restoration = new Restoration(options.random);
  try {
    const { thread, loaded } = await openCommitThread(options.directory, (chunk, compactedRevision) =>
      restoration.add(chunk, compactedRevision),
    );
    const { state, garbage } = restoration.finish(loaded);
    return new DiskStore(options, thread, state, garbage);
  } catch (error) {
    throw openingError(options.directory, error);
  }
}

function openingError(directory: string, error: unknown): unknown {
  if (!(error instanceof ThreadFailure)) return error;
  const { code, message } = error.failure;
  if (code === "corrupt") {
    return new StoreError(
      "corrupt",
      `Cannot open the store "${directory}": ${message}; restore a snapshot, or move the directory away to start empty`,
      { cause: error },
    );
  }
  if (code === "locked") return new StoreError("unavailable", message, { cause: error });
  return new StoreError("unavailable", `Cannot open the store "${directory}": ${message}`, { cause: error });
}
