// `tiphys etcd check` and `compact`: work on the store of a directory that no process uses.
import type { OptionValues } from "#base";
import { defineOptions } from "#base";
import { checkStore } from "#store";
import { dataDirOf, placeOptions, storeDirectory, withStore } from "./place.ts";

/** Exit code 1 when something is damaged. */
export function check(options: { readonly dataDir: string | undefined }): void {
  const directory = storeDirectory(dataDirOf(options));
  const { rows, damage, revision, compactedRevision, leases } = checkStore(directory);
  if (damage.length === 0) {
    console.log(
      `The store in "${directory}" is sound: ${rows} rows, ${leases} leases, revision ${revision}, compacted ${compactedRevision}`,
    );
    return;
  }
  for (const line of damage) console.error(line);
  console.error(
    `The store in "${directory}" is damaged; move it away and restore a snapshot: tiphys etcd snapshot restore FILE --data-dir ${dataDirOf(options)}`,
  );
  process.exitCode = 1;
}

export const compactOptions = defineOptions({
  ...placeOptions,
  revision: { kind: "integer", default: 0, help: "Forget what was replaced before this revision; 0: the latest" },
});

/** Gives the room back to the file system. */
export function compact(options: OptionValues<typeof compactOptions>): Promise<void> {
  return withStore("compact", dataDirOf(options), async (store) => {
    const before = await store.status();
    const revision = options.revision === 0 ? before.revision : options.revision;
    if (revision > before.compactedRevision || options.revision !== 0) await store.compact(revision);
    await store.defragment();
    const after = await store.status();
    console.log(`Compacted at revision ${after.compactedRevision}: ${before.sizeBytes} bytes before, ${after.sizeBytes} after`);
  });
}
