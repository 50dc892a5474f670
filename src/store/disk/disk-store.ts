// The default store: everything latest in memory, made durable by SQLite in a thread of its own before anybody hears of it.
import type { Clock, Log, Random, Timer } from "#base";
import { compactPeriodically } from "../compactor.ts";
import { checkCompaction } from "../engine/compaction.ts";
import { evaluate, evaluateRevocation } from "../engine/evaluate.ts";
import { type History, historyOf } from "../engine/history.ts";
import { LeaseClock } from "../engine/lease-clock.ts";
import { grant, leaseIdFrom } from "../engine/leases.ts";
import { emptyKey, leaseNotFound, noSpace } from "../engine/messages.ts";
import { rangeOf } from "../engine/range.ts";
import { firstLeaseId, type State } from "../engine/state.ts";
import { WatchHub } from "../engine/watch-hub.ts";
import {
  type Key,
  type KeyValue,
  type Lease,
  type RangeOptions,
  type RangeResult,
  type Revision,
  type Store,
  type StoreMeasure,
  type StoreStatus,
  type StoreWatch,
  type Transaction,
  type TransactionResult,
  type WatchBatch,
  WatchCancelled,
  type WatchRequest,
} from "../store.ts";
import { Alarms } from "./alarms.ts";
import { catchUp } from "./catch-up.ts";
import { Checkpointer } from "./checkpointer.ts";
import { Commits } from "./commits.ts";
import { Forgetter } from "./forgetter.ts";
import { giveBackFreePages } from "./free-pages.ts";
import { HotLog, isCold } from "./history.ts";
import { Measures } from "./measures.ts";
import { firstPass, OlderReads } from "./older-reads.ts";
import type { Sizes } from "./protocol.ts";
import { Thread } from "./thread.ts";

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

const defaultCompactEveryMs = 300_000;
const defaultQuotaBytes = 8 * 1024 ** 3;

export class DiskStore implements Store {
  readonly #options: DiskStoreOptions;
  readonly #thread: Thread;
  #reader: Thread | undefined;
  readonly #alarms: Alarms;
  readonly #checkpointer: Checkpointer;
  readonly #commits: Commits;
  readonly #older: OlderReads;
  readonly #hub: WatchHub;
  readonly #hot = new HotLog();
  readonly #leases: LeaseClock;
  readonly #forgetter: Forgetter;
  readonly #measures = new Measures();
  #compactionFromMs: number;
  readonly #compactor: Timer | undefined;
  #closing = false;

