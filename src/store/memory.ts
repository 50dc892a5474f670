// The store of tests, simulations and libraries: everything in memory, every answer at once, forks for free.
import { type Clock, type Random, seededRandom } from "#base";
import { checkCompaction, forgetLog } from "./engine/compaction.ts";
import { evaluate, evaluateRevocation } from "./engine/evaluate.ts";
import { type History, historyOf } from "./engine/history.ts";
import { LeaseClock } from "./engine/lease-clock.ts";
import { grant, leaseIdFrom } from "./engine/leases.ts";
import { nextSlice } from "./engine/log-slice.ts";
import { stateMeasures } from "./engine/measures.ts";
import { closed, compacted, emptyKey, futureRevision, leaseNotFound } from "./engine/messages.ts";
import { rangeOf } from "./engine/range.ts";
import { SnapshotCache } from "./engine/snapshots.ts";
import { firstLeaseId, State } from "./engine/state.ts";
import type { Tree } from "./engine/tree.ts";
import { type Watch, WatchHub } from "./engine/watch-hub.ts";
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
} from "./store.ts";

export interface MemoryStoreOptions {
  readonly clock: Clock;
  /** Chooses lease ids; default: the same sequence in every store. */
  readonly random?: Random;
}

/** "Durable" here means: in memory. Reads are synchronous at every kept revision; a watch delivers inside the call that wrote. */
export class MemoryStore implements Store {
  readonly #state: State;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #snapshots = new SnapshotCache();
  readonly #hub: WatchHub;
  readonly #leases: LeaseClock;
  #closed = false;

  constructor(options: MemoryStoreOptions, from?: { readonly state: State; readonly deadlines: Tree<bigint, number> }) {
    this.#state = from?.state ?? new State();
    this.#clock = options.clock;
    this.#random = options.random ?? seededRandom(1);
    this.#hub = new WatchHub(this.#state.revision);
    this.#leases = new LeaseClock(options.clock, (ids) => this.#expire(ids), from?.deadlines);
  }

  get revision(): Revision {
    return this.#state.revision;
  }

  /** A second store with the same contents, history and leases, in constant time. Watches stay with this one. */
  fork(options: Partial<MemoryStoreOptions> = {}): MemoryStore {
    this.#assertOpen();
    const copy = { clock: options.clock ?? this.#clock, random: options.random ?? this.#random };
    return new MemoryStore(copy, { state: this.#state.snapshot(), deadlines: this.#leases.snapshot() });
  }

  get(key: Key, revision?: Revision): KeyValue | undefined {
    return this.#treeAt(revision).get(key);
  }

  range(key: Key, options: RangeOptions = {}): RangeResult {
    if (key === "") throw emptyKey();
    return rangeOf(this.#treeAt(options.revision), this.#state.revision, key, options);
  }

  async transact(transaction: Transaction): Promise<TransactionResult> {
    this.#assertOpen();
    const { result, changes } = evaluate(this.#state, transaction, (revision) => this.#snapshots.at(this.#state, revision));
    if (changes.length > 0) this.#hub.publish([{ revision: result.revision, changes }]);
    return result;
  }

  async watch(request: WatchRequest, deliver: (batch: WatchBatch) => void): Promise<StoreWatch> {
    this.#assertOpen();
    if (request.key === "") throw emptyKey();
    const watch = this.#hub.open(request, deliver);
    if (request.startRevision !== undefined) this.#catchUp(watch, request.startRevision);
    watch.start(this.#state.revision + 1);
    return watch;
  }

  #catchUp(watch: Watch, startRevision: Revision): void {
    // The watcher may write while it is served, or compact: what it adds is part of the catch-up, what it takes away ends it.
    for (let from = startRevision; from <= this.#state.revision && !watch.ended; ) {
      if (from < this.#state.compactedRevision) {
        watch.end(new WatchCancelled(compacted().message, this.#state.compactedRevision));
        return;
      }
      const { entries, until } = nextSlice(this.#state, watch.request, from);
      watch.offer(entries, until);
      from = until + 1;
    }
  }

  async compact(revision: Revision): Promise<void> {
    this.#assertOpen();
    checkCompaction(this.#state, revision);
    this.#state.compactedRevision = revision;
    this.#snapshots.compact(revision);
    forgetLog(this.#state, revision);
  }

  async grantLease(ttlSeconds: number, id?: bigint): Promise<Lease> {
    this.#assertOpen();
    const granted = grant(this.#state, ttlSeconds, id, () => leaseIdFrom(this.#random.bytes(8)));
    this.#leases.renew(granted.id, granted.ttlSeconds);
    return { id: granted.id, grantedTtlSeconds: granted.ttlSeconds, remainingTtlSeconds: granted.ttlSeconds, keys: [] };
  }

  async keepLeaseAlive(id: bigint): Promise<Lease> {
    this.#assertOpen();
    const granted = this.#state.grants.get(id);
    if (granted === undefined) throw leaseNotFound();
    this.#leases.renew(id, granted.ttlSeconds);
    return {
      id,
      grantedTtlSeconds: granted.ttlSeconds,
      remainingTtlSeconds: granted.ttlSeconds,
      keys: this.#state.leaseKeys(id),
    };
  }

  async revokeLease(id: bigint): Promise<void> {
    this.#assertOpen();
    if (!this.#state.grants.has(id)) throw leaseNotFound();
    this.#leases.forget(id);
    this.#revoke(id);
  }

  async lease(id: bigint): Promise<Lease | undefined> {
    this.#assertOpen();
    const granted = this.#state.grants.get(id);
    if (granted === undefined) return undefined;
    const remainingTtlSeconds = this.#leases.remainingSeconds(id);
    return { id, grantedTtlSeconds: granted.ttlSeconds, remainingTtlSeconds, keys: this.#state.leaseKeys(id) };
  }

  async leases(): Promise<readonly bigint[]> {
    this.#assertOpen();
    const ids: bigint[] = [];
    this.#state.grants.scan(firstLeaseId, undefined, (granted) => {
      ids.push(granted.id);
    });
    return ids;
  }

  async status(): Promise<StoreStatus> {
    this.#assertOpen();
    const { revision, compactedRevision, live } = this.#state;
    return { revision, compactedRevision, keyCount: live.size, sizeBytes: 0, sizeInUseBytes: 0 };
  }

  /** Everything that compaction has left, as of now. */
  async history(): Promise<History> {
    this.#assertOpen();
    return historyOf(this.#state.snapshot());
  }

  async measures(): Promise<readonly StoreMeasure[]> {
    return stateMeasures(this.#state, this.#hub);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#leases.stop();
    this.#hub.close();
  }

  #expire(ids: readonly bigint[]): void {
    for (const id of ids) this.#revoke(id);
  }

  #revoke(id: bigint): void {
    const changes = evaluateRevocation(this.#state, id);
    if (changes.length > 0) this.#hub.publish([{ revision: this.#state.revision, changes }]);
  }

  #treeAt(revision: Revision | undefined) {
    this.#assertOpen();
    if (!revision) return this.#state.live;
    if (revision > this.#state.revision) throw futureRevision();
    if (revision < this.#state.compactedRevision) throw compacted();
    return this.#snapshots.at(this.#state, revision);
  }

  #assertOpen(): void {
    if (this.#closed) throw closed();
  }
}

/** A new, empty memory store. */
export const openMemoryStore = (options: MemoryStoreOptions): MemoryStore => new MemoryStore(options);
