// The audit log: lines collected in memory and appended to a file now and then, so that no request waits for the disk.
import type { Clock, Files, Log, Timer } from "#base";
import type { AuditEvent, AuditSink } from "../../contract.ts";
import { auditLines } from "./event.ts";

export interface AuditLogOptions {
  readonly path: string;
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Log;
  /** The file is put aside when it is larger; 100 MiB unless told (upstream's --audit-log-maxsize). */
  readonly maxBytes?: number;
  /** Old files that are kept; 10 unless told (--audit-log-maxbackup). */
  readonly maxBackups?: number;
}

const flushAfterMs = 200;
const flushBytes = 256 * 1024;
// What a disk that hangs may cost in memory; beyond it events are counted and dropped, and the log says so.
const maxWaitingBytes = 16 * 1024 * 1024;

class AuditLog implements AuditSink {
  readonly #options: AuditLogOptions;
  readonly #line = auditLines();
  #lines: string[] = [];
  #bytes = 0;
  #dropped = 0;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  /** Of the file; undefined before the first write. */
  #size: number | undefined;

  constructor(options: AuditLogOptions) {
    this.#options = options;
  }

  record(event: AuditEvent): void {
    if (this.#bytes > maxWaitingBytes) {
      this.#dropped++;
      return;
    }
    const line = this.#line(event);
    this.#lines.push(line);
    this.#bytes += line.length;
    if (this.#bytes >= flushBytes) this.#flush();
    else this.#timer ??= this.#options.clock.after(flushAfterMs, () => this.#flush());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    do {
      this.#flush();
      await this.#writing;
    } while (this.#lines.length > 0);
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#writing !== undefined || this.#lines.length === 0) return;
    const text = this.#lines.join("");
    this.#lines = [];
    this.#bytes = 0;
    this.#writing = this.#write(text).finally(() => {
      this.#writing = undefined;
      if (this.#lines.length > 0) this.#timer ??= this.#options.clock.after(flushAfterMs, () => this.#flush());
    });
  }

  async #write(text: string): Promise<void> {
    const { files, path, log, maxBytes = 100 * 1024 * 1024 } = this.#options;
    try {
      this.#size ??= (await files.stat(path))?.size ?? (await this.#create());
      if (this.#size > maxBytes) await this.#rotate();
      await files.append(path, text);
      this.#size += Buffer.byteLength(text);
      if (this.#dropped > 0) log.error("dropped audit events: the disk did not keep up", { dropped: this.#dropped });
      this.#dropped = 0;
    } catch (error) {
      log.error("cannot write audit log", { path, error: (error as Error).message });
    }
  }

  async #create(): Promise<number> {
    await this.#options.files.write(this.#options.path, "", 0o600);
    return 0;
  }

  async #rotate(): Promise<void> {
    const { files, path, clock, maxBackups = 10 } = this.#options;
    const stem = path.replace(/\.log$/, "");
    const directory = path.slice(0, path.lastIndexOf("/"));
    const prefix = `${stem.slice(directory.length + 1)}-`;
    await files.rename(path, `${stem}-${new Date(clock.now()).toISOString().replaceAll(":", "-")}.log`);
    this.#size = await this.#create();
    const old = (await files.list(directory)).filter((name) => name.startsWith(prefix) && name.endsWith(".log")).sort();
    for (const name of old.slice(0, Math.max(0, old.length - maxBackups))) await files.remove(`${directory}/${name}`);
  }
}

/** Flushed 200 ms after an event at the latest, and when it is disposed of. */
export const createAuditLog = (options: AuditLogOptions): AuditSink => new AuditLog(options);
