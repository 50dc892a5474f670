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
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
  }

  /** The log is so long that no commit may start before the copy under way is done. */
  get commitsMustWait(): boolean {
    return this.#running !== undefined && this.#uncopiedBytes > walLimitBytes;
  }

  /** Counts work that nobody waits for, and lets it go on only when nothing is being copied: commits must not wait because of it. */
  async pace(walBytes: number): Promise<void> {
    this.#uncopiedBytes += walBytes + commitOverheadBytes;
    this.consider();
    while (this.#running !== undefined) await this.#running;
  }

  /** Counts a commit of so many bytes of records. */
  count(recordBytes: number): void {
    this.#uncopiedBytes += recordBytes + commitOverheadBytes;
  }

  /** Starts to copy if there is enough. */
  consider(): void {
    if (this.#uncopiedBytes <= checkpointBytes || this.#running !== undefined || this.#stopped) return;
    if (this.#options.alarms.current?.kind === "READONLY") return;
    const copied = this.#uncopiedBytes;
    this.#running = this.#copy().finally(() => {
      this.#uncopiedBytes -= copied;
      this.#running = undefined;
      this.#options.done();
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  async #copy(): Promise<void> {
    const { writer, reader, alarms } = this.#options;
    try {
      const { log } = await reader().request<{ readonly log: number }>({ kind: "checkpoint", mode: "PASSIVE" });
      // Under load there is always a rest, and the log would grow on behind it.
      if (log * walFrameBytes > walRestartBytes) await writer.request({ kind: "checkpoint", mode: "RESTART" });
      await alarms.checkSpace();
    } catch (error) {
      alarms.backgroundFailed(error);
    }
  }
}
