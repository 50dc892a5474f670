// Builds the state in memory from the records of the file.
import { attachmentKey, type Change, evicted, type LogEntry, State, type Version } from "../engine/state.ts";
import type { Loaded } from "./protocol.ts";
import { readRecords } from "./wire.ts";

const noBytes: Buffer = Buffer.alloc(0);

/** Takes packed records as they arrive, newest first, while the thread reads on. */
export class Restoration {
  readonly #versions: Version[] = [];

  add(buffer: ArrayBuffer, length: number): void {
    readRecords(buffer, length, ({ row, revision, sub, key, created, version, lease, value }) => {
      // A deletion has no value to fetch.
      const bytes = version === 0 ? noBytes : (value ?? evicted);
      this.#versions.push({
        row,
        sub,
        key: key.toString("latin1"),
        value: bytes,
        createRevision: created,
        modRevision: revision,
        version,
        lease,
      });
    });
  }

  /** The state, and the rows that compaction had condemned and not yet removed. */
  finish(loaded: Loaded): { readonly state: State; readonly garbage: readonly number[] } {
    const state = new State();
    state.revision = loaded.revision;
    state.row = loaded.row;
    state.compactedRevision = loaded.compactedRevision;
    const garbage = replay(state, this.#versions.reverse());
    for (const lease of loaded.leases) state.grants.set(lease.id, lease);
    return { state, garbage };
  }
}

function replay(state: State, versions: readonly Version[]): number[] {
  const garbage: number[] = [];
  const latest = new Map<string, Version>();
  let entry: { revision: number; changes: Change[] } | undefined;
  for (const version of versions) {
    const before = latest.get(version.key);
    latest.set(version.key, version);
    if (before !== undefined && version.modRevision <= state.compactedRevision) garbage.push(before.row);
    if (version.version === 0 && version.modRevision < state.compactedRevision) garbage.push(version.row);
    if (version.modRevision < state.compactedRevision) continue;
    if (entry?.revision !== version.modRevision) {
      entry = { revision: version.modRevision, changes: [] };
      state.log.set(entry.revision, entry satisfies LogEntry);
    }
    const gone = before === undefined || before.version === 0 || version.modRevision <= state.compactedRevision;
    // The log must not keep a value alive that the latest tree lets go of.
    entry.changes.push({ version: coldCopy(version), previous: gone ? undefined : coldCopy(before) });
  }
  for (const version of [...latest.values()].sort((a, b) => (a.key < b.key ? -1 : 1))) {
    if (version.version === 0) continue;
    state.live.set(version.key, version);
    if (version.lease !== 0n) state.attachments.set(attachmentKey(version.lease, version.key), version.key);
  }
  return garbage;
}

const coldCopy = (version: Version): Version => (version.version === 0 ? version : { ...version, value: evicted });
