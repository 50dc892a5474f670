// The default store: everything latest in memory, made durable by SQLite in a thread of its own before anybody hears of it.
import type { Clock, Log, Random, Timer } from "#base";
import { compactPeriodically } from "../compactor.ts";
import { checkCompaction } from "../engine/compaction.ts";
import { evaluate, evaluateRevocation } from "../engine/evaluate.ts";
import { LeaseClock } from "../engine/lease-clock.ts";
import { grant, leaseIdFrom } from "../engine/leases.ts";
import { closed, compacted, emptyKey, futureRevision, leaseNotFound, noSpace } from "../engine/messages.ts";
import { rangeOf } from "../engine/range.ts";
import { SnapshotCache } from "../engine/snapshots.ts";
import type { LogEntry, State, Version } from "../engine/state.ts";
import { Tree } from "../engine/tree.ts";
import { matching, type Watch, WatchHub } from "../engine/watch-hub.ts";
import {
  type Key,
  type KeyValue,
  type Lease,
  type Operation,
  type OperationResult,
  type RangeOptions,
  type RangeResult,
  type Revision,
  type Store,
  StoreError,
  type StoreStatus,
  type StoreWatch,
  type Transaction,
  type TransactionResult,
  type WatchBatch,
  WatchCancelled,
  type WatchRequest,
} from "../store.ts";
import { Batch, type Waiter } from "./batch.ts";
import { Forgetter } from "./forgetter.ts";
import { coldOf, HotLog, isCold, warm } from "./history.ts";
import type { Failure, Sizes } from "./protocol.ts";
import { Restoration } from "./restore.ts";
import { openCommitThread, Thread, ThreadFailure } from "./thread.ts";

export interface DiskStoreOptions {
  /** Made if it is not there; only one process may have it open. */
  readonly directory: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Every so often history older than that is forgotten; 0: never. Default: five minutes, as upstream. */
  readonly compactEveryMs?: number;
  /** Above this size of the file puts are refused with NOSPACE; 0: no limit. Default: 8 GiB. */
  readonly quotaBytes?: number;
}

/** Throws StoreError "corrupt", "unavailable" (in use, no permission) with the next step in the message. */
export async function openDiskStore(options: DiskStoreOptions): Promise<DiskStore> {
  const restoration = new Restoration();
  try {
    const { thread, loaded } = await openCommitThread(options.directory, (buffer, length) => restoration.add(buffer, length));
    const { state, garbage } = restoration.finish(loaded);
    return new DiskStore(options, thread, state, garbage);
  } catch (error) {
    throw openingError(options.directory, error);
  }
}

function openingError(directory: string, error: unknown): unknown {
  if (!(error instanceof ThreadFailure)) return error;
  const { code, message } = error.failure;
  if (code === "corrupt") {
    return new StoreError(
      "corrupt",
      `Cannot open the store "${directory}": ${message}; restore a snapshot, or move the directory away to start empty`,
      {
        cause: error,
      },
    );
  }
  if (code === "locked") return new StoreError("unavailable", message, { cause: error });
  return new StoreError("unavailable", `Cannot open the store "${directory}": ${message}`, { cause: error });
}

const defaultCompactEveryMs = 300_000;
const defaultQuotaBytes = 8 * 1024 ** 3;
/** Estimated size of the write-ahead log at which the second thread copies it into the file. */
const checkpointBytes = 8 * 1024 * 1024;
/** A log that has grown so large under load is begun anew between two commits. */
const walRestartBytes = 16 * 1024 * 1024;
/** Writers wait for the copying when the log gets this large: the reserve (directory.ts) must be able to take it. */
const walLimitBytes = 24 * 1024 * 1024;
/** What a commit adds to the log beside its records: pages that were not full. */
const commitOverheadBytes = 24 * 1024;
const walFrameBytes = 16384 + 24;
const spaceCheckMs = 10_000;

type Alarm = NonNullable<StoreStatus["alarm"]>;

