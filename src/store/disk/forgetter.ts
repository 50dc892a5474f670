// Compaction after it has been decided: trims the log and removes rows in small steps between other people's commits.
import type { LogEntry, State } from "../engine/state.ts";
import type { Revision } from "../store.ts";
import type { Times } from "./protocol.ts";
import type { Thread } from "./thread.ts";

/** Small, because each step is a commit that others wait behind. */
const entriesAStep = 128;
const vacuumPagesAStep = 16;
/** After each step the thread is left to others for so many times as long as the step took, */
const restsAStep = 2;
/** but no longer than this: who waits for room waits for us. */
const longestRestMs = 20;
/** Our guess of what a removed row has others write; a log that grows beyond it is noticed when it is copied. */
const bytesOfRow = 2048;
const bytesOfPage = 16384;

interface ForgetterOptions {
  readonly thread: Thread;
  /** The state that is written to. */
  readonly state: () => State;
  /** Called when the log in that state has become shorter. */
  readonly trimmed: () => void;
  readonly failed: (error: unknown) => void;
  /** Awaited after each step with what it has written, about: others come first. */
  readonly pace: (walBytes: number) => Promise<void>;
  /** Called after each step and when all is done. */
  readonly stepped: (rows: number, times: Times) => void;
  readonly done: () => void;
}

export class Forgetter {
  readonly #options: ForgetterOptions;
  #rows: number[] = [];
  #trimTo: Revision = 0;
  #running: Promise<void> | undefined;
  #stopped = false;
  /** Readers of all history; no row goes while there is one. */
  #pauses = 0;

  constructor(options: ForgetterOptions) {
    this.#options = options;
  }

  forgetRows(rows: readonly number[]): void {
    for (const row of rows) this.#rows.push(row);
    this.#start();
  }

  /** Forgets what a durable compaction to `revision` allows. */
  compact(revision: Revision): void {
    this.#trimTo = revision;
    this.#start();
  }

  /** Keeps every row that is there until the answer is disposed; compaction's decisions go on. Resolves when no removal is under way. */
  async pause(): Promise<Disposable> {
    let over = false;
    this.#pauses++;
    await this.#running;
    return {
      [Symbol.dispose]: () => {
        if (over) return;
        over = true;
        if (--this.#pauses === 0) this.#start();
      },
    };
  }

  /** Goes on with what failed for want of room; resolves when it is removed, has failed again, or a pause has come. */
  async retry(): Promise<void> {
    this.#start();
    await this.#running;
  }

  /** Resolves when what was decided before is removed, or a pause has come. */
  async finished(): Promise<void> {
    await this.#running;
  }

  /** Leaves the rest for the next start, which finds it. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  #start(): void {
    if (this.#idle) return;
    this.#running ??= this.#run().then(
      () => {
        this.#running = undefined;
        // Decided after the last look.
        if (this.#trimTo > 0) this.#start();
      },
      (error) => {
        this.#running = undefined;
        this.#options.failed(error);
      },
    );
  }

  get #idle(): boolean {
    return this.#stopped || this.#pauses > 0;
  }

  async #run(): Promise<void> {
    let removed = 0;
    for (let free = 1; !this.#idle; ) {
      const began = performance.now();
      // Looked at each time: a compaction may be decided while pages are given back.
      const more = this.#trim();
      if (this.#rows.length > 0) {
        const rows = Float64Array.from(this.#rows.slice(0, entriesAStep));
        const times = await this.#options.thread.request<Times>({ kind: "forget", rows });
        // Only now: when it fails for want of room they are tried again.
        this.#rows.splice(0, rows.length);
        removed += rows.length;
        free = 1;
        this.#options.stepped(rows.length, times);
        await this.#options.pace(rows.length * bytesOfRow);
      } else if (!more) {
        if (removed === 0 || free === 0) break;
        free = await this.#options.thread.request<number>({ kind: "vacuum", pages: vacuumPagesAStep });
        await this.#options.pace(vacuumPagesAStep * bytesOfPage);
      }
      await rest(performance.now() - began);
    }
    if (removed > 0) this.#options.done();
  }

  /** Cuts some entries off the log and condemns their rows; says whether there are more. */
  #trim(): boolean {
    const state = this.#options.state();
    const entries: LogEntry[] = [];
    let more = false;
    state.log.scan(0, this.#trimTo + 1, (entry) => {
      more = entries.length === entriesAStep;
      if (!more) entries.push(entry);
      return !more;
    });
    for (const entry of entries) {
      const last = entry.revision === this.#trimTo;
      for (const { version, previous } of entry.changes) {
        if (previous !== undefined) this.#rows.push(previous.row);
        if (version.version === 0 && !last) this.#rows.push(version.row);
      }
      if (last)
        state.log.set(entry.revision, {
          revision: entry.revision,
          changes: entry.changes.map(({ version }) => ({ version, previous: undefined })),
        });
      else state.log.delete(entry.revision);
    }
    if (!more) this.#trimTo = 0;
    if (entries.length > 0) this.#options.trimmed();
    return more;
  }
}

/** Lets everybody else go first. */
const rest = (workedMs: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.min(longestRestMs, restsAStep * workedMs)));
