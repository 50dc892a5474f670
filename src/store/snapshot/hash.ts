// etcd's HashKV: one number over every version that compaction has left, equal in all members that hold the same (mvcc/hash.go, hashByRev).

import type { History, HistoryRecord } from "../engine/history.ts";
import { compacted, futureRevision } from "../engine/messages.ts";
import type { Key, Revision } from "../store.ts";
import { crc32c } from "./crc32c.ts";
import { encodeKeyValue, revisionKey } from "./records.ts";

export interface KeyValueHash {
  readonly hash: number;
  readonly revision: Revision;
  /** As etcd says it: -1 before the first compaction. */
  readonly compactedRevision: number;
}

/**
 * The hash as of `revision` (0: the latest). Of what is older than the compaction only what is still live at `revision` counts, unless nothing
 * is live then; deletions in the compacted revision itself never count, since older etcds have removed them.
 * Throws StoreError "compacted", "futureRevision".
 */
export async function hashHistory(history: History, revision: Revision = 0): Promise<KeyValueHash> {
  const at = revision === 0 ? history.revision : revision;
  if (at > history.revision) throw futureRevision();
  if (at < history.compactedRevision) throw compacted();
  const counts = oldOnesThatCount(history, at);
  let sum = crc32c(Buffer.from("key"));
  for await (const slice of history.slices()) {
    for (const record of slice) {
      if (record.modRevision > at) break;
      if (record.modRevision <= history.compactedRevision && !counts(record)) continue;
      sum = crc32c(revisionKey(record.modRevision, record.sub, record.version === 0), sum);
      sum = crc32c(encodeKeyValue(record), sum);
    }
  }
  return {
    hash: sum,
    revision: at,
    compactedRevision: history.compactedRevision === 0 ? -1 : history.compactedRevision,
  };
}

/** Says of a version from before the compaction whether the hash at a revision includes it. */
function oldOnesThatCount(history: History, at: Revision): (record: HistoryRecord) => boolean {
  const latest = new Map<Key, boolean>();
  let anyLive = false;
  const old: Key[] = [];
  for (const { key, modRevision, version } of history.outline()) {
    if (modRevision > at) break;
    if (modRevision > history.compactedRevision) latest.set(key, version > 0);
    else if (version > 0) old.push(key);
  }
  for (const live of latest.values()) anyLive ||= live;
  anyLive ||= old.some((key) => !latest.has(key));
  return (record) => record.version > 0 && !(anyLive && latest.has(record.key));
}
