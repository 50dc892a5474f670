// Builds the state in memory from the records of the file, as they arrive: newest first.
import { attachmentKey, type Change, evicted, type LogEntry, State, type Version } from "../engine/state.ts";
import { Tree } from "../engine/tree.ts";
import type { Key, Revision } from "../store.ts";
import { PackedVersion } from "./packed-version.ts";
import type { Loaded } from "./protocol.ts";
import { type RecordReader, readRecords } from "./wire.ts";

const noBytes: Buffer = Buffer.alloc(0);

interface OpenChange extends Change {
  previous: Version | undefined;
}

export class Restoration {
  readonly #live: Version[] = [];
  readonly #entries: { readonly revision: Revision; readonly changes: OpenChange[] }[] = [];
  readonly #garbage: number[] = [];
  /** Changes after the compaction that wait for what was there before, by key. */
  readonly #waiting = new Map<Key, OpenChange>();

  /** Takes packed records while the thread reads on. Values come with the newest version of a key only. */
  add(buffer: ArrayBuffer, length: number, compactedRevision: Revision): void {
    const from = Buffer.from(buffer);
    const values = Buffer.allocUnsafeSlow(valueBytes(buffer, length));
    let valueAt = 0;
    readRecords(buffer, length, (record) => {
      const later = this.#waiting.size === 0 ? undefined : this.#waiting.get(record.keyText);
      if (record.hasValue) {
        // Copied out: what else is in a record must not stay in memory with its value.
        from.copy(values, valueAt, record.valueAt, record.valueAt + record.valueLength);
        this.#live.push(new PackedVersion(aboutOf(record), values, valueAt, record.valueLength));
        valueAt += record.valueLength;
      } else if (record.version === 0 && record.revision < compactedRevision) this.#garbage.push(record.row);
      else if (record.version > 0 && later === undefined) {
        this.#garbage.push(record.row); // it was replaced before the compaction
        return;
      }
      if (record.revision < compactedRevision && later === undefined) return;
      // The log must not keep a value alive that the latest tree lets go of.
      const cold = coldVersion(record);
      if (later !== undefined && cold.version > 0) later.previous = cold;
      if (record.revision > compactedRevision) this.#waiting.set(cold.key, this.#log(cold));
      else {
        this.#waiting.delete(cold.key);
        if (record.revision === compactedRevision) this.#log(cold);
      }
    });
  }

  #log(version: Version): OpenChange {
    const change = { version, previous: undefined };
    const entry = this.#entries.at(-1);
    if (entry?.revision === version.modRevision) entry.changes.push(change);
    else this.#entries.push({ revision: version.modRevision, changes: [change] });
    return change;
  }

  /**
   * The state, and the rows that compaction had condemned and not yet removed, oldest first: a deletion must outlive what it deleted, or a
   * kill between two steps of the removal brings that back.
   */
  finish(loaded: Loaded): { readonly state: State; readonly garbage: readonly number[] } {
    const state = new State();
    state.revision = loaded.revision;
    state.row = loaded.row;
    state.compactedRevision = loaded.compactedRevision;
    state.log = Tree.from(
      this.#entries.reverse(),
      ({ revision }) => revision,
      (entry): LogEntry => {
        entry.changes.reverse();
        return entry;
      },
    );
    // Reversed first: keys that were made in order then are in order.
    const live = this.#live.reverse().sort((a, b) => (a.key < b.key ? -1 : 1));
    state.live = Tree.from(
      live,
      ({ key }) => key,
      (version) => version,
    );
    for (const { key, lease } of live) if (lease !== 0n) state.attachments.set(attachmentKey(lease, key), key);
    for (const lease of loaded.leases) state.grants.set(lease.id, lease);
    return { state, garbage: this.#garbage.reverse() };
  }
}

const aboutOf = (record: RecordReader): Omit<Version, "value"> => ({
  row: record.row,
  sub: record.sub,
  key: record.keyText,
  createRevision: record.created,
  modRevision: record.revision,
  version: record.version,
  lease: record.lease,
});

function valueBytes(buffer: ArrayBuffer, length: number): number {
  let bytes = 0;
  readRecords(buffer, length, ({ valueLength }) => {
    bytes += valueLength;
  });
  return bytes;
}

/** A deletion has no value to fetch. */
const coldVersion = (record: RecordReader): Version => ({
  ...aboutOf(record),
  value: record.version === 0 ? noBytes : evicted,
});