export class DiskStore implements Store {
  readonly #options: DiskStoreOptions;
  readonly #thread: Thread;
  #reader: Thread | undefined;
  /** What will be true when everything on its way is durable; transactions run against it. */
  #head: State;
  /** What is durable: reads and watches see this. */
  #durable: State;
  /** Waiting for their turn, oldest first; the last one is open. */
  #queue: Batch[] = [];
  #inFlight: Batch | undefined;
  #flushScheduled = false;
  readonly #snapshots = new SnapshotCache();
  readonly #hub: WatchHub;
  readonly #hot = new HotLog();
  readonly #leases: LeaseClock;
  readonly #forgetter: Forgetter;
  readonly #timers: Timer[] = [];
  #alarm: Alarm | undefined;
  #uncheckpointedBytes = 0;
  #checkpointing = false;
  #closing = false;
  #idle: (() => void)[] = [];

  constructor(options: DiskStoreOptions, thread: Thread, state: State, garbage: readonly number[]) {
    this.#options = options;
    this.#thread = thread;
    this.#head = state;
    this.#durable = state.snapshot();
    this.#hub = new WatchHub(state.revision);
    this.#leases = new LeaseClock(options.clock, (ids) => this.#expire(ids));
    state.grants.scan(0n, undefined, ({ id, ttlSeconds }) => this.#leases.renew(id, ttlSeconds));
    this.#forgetter = new Forgetter({
      thread,
      state: () => this.#head,
      trimmed: () => this.#refreshDurable(),
      failed: (error) => this.#backgroundFailed(error),
    });
    if (garbage.length > 0) this.#forgetter.forgetRows(garbage);
    const every = options.compactEveryMs ?? defaultCompactEveryMs;
    if (every > 0) this.#timers.push(compactPeriodically(this, options.clock, every, options.log));
  }

  get revision(): Revision {
    return this.#durable.revision;
  }

  get(key: Key, revision?: Revision): KeyValue | undefined | Promise<KeyValue | undefined> {
    const found = this.#treeAt(revision).get(key);
    if (found === undefined || !isCold(found)) return found;
    return this.#warmAll([found]).then(([kv]) => kv);
  }

  range(key: Key, options: RangeOptions = {}): RangeResult | Promise<RangeResult> {
    if (key === "") throw emptyKey();
    const tree = this.#treeAt(options.revision);
    const result = rangeOf(tree, this.#durable.revision, key, firstPass(options));
    return this.#complete(result, key, options);
  }

  transact(transaction: Transaction): Promise<TransactionResult> {
    return new Promise((resolve, reject) => this.#run(transaction, resolve, reject));
  }

  #run(
    transaction: Transaction,
    resolve: (result: TransactionResult | Promise<TransactionResult>) => void,
    reject: (error: Error) => void,
  ): void {
    try {
      this.#assertWritable(transaction);
      const { result, changes } = evaluate(this.#head, transaction, (revision) => this.#snapshotOf(revision), firstPass);
      const finish = readsOlder(transaction) ? this.#completeAll(result, transaction) : result;
      // If the transaction itself fails nobody asks for the rest.
      if (finish instanceof Promise) finish.catch(() => {});
      if (changes.length === 0 && !this.#busy) {
        resolve(finish);
        return;
      }
      const batch = this.#openBatch();
      if (changes.length > 0) batch.add({ revision: result.revision, changes });
      batch.waiters.push({
        done: () => resolve(finish),
        fail: reject,
        again: () => this.#run(transaction, resolve, reject),
      });
      this.#scheduleFlush();
    } catch (error) {
      reject(error as Error);
    }
  }

  async watch(request: WatchRequest, deliver: (batch: WatchBatch) => void): Promise<StoreWatch> {
    this.#assertOpen();
    if (request.key === "") throw emptyKey();
    const watch = this.#hub.open(request, deliver);
    if (request.startRevision === undefined) watch.start(this.#durable.revision + 1);
    else void this.#catchUp(watch, request.startRevision).catch((error) => watch.end(new WatchCancelled(String(error))));
    return watch;
  }

  /** Synchronous as long as everything wanted is in memory. */
  async #catchUp(watch: Watch, startRevision: Revision): Promise<void> {
    const { request } = watch;
    for (let from = startRevision; !watch.ended; ) {
      if (from < this.#durable.compactedRevision) {
        watch.end(new WatchCancelled(compacted().message, this.#durable.compactedRevision));
        return;
      }
      const { entries, until } = this.#slice(request, from);
      const cold = entries.flatMap((entry) => entry.changes.flatMap((c) => coldVersions(c, request.previous === true)));
      const warmed = cold.length === 0 ? entries : warmEntries(entries, await warm(() => this.#readerThread(), cold));
      // Compacted while we read: the next round says so.
      if (warmed === undefined) {
        from = this.#durable.compactedRevision > from ? from : until + 1;
        continue;
      }
      watch.offer(warmed, until);
      from = until + 1;
      if (from > this.#durable.revision) break;
    }
    watch.start(this.#durable.revision + 1);
  }

  /** The next entries that a watch wants, and the revision up to which these are all. */
  #slice(request: WatchRequest, from: Revision): { readonly entries: LogEntry[]; readonly until: Revision } {
    const entries: LogEntry[] = [];
    let until = this.#durable.revision;
    let scanned = 0;
    this.#durable.log.scan(from, this.#durable.revision + 1, (entry) => {
      const part = matching(entry.revision > this.#durable.compactedRevision ? entry : withoutPrevious(entry), request);
      if (part !== undefined) entries.push(part);
      if (++scanned < 5000 && entries.length < 500) return true;
      until = entry.revision;
      return false;
    });
    return { entries, until };
  }

  async compact(revision: Revision): Promise<void> {
    this.#assertOpen();
    this.#assertNotReadOnly();
    checkCompaction(this.#head, revision);
    await this.#idleBefore(revision);
    checkCompaction(this.#head, revision);
    this.#head.compactedRevision = revision;
    const again = (): Promise<void> => this.compact(revision);
    await this.#enqueue((batch) => {
      batch.compactedRevision = revision;
    }, again);
    this.#snapshots.compact(revision);
    this.#forgetter.compact(revision);
  }

  /** Everything up to `revision` is durable when this resolves. */
  #idleBefore(revision: Revision): Promise<void> {
    if (revision <= this.#durable.revision) return Promise.resolve();
    return this.#enqueue(
      () => {},
      async () => {},
    );
  }

  async grantLease(ttlSeconds: number, id?: bigint): Promise<Lease> {
    this.#assertOpen();
    this.#assertNotReadOnly();
    if (this.#alarm?.kind === "NOSPACE") throw noSpace();
    const granted = grant(this.#head, ttlSeconds, id, () => leaseIdFrom(this.#options.random.bytes(8)));
    await this.#enqueue(
      (batch) => {
        batch.leases.push(granted);
      },
      () => Promise.reject(noSpace()),
    );
    this.#leases.renew(granted.id, granted.ttlSeconds);
    return { id: granted.id, grantedTtlSeconds: granted.ttlSeconds, remainingTtlSeconds: granted.ttlSeconds, keys: [] };
  }

  async keepLeaseAlive(id: bigint): Promise<Lease> {
    this.#assertOpen();
    const granted = this.#durable.grants.get(id);
    if (granted === undefined || !this.#head.grants.has(id)) throw leaseNotFound();
    this.#leases.renew(id, granted.ttlSeconds);
    return {
      id,
      grantedTtlSeconds: granted.ttlSeconds,
      remainingTtlSeconds: granted.ttlSeconds,
      keys: this.#durable.leaseKeys(id),
    };
  }

  async revokeLease(id: bigint): Promise<void> {
    this.#assertOpen();
    this.#assertNotReadOnly();
    if (!this.#head.grants.has(id)) throw leaseNotFound();
    await this.#revoke(id);
  }

  async lease(id: bigint): Promise<Lease | undefined> {
    this.#assertOpen();
    const granted = this.#durable.grants.get(id);
    if (granted === undefined) return undefined;
    const remainingTtlSeconds = this.#leases.remainingSeconds(id);
    return { id, grantedTtlSeconds: granted.ttlSeconds, remainingTtlSeconds, keys: this.#durable.leaseKeys(id) };
  }

  async leases(): Promise<readonly bigint[]> {
    this.#assertOpen();
    const ids: bigint[] = [];
    this.#durable.grants.scan(0n, undefined, (granted) => {
      ids.push(granted.id);
    });
    return ids;
  }

  async status(): Promise<StoreStatus> {
    this.#assertOpen();
    const { bytes, bytesInUse } = await this.#thread.request<Sizes>({ kind: "sizes" });
    const { revision, compactedRevision, live } = this.#durable;
    const status = { revision, compactedRevision, keyCount: live.size, sizeBytes: bytes, sizeInUseBytes: bytesInUse };
    return this.#alarm === undefined ? status : { ...status, alarm: this.#alarm };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#leases.stop();
    for (const timer of this.#timers) timer.cancel();
    await this.#whenIdle();
    await this.#forgetter.stop();
    this.#hub.close();
    await this.#reader?.close();
    await this.#thread.close();
  }

  // ---- writing ----

  get #busy(): boolean {
    return this.#inFlight !== undefined || this.#queue.length > 0;
  }

  #openBatch(): Batch {
    let batch = this.#queue.at(-1);
    if (batch === undefined || batch.full) {
      if (batch !== undefined) batch.state = this.#head.snapshot();
      batch = new Batch();
      this.#queue.push(batch);
    }
    return batch;
  }

  /** Adds to the open batch; resolves when it is durable. */
  #enqueue(add: (batch: Batch) => void, again: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const batch = this.#openBatch();
      add(batch);
      batch.waiters.push({ done: resolve, fail: reject, again: () => again().then(resolve, reject) });
      this.#scheduleFlush();
    });
  }

  /** At the end of the turn, so that everybody in it shares one fsync; those who come while it runs share the next. */
  #scheduleFlush(): void {
    if (this.#inFlight !== undefined || this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#inFlight !== undefined) return;
    if (this.#checkpointing && this.#uncheckpointedBytes > walLimitBytes) return; // #checkpoint flushes when it is done
    const batch = this.#queue.shift();
    if (batch === undefined) {
      for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    if (this.#alarm !== undefined && this.#alarm.kind !== "NOSPACE" && !batch.empty) {
      this.#queue.unshift(batch);
      this.#abandon(this.#readOnlyError());
      return;
    }
    batch.state ??= this.#head.snapshot();
    this.#inFlight = batch;
    if (batch.empty) {
      this.#committed(batch);
      return;
    }
    const packed = batch.pack();
    this.#uncheckpointedBytes += packed.length + commitOverheadBytes;
    const request = {
      kind: "commit",
      buffer: packed.buffer,
      length: packed.length,
      leases: batch.leases,
      compactedRevision: batch.compactedRevision,
      revision: batch.state.revision,
    } as const;
    this.#thread.request(request, [packed.buffer]).then(
      () => this.#committed(batch),
      (error) => this.#fail(error),
    );
  }

  #committed(batch: Batch): void {
    this.#durable = batch.state as State; // set by #flush
    this.#inFlight = undefined;
    // The next batch is on its way while watchers and writers hear of this one.
    this.#flush();
    this.#hub.publish(batch.entries);
    this.#hot.add(batch.entries);
    for (const waiter of batch.waiters) waiter.done();
    if (this.#uncheckpointedBytes > checkpointBytes) void this.#checkpoint();
  }

  /** Gives up everything that waits. */
  #abandon(reason: Error): void {
    const waiters = this.#queue.flatMap((batch) => batch.waiters);
    this.#queue = [];
    this.#head = this.#durable.snapshot();
    for (const waiter of waiters) waiter.fail(reason);
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** A batch did not get to disk: nothing that came after it stands. */
  #fail(error: unknown): void {
    const failure: Failure =
      error instanceof ThreadFailure ? error.failure : { code: "io", message: String(error), definite: false };
    const failed = this.#inFlight;
    const waiters = [failed, ...this.#queue].flatMap((batch): readonly Waiter[] => batch?.waiters ?? []);
    const unsent = this.#queue.flatMap((batch) => batch.waiters);
    this.#inFlight = undefined;
    this.#queue = [];
    this.#head = this.#durable.snapshot();
    if (failure.code === "noSpace" && failure.definite && this.#alarm === undefined) {
      // Puts are refused from now on; what only deletes runs again, in the reserve.
      this.#raise("NOSPACE", `the disk is full: ${failure.message}`);
      void this.#thread.request({ kind: "freeReserve" }).catch(() => {});
      for (const waiter of waiters) waiter.again();
    } else if (failure.code === "noSpace" && failure.definite) {
      for (const waiter of waiters) waiter.fail(noSpace());
    } else {
      this.#raise(failure.code === "corrupt" ? "CORRUPT" : "READONLY", `a write failed: ${failure.message}; restart to recover`);
      for (const waiter of failed?.waiters ?? [])
        waiter.fail(new StoreError("unknownOutcome", `Cannot write to the store: ${failure.message}`));
      for (const waiter of unsent) waiter.fail(this.#readOnlyError());
    }
    if (!this.#busy) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Work that nobody waits for failed: the transactions under way find out for themselves. */
  #backgroundFailed(error: unknown): void {
    if (this.#closing || this.#alarm !== undefined) return;
    const failure = failureFrom(error);
    if (failure.code === "noSpace") {
      this.#raise("NOSPACE", `the disk is full: ${failure.message}`);
      void this.#thread.request({ kind: "freeReserve" }).catch(() => {});
    } else {
      this.#raise(failure.code === "corrupt" ? "CORRUPT" : "READONLY", `a write failed: ${failure.message}; restart to recover`);
    }
  }

  #raise(kind: Alarm["kind"], message: string): void {
    this.#alarm = { kind, message };
    this.#options.log.error("store alarm", { kind, reason: message, directory: this.#options.directory });
    if (kind === "NOSPACE") this.#watchSpace();
  }

  /** Tries now and then to take the reserve back; when that works there is room again. */
  #watchSpace(): void {
    const timer = this.#options.clock.after(spaceCheckMs, () => {
      if (!this.#closing) void this.clearNoSpace().then((cleared) => cleared || this.#watchSpace());
    });
    this.#timers.push(timer);
  }

  /** Ends the NOSPACE alarm if there is room again; says whether there is. */
  async clearNoSpace(): Promise<boolean> {
    if (this.#alarm?.kind !== "NOSPACE") return true;
    try {
      // What compaction has freed goes back to the file system only when the log is written into the file.
      await this.#thread.request({ kind: "checkpoint", mode: "TRUNCATE" });
      await this.#thread.request({ kind: "renewReserve" });
      if (await this.#overQuota()) return false;
    } catch {
      return false;
    }
    this.#alarm = undefined;
    this.#options.log.info("store alarm cleared", { kind: "NOSPACE", directory: this.#options.directory });
    return true;
  }

  /** Gives free pages back to the file system. */
  async defragment(): Promise<void> {
    this.#assertOpen();
    this.#assertNotReadOnly();
    for (let free = 1; free > 0; ) {
      await this.#thread.request({ kind: "vacuum", pages: 1000 });
      const { bytes, bytesInUse } = await this.#thread.request<Sizes>({ kind: "sizes" });
      free = bytes - bytesInUse;
    }
    await this.#thread.request({ kind: "checkpoint", mode: "TRUNCATE" });
  }

  async #overQuota(): Promise<boolean> {
    const quota = this.#options.quotaBytes ?? defaultQuotaBytes;
    if (quota === 0) return false;
    const { bytesInUse } = await this.#thread.request<Sizes>({ kind: "sizes" });
    return bytesInUse > quota;
  }

  async #checkpoint(): Promise<void> {
    if (this.#checkpointing || this.#closing || this.#alarm?.kind === "READONLY") return;
    this.#checkpointing = true;
    const copied = this.#uncheckpointedBytes;
    try {
      const { log } = await this.#readerThread().request<{ readonly log: number }>({ kind: "checkpoint", mode: "PASSIVE" });
      // Under load there is always a rest, and the log would grow on behind it.
      if (log * walFrameBytes > walRestartBytes) await this.#thread.request({ kind: "checkpoint", mode: "RESTART" });
      if (this.#alarm === undefined && (await this.#overQuota())) this.#raise("NOSPACE", "the store is larger than its quota");
      if (this.#alarm === undefined) await this.#renewReserve();
    } catch (error) {
      this.#backgroundFailed(error);
    } finally {
      this.#uncheckpointedBytes -= copied;
      this.#checkpointing = false;
      this.#flush();
    }
  }

  async #renewReserve(): Promise<void> {
    try {
      await this.#thread.request({ kind: "renewReserve" });
    } catch (error) {
      if (failureFrom(error).code !== "noSpace") throw error;
      this.#options.log.warn("the disk is nearly full: the store has no reserve for deletions", {
        directory: this.#options.directory,
      });
    }
  }

  #expire(ids: readonly bigint[]): void {
    for (const id of ids) {
      if (!this.#head.grants.has(id)) continue;
      this.#revoke(id).catch((error) => {
        this.#options.log.warn("cannot end a lease that has run out", { lease: id.toString(16), error: String(error) });
        // It is still there: try again later.
        if (!this.#closing) this.#leases.renew(id, 5);
      });
    }
  }

  async #revoke(id: bigint): Promise<void> {
    if (this.#alarm !== undefined && this.#alarm.kind !== "NOSPACE") throw this.#readOnlyError();
    const changes = evaluateRevocation(this.#head, id);
    const { revision } = this.#head;
    await this.#enqueue(
      (batch) => {
        if (changes.length > 0) batch.add({ revision, changes });
        batch.leases.push({ id, ttlSeconds: undefined });
      },
      () => this.#revoke(id),
    );
    this.#leases.forget(id);
  }

  #refreshDurable(): void {
    if (!this.#busy) this.#durable = this.#head.snapshot();
  }

  #whenIdle(): Promise<void> {
    if (!this.#busy) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  // ---- reading older revisions ----

  #treeAt(revision: Revision | undefined): Tree<Key, Version> {
    this.#assertOpen();
    if (!revision) return this.#durable.live;
    if (revision > this.#durable.revision) throw futureRevision();
    if (revision < this.#durable.compactedRevision) throw compacted();
    return this.#snapshotOf(revision);
  }

  #snapshotOf(revision: Revision): Tree<Key, Version> {
    // A transaction may read a revision that is still on its way; snapshots of those are not kept, they might never be.
    if (revision > this.#durable.revision) return new SnapshotCache().at(this.#head, revision);
    return this.#snapshots.at(this.#durable, revision);
  }

  #readerThread(): Thread {
    this.#reader ??= new Thread("./reader-worker.ts", this.#options.directory);
    return this.#reader;
  }

  async #warmAll(versions: readonly Version[]): Promise<Version[]> {
    const cold = versions.filter(isCold);
    let warmed: Map<number, Version>;
    try {
      warmed = await warm(() => this.#readerThread(), cold);
    } catch (error) {
      if (error instanceof ThreadFailure && error.failure.code === "corrupt") {
        this.#raise("CORRUPT", error.message);
        throw new StoreError("corrupt", `Cannot read an older revision: ${error.message}`, { cause: error });
      }
      throw error;
    }
    return versions.map((version) => {
      const known = isCold(version) ? warmed.get(version.row) : version;
      if (known === undefined) throw compacted();
      return known;
    });
  }

  /** Fills in the values that are on disk. A sort by value happens only now. */
  #complete(result: RangeResult, key: Key, options: RangeOptions): RangeResult | Promise<RangeResult> {
    const again = firstPass(options) !== options;
    if (!again && coldOf(result).length === 0) return result;
    return this.#warmAll(result.kvs as Version[]).then((kvs) => {
      if (!again) return { ...result, kvs };
      const tree = new Tree<Key, Version>();
      for (const kv of kvs) tree.set(kv.key, kv);
      return { ...rangeOf(tree, result.revision, key, options), count: result.count };
    });
  }

  async #completeAll(result: TransactionResult, transaction: Transaction): Promise<TransactionResult> {
    const operations = result.succeeded ? transaction.then : (transaction.else ?? []);
    return { ...result, results: await this.#completeResults(result.results, operations) };
  }

  #completeResults(results: readonly OperationResult[], operations: readonly Operation[]): Promise<readonly OperationResult[]> {
    return Promise.all(
      results.map(async (result, index): Promise<OperationResult> => {
        const operation = operations[index];
        if (result.kind === "range" && operation?.kind === "range" && operation.revision) {
          return { kind: "range", ...(await this.#complete(result, operation.key, operation)) };
        }
        if (result.kind !== "txn" || operation?.kind !== "txn") return result;
        const branch = result.succeeded ? operation.then : (operation.else ?? []);
        return { ...result, results: await this.#completeResults(result.results, branch) };
      }),
    );
  }

  // ---- refusals ----

  #assertOpen(): void {
    if (this.#closing) throw closed();
  }

  #assertNotReadOnly(): void {
    if (this.#alarm !== undefined && this.#alarm.kind !== "NOSPACE") throw this.#readOnlyError();
  }

  #assertWritable(transaction: Transaction): void {
    this.#assertOpen();
    if (this.#alarm === undefined) return;
    if (this.#alarm.kind !== "NOSPACE") {
      if (writes(transaction)) throw this.#readOnlyError();
    } else if (puts(transaction)) throw noSpace();
  }

  #readOnlyError(): StoreError {
    return new StoreError(
      "readOnly",
      `Cannot write to the store: it is read-only since ${this.#alarm?.message ?? "a write failed"}`,
    );
  }
}

const failureFrom = (error: unknown): Failure =>
  error instanceof ThreadFailure ? error.failure : { code: "io", message: String(error), definite: false };

/** Reads that need values from disk before they can be sorted are made in two steps; the first takes everything. */
function firstPass(options: RangeOptions): RangeOptions {
  if (!options.revision || options.sort?.by !== "value" || options.end === undefined || options.countOnly) return options;
  return { end: options.end, revision: options.revision };
}

function coldVersions(
  { version, previous }: { readonly version: Version; readonly previous: Version | undefined },
  withPrevious: boolean,
): Version[] {
  const cold = isCold(version) && version.version > 0 ? [version] : [];
  if (withPrevious && previous !== undefined && isCold(previous)) cold.push(previous);
  return cold;
}

/** At the compacted revision itself, what was there before is gone. */
const withoutPrevious = (entry: LogEntry): LogEntry => ({
  revision: entry.revision,
  changes: entry.changes.map(({ version }) => ({ version, previous: undefined })),
});

/** Undefined when a row was gone. */
function warmEntries(entries: readonly LogEntry[], warmed: ReadonlyMap<number, Version>): LogEntry[] | undefined {
  let complete = true;
  const full = (version: Version): Version => {
    if (!isCold(version) || version.version === 0) return version;
    const found = warmed.get(version.row);
    if (found === undefined) complete = false;
    return found ?? version;
  };
  const filled = entries.map((entry) => ({
    revision: entry.revision,
    // What was there before may be compacted while the event itself is not.
    changes: entry.changes.map(({ version, previous }) => ({
      version: full(version),
      previous: previous === undefined || !isCold(previous) ? previous : warmed.get(previous.row),
    })),
  }));
  return complete ? filled : undefined;
}

const anyOperation = (transaction: Transaction, test: (operation: Operation) => boolean): boolean =>
  [...transaction.then, ...(transaction.else ?? [])].some((operation) =>
    operation.kind === "txn" ? anyOperation(operation, test) : test(operation),
  );

const writes = (transaction: Transaction): boolean =>
  anyOperation(transaction, (operation) => operation.kind === "put" || operation.kind === "delete");
const puts = (transaction: Transaction): boolean => anyOperation(transaction, (operation) => operation.kind === "put");
const readsOlder = (transaction: Transaction): boolean =>
  anyOperation(transaction, (operation) => operation.kind === "range" && Boolean(operation.revision));
