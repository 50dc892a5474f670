// What goes to disk together: changes, lease changes, and whoever waits for them.
import type { LogEntry, State } from "../engine/state.ts";
import type { LeaseChange } from "./protocol.ts";
import { sizeOfRecord, WireWriter } from "./wire.ts";

/** Somebody who waits for a batch. */
export interface Waiter {
  /** Called when the batch is durable and published. */
  readonly done: () => void;
  readonly fail: (error: Error) => void;
  /** Runs it again after another's failure took the ground from under it. */
  readonly again: () => void;
}

/** Beyond this a batch is closed and the next one begins. */
const batchBytes = 4 * 1024 * 1024;

export class Batch {
  readonly entries: LogEntry[] = [];
  readonly leases: LeaseChange[] = [];
  readonly waiters: Waiter[] = [];
  compactedRevision: number | undefined;
  /** Size of the packed records. */
  bytes = 0;
  /** The state after this batch, set when it is closed. */
  state: State | undefined;

  add(entry: LogEntry): void {
    this.entries.push(entry);
    for (const { version } of entry.changes) this.bytes += sizeOfRecord(version.key, version.value.length);
  }

  get full(): boolean {
    return this.bytes >= batchBytes;
  }

  /** Nothing to write: only readers wait. */
  get empty(): boolean {
    return this.entries.length === 0 && this.leases.length === 0 && this.compactedRevision === undefined;
  }

  pack(): WireWriter {
    const writer = new WireWriter(this.bytes);
    for (const { changes } of this.entries) {
      for (const { version: v } of changes)
        writer.write(v.row, v.modRevision, v.sub, v.key, v.createRevision, v.version, v.lease, v.value);
    }
    return writer;
  }
}