  /** Takes over an open commit thread and what it has loaded; `openDiskStore` calls it. */
  constructor(options: DiskStoreOptions, thread: Thread, state: State, garbage: readonly number[]) {
    this.#options = options;
    this.#thread = thread;
    this.#compactionFromMs = options.clock.now();
    const { directory, clock, log, quotaBytes = defaultQuotaBytes, compactEveryMs = defaultCompactEveryMs } = options;
    const reader = (): Thread => this.#readerThread();
    const makeRoom = (): Promise<void> => this.#forgetter.retry();
    this.#alarms = new Alarms({ directory, clock, log, thread, quotaBytes, makeRoom });
    this.#checkpointer = new Checkpointer({ writer: thread, reader, alarms: this.#alarms, done: () => this.#commits.flush() });
    this.#hub = new WatchHub(state.revision);
    this.#commits = new Commits({
      thread,
      state,
      alarms: this.#alarms,
      checkpointer: this.#checkpointer,
      publish: (entries, times) => {
        if (times !== undefined) this.#measures.committed(entries, times);
        this.#hub.publish(entries);
        this.#hot.add(entries);
      },
    });
    void this.#alarms.opened();
    this.#older = new OlderReads({
      head: () => this.#commits.head,
      durable: () => this.#commits.durable,
      reader,
      alarms: this.#alarms,
    });
    this.#leases = new LeaseClock(clock, (ids) => this.#expire(ids));
    state.grants.scan(firstLeaseId, undefined, ({ id, ttlSeconds }) => this.#leases.renew(id, ttlSeconds));
    this.#forgetter = new Forgetter({
      thread,
      state: () => this.#commits.head,
      trimmed: () => this.#commits.refreshDurable(),
      failed: (error) => this.#alarms.backgroundFailed(error),
      pace: (walBytes) => this.#checkpointer.pace(walBytes),
      stepped: (rows, times) => {
        this.#measures.compactionStep(rows, times);
      },
      done: () => this.#measures.compactionDone(this.#compactionFromMs, clock.now()),
    });
    if (garbage.length > 0) this.#forgetter.forgetRows(garbage);
    if (compactEveryMs > 0) this.#compactor = compactPeriodically(this, clock, compactEveryMs, log);
  }

  get revision(): Revision {
    return this.#commits.durable.revision;
  }

  get(key: Key, revision?: Revision): KeyValue | undefined | Promise<KeyValue | undefined> {
    this.#alarms.assertOpen();
    this.#measures.range();
    const found = this.#older.treeAt(revision).get(key);
    if (found === undefined || !isCold(found)) return found;
    return this.#older.warmAll([found]).then(([kv]) => kv);
  }

  range(key: Key, options: RangeOptions = {}): RangeResult | Promise<RangeResult> {
    if (key === "") throw emptyKey();
    this.#alarms.assertOpen();
    this.#measures.range();
    const tree = this.#older.treeAt(options.revision);
    const result = rangeOf(tree, this.revision, key, firstPass(options));
    if (!options.revision) return result; // all of it is in memory
    return this.#older.complete(result, key, options);
  }

  transact(transaction: Transaction): Promise<TransactionResult> {
    this.#measures.transaction();
    return new Promise((resolve, reject) => this.#run(transaction, resolve, reject));
  }

  #run(
    transaction: Transaction,
    resolve: (result: TransactionResult | Promise<TransactionResult>) => void,
    reject: (error: Error) => void,
  ): void {
    try {
      this.#alarms.assertAllowed(transaction);
      const snapshots = (revision: Revision) => this.#older.snapshotOf(revision);
      const { result, changes } = evaluate(this.#commits.head, transaction, snapshots, firstPass);
      const finish = this.#older.completeAll(result, transaction);
      // If the transaction itself fails nobody asks for the rest.
      if (finish instanceof Promise) finish.catch(() => {});
      if (changes.length === 0 && !this.#commits.busy) {
        resolve(finish);
        return;
      }
      this.#commits.add(changes.length === 0 ? undefined : { revision: result.revision, changes }, {
        done: () => resolve(finish),
        fail: reject,
        again: () => this.#run(transaction, resolve, reject),
      });
    } catch (error) {
      reject(error as Error);
    }
  }

  async watch(request: WatchRequest, deliver: (batch: WatchBatch) => void): Promise<StoreWatch> {
    this.#alarms.assertOpen();
    if (request.key === "") throw emptyKey();
    const watch = this.#hub.open(request, deliver);
    if (request.startRevision === undefined) watch.start(this.revision + 1);
    else {
      const caughtUp = catchUp(
        watch,
        request.startRevision,
        () => this.#commits.durable,
        () => this.#readerThread(),
      );
      void caughtUp.catch((error) => watch.end(new WatchCancelled(String(error))));
    }
    return watch;
  }

  async compact(revision: Revision): Promise<void> {
    this.#alarms.assertNotReadOnly();
    checkCompaction(this.#commits.head, revision);
    await this.#durableTo(revision);
    const { head } = this.#commits;
    checkCompaction(head, revision);
    head.compactedRevision = revision;
    await this.#commits.enqueue(
      (batch) => {
        batch.compactedRevision = revision;
      },
      () => this.compact(revision),
    );
    this.#older.compact(revision);
    this.#compactionFromMs = this.#options.clock.now();
    this.#forgetter.compact(revision);
  }

  /** Everything up to `revision` is durable when this resolves. */
  #durableTo(revision: Revision): Promise<void> {
    if (revision <= this.revision) return Promise.resolve();
    return this.#commits.enqueue(
      () => {},
      async () => {},
    );
  }

  async grantLease(ttlSeconds: number, id?: bigint): Promise<Lease> {
    this.#alarms.assertRoom();
    const granted = grant(this.#commits.head, ttlSeconds, id, () => leaseIdFrom(this.#options.random.bytes(8)));
    await this.#commits.enqueue(
      (batch) => {
        batch.leases.push(granted);
      },
      () => Promise.reject(noSpace()),
    );
    this.#leases.renew(granted.id, granted.ttlSeconds);
    return { id: granted.id, grantedTtlSeconds: granted.ttlSeconds, remainingTtlSeconds: granted.ttlSeconds, keys: [] };
  }

  async keepLeaseAlive(id: bigint): Promise<Lease> {
    this.#alarms.assertOpen();
    const { head, durable } = this.#commits;
    const granted = durable.grants.get(id);
    if (granted === undefined || !head.grants.has(id)) throw leaseNotFound();
    const { ttlSeconds } = granted;
    this.#leases.renew(id, ttlSeconds);
    return { id, grantedTtlSeconds: ttlSeconds, remainingTtlSeconds: ttlSeconds, keys: durable.leaseKeys(id) };
  }

  async revokeLease(id: bigint): Promise<void> {
    this.#alarms.assertNotReadOnly();
    if (!this.#commits.head.grants.has(id)) throw leaseNotFound();
    await this.#revoke(id);
  }

  async lease(id: bigint): Promise<Lease | undefined> {
    this.#alarms.assertOpen();
    const { durable } = this.#commits;
    const granted = durable.grants.get(id);
    if (granted === undefined) return undefined;
    const remainingTtlSeconds = this.#leases.remainingSeconds(id);
    return { id, grantedTtlSeconds: granted.ttlSeconds, remainingTtlSeconds, keys: durable.leaseKeys(id) };
  }

  async leases(): Promise<readonly bigint[]> {
    this.#alarms.assertOpen();
    const ids: bigint[] = [];
    this.#commits.durable.grants.scan(firstLeaseId, undefined, (granted) => {
      ids.push(granted.id);
    });
    return ids;
  }

  async status(): Promise<StoreStatus> {
    this.#alarms.assertOpen();
    const { bytes, bytesInUse } = await this.#thread.request<Sizes>({ kind: "sizes" });
    const { revision, compactedRevision, live } = this.#commits.durable;
    const status = { revision, compactedRevision, keyCount: live.size, sizeBytes: bytes, sizeInUseBytes: bytesInUse };
    const alarm = this.#alarms.current;
    return alarm === undefined ? status : { ...status, alarm };
  }

  async measures(): Promise<readonly StoreMeasure[]> {
    this.#alarms.assertOpen();
    return this.#measures.all({
      state: this.#commits.durable,
      sizes: await this.#thread.request<Sizes>({ kind: "sizes" }),
      quotaBytes: this.#options.quotaBytes ?? defaultQuotaBytes,
      watches: this.#hub,
    });
  }

  /** Ends the NOSPACE alarm if there is room again; says whether there is. */
  clearNoSpace(): Promise<boolean> {
    return this.#alarms.clearNoSpace();
  }

  /** Gives the room of all that is forgotten back to the file system. */
  async defragment(): Promise<void> {
    this.#alarms.assertNotReadOnly();
    await this.#forgetter.finished();
    await giveBackFreePages(this.#thread);
  }

  /** Everything that compaction has left, as of now; until it is disposed no older version is removed from the file. */
  async history(): Promise<History> {
    this.#alarms.assertOpen();
    const pause = await this.#forgetter.pause();
    try {
      const state = this.#commits.durable.snapshot();
      return historyOf(
        state,
        (versions) => this.#older.warmSlices(versions),
        () => pause[Symbol.dispose](),
      );
    } catch (error) {
      pause[Symbol.dispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#leases.stop();
    this.#compactor?.cancel();
    this.#alarms.close();
    this.#checkpointer.stop();
    await this.#commits.whenIdle();
    await this.#forgetter.stop();
    this.#hub.close();
    await this.#reader?.close();
    await this.#thread.close();
  }

  #readerThread(): Thread {
    this.#reader ??= new Thread(new URL("./reader-worker.ts", import.meta.url), this.#options.directory);
    return this.#reader;
  }

  #expire(ids: readonly bigint[]): void {
    for (const id of ids) {
      if (!this.#commits.head.grants.has(id)) continue;
      this.#revoke(id).catch((error) => {
        this.#options.log.warn("cannot end a lease that has run out", { lease: id.toString(16), error: String(error) });
        // It is still there: try again later.
        if (!this.#closing) this.#leases.renew(id, 5);
      });
    }
  }

  async #revoke(id: bigint): Promise<void> {
    if (this.#alarms.readOnly) throw this.#alarms.readOnlyError();
    const { head } = this.#commits;
    const changes = evaluateRevocation(head, id);
    const { revision } = head;
    await this.#commits.enqueue(
      (batch) => {
        if (changes.length > 0) batch.add({ revision, changes });
        batch.leases.push({ id, ttlSeconds: undefined });
      },
      () => this.#revoke(id),
    );
    this.#leases.forget(id);
  }
}
