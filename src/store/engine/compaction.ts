// Forgets history: log entries below a revision go, and what those at it replaced.
import type { Revision } from "../store.ts";
import { compacted, futureRevision } from "./messages.ts";
import type { Change, LogEntry, State } from "./state.ts";
import { Tree } from "./tree.ts";

/** Throws as etcd does: the revision must be new to compaction and not in the future. */
export function checkCompaction(state: State, revision: Revision): void {
  if (revision <= state.compactedRevision) throw compacted();
  if (revision > state.revision) throw futureRevision();
}

/**
 * Removes log entries below `revision`, keeping that revision itself for watches that start at it, without what came before it (etcd answers
 * such an event without a previous value). Work is proportional to the smaller part. Returns the entries removed or cut.
 */
export function forgetLog(state: State, revision: Revision): readonly LogEntry[] {
  const forgotten: LogEntry[] = [];
  state.log.scan(0, revision, (entry) => {
    forgotten.push(entry);
  });
  if (forgotten.length > state.log.size / 2) {
    const log = new Tree<Revision, LogEntry>();
    state.log.scan(revision, undefined, (entry) => log.set(entry.revision, entry));
    state.log = log;
  } else {
    for (const entry of forgotten) state.log.delete(entry.revision);
  }
  const last = state.log.get(revision);
  if (last !== undefined) {
    forgotten.push(last);
    state.log.set(revision, { revision, changes: last.changes.map(({ version }): Change => ({ version, previous: undefined })) });
  }
  return forgotten;
}
