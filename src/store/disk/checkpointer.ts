// Copies the write-ahead log into the file, on the second thread, so that commits wait for it only when the log is far too long.
import type { Alarms } from "./alarms.ts";
import type { Thread } from "./thread.ts";

/** Estimated size of the write-ahead log at which the second thread copies it into the file. */
const checkpointBytes = 8 * 1024 * 1024;
/** A log that has grown so large under load is begun anew between two commits. */
const walRestartBytes = 16 * 1024 * 1024;
/** Writers wait for the copying when the log gets this large: the reserve (directory.ts) must be able to take it. */
const walLimitBytes = 24 * 1024 * 1024;
/** What a commit adds to the log beside its records: pages that were not full. */
const commitOverheadBytes = 24 * 1024;
/** Our guess; a log that grows beyond it is noticed when it is copied. */
const bytesOfRow = 2048;
const walFrameBytes = 16384 + 24;

interface CheckpointerOptions {
  readonly writer: Thread;
  readonly reader: () => Thread;
  readonly alarms: Alarms;
  /** Called after each copy: those who had to wait go on. */
  readonly done: () => void;
}

export class Checkpointer {
  readonly #options: CheckpointerOptions;
  #uncopiedBytes = 0;
  #running = false;
  #stopped = false;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
  }

  /** The log is so long that no commit may start before the copy under way is done. */
  get commitsMustWait(): boolean {
    return this.#running && this.#uncopiedBytes > walLimitBytes;
  }

  /** Counts a removal of so many rows: the pages they were on are written anew. */
  countRemoved(rows: number): void {
    this.#uncopiedBytes += rows * bytesOfRow + commitOverheadBytes;
  }

  /** Counts a commit of so many bytes of records. */
  count(recordBytes: number): void {
    this.#uncopiedBytes += recordBytes + commitOverheadBytes;
  }

  /** Starts to copy if there is enough. */
  consider(): void {
    if (this.#uncopiedBytes <= checkpointBytes || this.#running || this.#stopped) return;
    if (this.#options.alarms.current?.kind !== "READONLY") void this.#copy();
  }

  stop(): void {
    this.#stopped = true;
  }

  async #copy(): Promise<void> {
    const { writer, reader, alarms, done } = this.#options;
    this.#running = true;
    const copied = this.#uncopiedBytes;
    try {
      const { log } = await reader().request<{ readonly log: number }>({ kind: "checkpoint", mode: "PASSIVE" });
      // Under load there is always a rest, and the log would grow on behind it.
      if (log * walFrameBytes > walRestartBytes) await writer.request({ kind: "checkpoint", mode: "RESTART" });
      await alarms.checkSpace();
    } catch (error) {
      alarms.backgroundFailed(error);
    } finally {
      this.#uncopiedBytes -= copied;
      this.#running = false;
      done();
    }
  }
}
