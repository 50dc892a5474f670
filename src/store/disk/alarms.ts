// What keeps a store from writing: raised, logged and shown in its status. A full disk ends by itself; everything else at the next start.
import type { Clock, Log, Timer } from "#base";
import { closed, noSpace } from "../engine/messages.ts";
import { type Operation, StoreError, type StoreStatus, type Transaction } from "../store.ts";
import { giveBackFreePages } from "./free-pages.ts";
import type { Failure, Sizes } from "./protocol.ts";
import { failureFrom, type Thread } from "./thread.ts";

const spaceCheckMs = 10_000;

export type Alarm = NonNullable<StoreStatus["alarm"]>;

interface AlarmsOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly thread: Thread;
  /** 0: no limit. */
  readonly quotaBytes: number;
  /** Removes what compaction allows, if a full disk has kept it from that. */
  readonly makeRoom: () => Promise<void>;
}

export class Alarms {
  readonly #options: AlarmsOptions;
  #current: Alarm | undefined;
  #timer: Timer | undefined;
  #closed = false;
  /** There may be a reserve to give up. */
  #reserved = true;

  constructor(options: AlarmsOptions) {
    this.#options = options;
  }

  get current(): Alarm | undefined {
    return this.#current;
  }

  /** Nothing may be written, not even a deletion. */
  get readOnly(): boolean {
    return this.#current !== undefined && this.#current.kind !== "NOSPACE";
  }

  /** The store closes: every further call is refused. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  raise(kind: Alarm["kind"], message: string): void {
    this.#current = { kind, message };
    this.#options.log.error("store alarm", { kind, reason: message, directory: this.#options.directory });
    if (kind === "NOSPACE") this.#watchSpace();
  }

  /** Puts are refused from now on; what only deletes goes on, in the reserve. */
  diskFull({ message }: Failure): void {
    this.raise("NOSPACE", `the disk is full: ${message}`);
    this.#freeReserve();
  }

  /** A commit found no room. Says whether it is worth another try: there was a reserve, and it has been given up. */
  madeRoom(failure: Failure): boolean {
    if (this.#current === undefined) this.diskFull(failure);
    else if (this.#reserved) this.#freeReserve();
    else return false;
    return true;
  }

  #freeReserve(): void {
    this.#reserved = false;
    void this.#options.thread.request({ kind: "freeReserve" }).catch(() => {});
  }

  /** Nobody knows what is in the file now. */
  writeFailed({ code, message }: Failure): void {
    this.raise(code === "corrupt" ? "CORRUPT" : "READONLY", `a write failed: ${message}; restart to recover`);
  }

  /** Work that nobody waits for failed: the transactions under way find out for themselves. */
  backgroundFailed(error: unknown): void {
    if (this.#closed || this.#current !== undefined) return;
    const failure = failureFrom(error);
    if (failure.code === "noSpace") this.diskFull(failure);
    else this.writeFailed(failure);
  }

  /** To be called before anything is written: a store that fills a small disk before it has a reserve could not even delete. */
  opened(): Promise<void> {
    return this.#renewReserve(true).catch((error) => this.backgroundFailed(error));
  }

  /** Raises NOSPACE when the file has outgrown its quota; otherwise sees to it that there is a reserve. */
  async checkSpace(): Promise<void> {
    if (this.#current === undefined && (await this.#overQuota())) this.raise("NOSPACE", "the store is larger than its quota");
    if (this.#current === undefined) await this.#renewReserve();
  }

  /** Ends the NOSPACE alarm if there is room again; says whether there is. */
  async clearNoSpace(): Promise<boolean> {
    if (this.#current?.kind !== "NOSPACE") return true;
    const { thread, log, directory } = this.#options;
    try {
      // The log's room is needed to remove rows, and theirs for the reserve.
      await thread.request({ kind: "checkpoint", mode: "TRUNCATE" });
      await this.#options.makeRoom();
      await giveBackFreePages(thread);
      await thread.request({ kind: "renewReserve" });
      this.#reserved = true;
      if (await this.#overQuota()) return false;
    } catch (error) {
      const failure = failureFrom(error);
      if (failure.code !== "noSpace" && !this.#closed) this.writeFailed(failure);
      return false;
    }
    if (this.readOnly || !this.#reserved) return false; // meanwhile
    this.#current = undefined;
    log.info("store alarm cleared", { kind: "NOSPACE", directory });
    return true;
  }

  /** Tries now and then to take the reserve back; when that works there is room again. */
  #watchSpace(): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(spaceCheckMs, () => {
      if (!this.#closed) void this.clearNoSpace().then((cleared) => cleared || this.#watchSpace());
    });
  }

  async #overQuota(): Promise<boolean> {
    const { quotaBytes, thread } = this.#options;
    if (quotaBytes === 0) return false;
    const { bytesInUse } = await thread.request<Sizes>({ kind: "sizes" });
    return bytesInUse > quotaBytes;
  }

  async #renewReserve(opening = false): Promise<void> {
    try {
      await this.#options.thread.request({ kind: "renewReserve", opening });
      this.#reserved = true;
    } catch (error) {
      if (failureFrom(error).code !== "noSpace") throw error;
      this.raise("NOSPACE", "the disk is nearly full: there is no room to set aside for deletions");
    }
  }

  // ---- refusals ----

  assertOpen(): void {
    if (this.#closed) throw closed();
  }

  assertNotReadOnly(): void {
    this.assertOpen();
    if (this.readOnly) throw this.readOnlyError();
  }

  /** For what takes up room. */
  assertRoom(): void {
    this.assertNotReadOnly();
    if (this.#current !== undefined) throw noSpace();
  }

  assertAllowed(transaction: Transaction): void {
    this.assertOpen();
    if (this.#current === undefined) return;
    if (this.readOnly) {
      if (anyOperation(transaction, ({ kind }) => kind === "put" || kind === "delete")) throw this.readOnlyError();
    } else if (anyOperation(transaction, ({ kind }) => kind === "put")) throw noSpace();
  }

  readOnlyError(): StoreError {
    const reason = this.#current?.message ?? "a write failed";
    return new StoreError("readOnly", `Cannot write to the store: it is read-only since ${reason}`);
  }
}

const anyOperation = (transaction: Transaction, test: (operation: Operation) => boolean): boolean =>
  [...transaction.then, ...(transaction.else ?? [])].some((operation) =>
    operation.kind === "txn" ? anyOperation(operation, test) : test(operation),
  );
