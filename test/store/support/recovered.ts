// What the code that opens a store makes of a directory, without its threads: a thousand openings a minute.
import { systemRandom } from "#base";
import type { KeyValue, Revision } from "#store";
// By path: what the front door opens has threads.
import { recover } from "../../../src/store/disk/recover.ts";
import { Restoration } from "../../../src/store/disk/restore.ts";

export interface Recovered {
  readonly revision: Revision;
  readonly compactedRevision: Revision;
  readonly leases: readonly { readonly id: bigint; readonly ttlSeconds: number }[];
  /** The latest values, by key. */
  readonly kvs: readonly KeyValue[];
}

/** Throws what `recover` throws. Nothing stays open. */
export function recovered(directory: string): Recovered {
  const restoration = new Restoration(systemRandom);
  const { database, loaded } = recover(directory, (...records) => restoration.add(...records));
  try {
    const { state } = restoration.finish(loaded);
    const kvs: KeyValue[] = [];
    state.live.scan("", undefined, (version) => {
      kvs.push(version);
    });
    return { revision: state.revision, compactedRevision: state.compactedRevision, leases: loaded.leases, kvs };
  } finally {
    database.close();
  }
}
