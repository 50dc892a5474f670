// The part of the log whose values are on disk only, and how to get them back.
import { type Change, evicted, type LogEntry, type Version } from "../engine/state.ts";
import type { KeyValue, RangeResult } from "../store.ts";
import { PackedVersion } from "./packed-version.ts";
import type { Answer } from "./protocol.ts";
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

/** What the reader has answered: the first of the versions that it was still to read. */
export interface Part {
  /** How many; a row that compaction has removed meanwhile is missing in `found`. */
  readonly versions: number;
  readonly found: ReadonlyMap<number, Version>;
}

/** Asked for at once: a thread that reads for long keeps the write-ahead log from shrinking. */
const rowsAtOnce = 1000;

/** Reads the values of cold versions, in the order given, a few megabytes at a time; the next ones are read when they are wanted. */
export async function* warm(reader: () => Thread, cold: readonly Version[]): AsyncIterable<Part> {
  const rows = Float64Array.from(cold, ({ row }) => row);
  for (let at = 0; at < rows.length; ) {
    const answer = await reader().request<Answer>({ kind: "read", rows: rows.slice(at, at + rowsAtOnce) });
    const found = new Map<number, Version>();
    readRecords(answer.buffer, answer.length, ({ row, revision, sub, keyText, created, version, lease, value }) => {
      found.set(row, { row, sub, key: keyText, value, createRevision: created, modRevision: revision, version, lease });
    });
    yield { versions: answer.rows, found };
    at += answer.rows;
  }
}

/** The cold versions among the results of a range. */
export const coldOf = (result: RangeResult): Version[] => result.kvs.filter(isCold) as Version[];
