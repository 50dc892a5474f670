// The part of the log whose values are on disk only, and how to get them back.
import { type Change, evicted, type LogEntry, type Version } from "../engine/state.ts";
import type { KeyValue, RangeResult } from "../store.ts";
import { PackedVersion } from "./packed-version.ts";
import type { Thread } from "./thread.ts";
import { readRecords } from "./wire.ts";

/** Values replaced by later ones are kept in memory up to this many bytes, for watches that come back soon. */
const hotBytes = 4 * 1024 * 1024;

/** Published log entries whose values are still in memory, oldest first. */
export class HotLog {
  #entries: LogEntry[] = [];
  #start = 0;
  #bytes = 0;

  add(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      this.#entries.push(entry);
      this.#bytes += weight(entry);
    }
    while (this.#bytes > hotBytes && this.#start < this.#entries.length - 1) this.#cool();
    if (this.#start > 1000 && this.#start > this.#entries.length / 2) {
      this.#entries = this.#entries.slice(this.#start);
      this.#start = 0;
    }
  }

  #cool(): void {
    const entry = this.#entries[this.#start++] as LogEntry; // the caller has checked
    this.#bytes -= weight(entry);
    coolEntry(entry);
  }
}

/** An entry keeps alive what it replaced, and counts something itself. */
function weight(entry: LogEntry): number {
  let bytes = 0;
  for (const { previous } of entry.changes) bytes += 64 + (previous?.value.length ?? 0);
  return bytes;
}

/** Drops the values: in place, because every snapshot of this store shares the entry. */
export function coolEntry(entry: LogEntry): void {
  (entry as { changes: readonly Change[] }).changes = entry.changes.map(({ version, previous }) => ({
    version: cool(version),
    previous: previous === undefined ? undefined : cool(previous),
  }));
}

const cool = (version: Version): Version => (version.version === 0 || isCold(version) ? version : { ...version, value: evicted });

export const isCold = (kv: KeyValue): boolean => !(kv instanceof PackedVersion) && kv.value === evicted;

/** Reads the values of cold versions; a row that compaction has removed meanwhile is missing in the answer. */
export async function warm(reader: () => Thread, versions: readonly Version[]): Promise<Map<number, Version>> {
  const found = new Map<number, Version>();
  const rows = Float64Array.from(versions.map((version) => version.row).sort((a, b) => a - b));
  // In slices: a thread that reads for long keeps the write-ahead log from shrinking.
  for (let at = 0; at < rows.length; at += 1000) {
    const answer = await reader().request<{ buffer: ArrayBuffer; length: number }>({
      kind: "read",
      rows: rows.slice(at, at + 1000),
    });
    readRecords(answer.buffer, answer.length, ({ row, revision, sub, keyText, created, version, lease, value }) => {
      found.set(row, {
        row,
        sub,
        key: keyText,
        value,
        createRevision: created,
        modRevision: revision,
        version,
        lease,
      });
    });
  }
  return found;
}

/** The cold versions among the results of a range. */
export const coldOf = (result: RangeResult): Version[] => result.kvs.filter(isCold) as Version[];
