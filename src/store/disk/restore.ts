// Builds the state in memory from the records of the file, as they arrive: newest first.
import type { Random } from "#base";
import { attachmentKey, type Change, evicted, type LogEntry, State, type Version } from "../engine/state.ts";
import { Tree } from "../engine/tree.ts";
import type { Key, Revision } from "../store.ts";
import { PackedVersion } from "./packed-version.ts";
import type { Loaded } from "./protocol.ts";
import { SeenKeys } from "./seen-keys.ts";
import { type Chunk, type RecordReader, readRecords } from "./wire.ts";

const noBytes: Buffer = Buffer.alloc(0);

interface OpenChange extends Change {
  previous: Version | undefined;
}

export class Restoration {
  readonly #live: PackedVersion[] = [];
  readonly #entries: { readonly revision: Revision; readonly changes: OpenChange[] }[] = [];
  readonly #garbage: number[] = [];
  /** Every key met so far, with its change after the compaction that waits for what was there before, if there is one. */
  readonly #seen: SeenKeys<OpenChange | null>;

  constructor(random: Random) {
    this.#seen = new SeenKeys(random);
  }

  /** Takes records while the thread reads on. */
  add({ heads, length, values }: Chunk, compactedRevision: Revision): void {
    const bytes = Buffer.from(values.buffer, values.byteOffset, values.length);
    const before = this.#live.length;
    let liveBytes = 0;
    const visit = (record: RecordReader): void => {
      const key = record.keyText;
      const hash = this.#seen.hashOf(record);
      const seen = this.#seen.get(hash, key);
      const later = seen ?? undefined;
      if (seen === undefined && record.version > 0) {
        this.#live.push(new PackedVersion(record, key, bytes));
        liveBytes += record.valueLength;
      } else if (record.version === 0 && record.revision < compactedRevision) this.#garbage.push(record.row);
      else if (record.version > 0 && later === undefined) {
        this.#garbage.push(record.row); // it was replaced before the compaction
        return;
      }
      const logged = record.revision >= compactedRevision;
      if (!logged && later === undefined) {
        if (seen === undefined) this.#seen.set(hash, key, null);
        return;
      }
      // The log must not keep a value alive that the latest tree lets go of.
      const cold = coldVersion(record, key);
      if (later !== undefined && cold.version > 0) later.previous = cold;
      const change = logged ? this.#log(cold) : null;
      this.#seen.set(hash, key, record.revision > compactedRevision ? change : null);
    };
    readRecords(heads, length, visit, values);
    pack(this.#live.slice(before), bytes, liveBytes);
    // At once: the collector hears of large buffers late.
    values.buffer.transfer(0);
    heads.transfer(0);
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

/**
 * Moves values to where they stay, without those that were replaced. Shared, although nobody shares it: what is not shared counts as a reason to
 * collect garbage, and for each 64 MB everything read so far would be walked through.
 */
function pack(versions: readonly PackedVersion[], bytes: Buffer, liveBytes: number): void {
  const packed = Buffer.from(new SharedArrayBuffer(liveBytes));
  if (liveBytes === bytes.length) {
    packed.set(bytes);
    for (const version of versions) version.isIn(packed);
    return;
  }
  let next = 0;
  for (const version of versions) next = version.moveTo(packed, next);
}

/** A deletion has no value to fetch. */
const coldVersion = ({ row, sub, created, revision, version, lease }: RecordReader, key: Key): Version => ({
  row,
  sub,
  key,
  createRevision: created,
  modRevision: revision,
  version,
  lease,
  value: version === 0 ? noBytes : evicted,
});
