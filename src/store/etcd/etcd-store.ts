// A store that is a real etcd cluster, reached through gRPC.
import type { Clock, Log, Timer } from "#base";
import { closed, leaseNotFound } from "../engine/messages.ts";
import {
  type Key,
  type KeyValue,
  type Lease,
  type Operation,
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
  type WatchRequest,
} from "../store.ts";
import { Endpoints, type EtcdTls } from "./endpoints.ts";
import { type Kind, storeError } from "./errors.ts";
import { EtcdWatch } from "./etcd-watch.ts";
import { Shared } from "./shared.ts";
import { compactInTurns } from "./turns.ts";
import { fromWire, type Int, keyOf, toWire, type WireHeader, type WireRangeResponse, type WireTxnResponse } from "./wire.ts";

export interface EtcdStoreOptions {
  /** "https://10.0.0.1:2379"; "http://..." goes without TLS. */
  readonly servers: readonly string[];
  readonly tls?: EtcdTls;
  readonly clock: Clock;
  readonly log: Log;
  /** Of one call with its repetitions; default 10 s: more than the 7 s that etcd itself gives a request before it says so. */
  readonly timeoutMs?: number;
  /** How often history is compacted, by one of the API servers on this etcd; absent or 0: never by this one. */
  readonly compactionMs?: number;
}

const defaultTimeoutMs = 10_000;
/** Larger answers are read in parts, all at one revision. */
const pageSize = 5_000;

/** Throws StoreError "unavailable" when no member answers. */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<EtcdStore> {
  const { servers, tls, clock, timeoutMs = defaultTimeoutMs } = options;
  const endpoints = await Endpoints.open({ servers, tls, clock, timeoutMs });
  const store = new EtcdStore(options, endpoints);
  try {
    await store.currentRevision();
    await endpoints.refresh();
    return store;
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

/** Reads are linearizable and therefore always promises. */
export class EtcdStore implements Store {
  readonly #options: EtcdStoreOptions;
  readonly #endpoints: Endpoints;
  readonly #watches = new Set<EtcdWatch>();
  readonly #asking = new Shared(() => this.#ask());
  readonly #compacting: Timer | undefined;
  #revision: Revision = 0;
  #closed = false;

  constructor(options: EtcdStoreOptions, endpoints: Endpoints) {
    this.#options = options;
    this.#endpoints = endpoints;
    const { clock, compactionMs = 0, log } = options;
    if (compactionMs > 0) this.#compacting = compactInTurns(this, clock, compactionMs, log);
  }

  /** The newest that any answer has named. */
  get revision(): Revision {
    return this.#revision;
  }

  async get(key: Key, revision?: Revision): Promise<KeyValue | undefined> {
    const { kvs } = await this.range(key, revision === undefined ? {} : { revision });
    return kvs[0];
  }

  /** What the cluster's revision is now, whoever wrote. One question answers all who ask while it has not been sent. */
  currentRevision(): Promise<Revision> {
    return this.#asking.next();
  }

  /** The members that it asks, as URLs. */
  get members(): readonly string[] {
    return this.#endpoints.urls;
  }

  async range(key: Key, options: RangeOptions = {}): Promise<RangeResult> {
    const { end, limit, countOnly, sort } = options;
    const inKeyOrder = sort === undefined || (sort.by === "key" && sort.order === "ascend");
    if (end === undefined || limit || countOnly || !inKeyOrder || isFiltered(options)) return this.#range(key, options);
    for (;;) {
      const result = await this.#inPages(key, options);
      if (result !== undefined) return result;
    }
  }

  async #range(key: Key, options: RangeOptions): Promise<RangeResult> {
    const response = (await this.#call("KV.Range", toWire.rangeRequest(key, options), "read")) as unknown as WireRangeResponse;
    return fromWire.range(response, Number(response.header?.revision));
  }

  /** Undefined: what was read first has been compacted meanwhile; everything must be read again. */
  async #inPages(key: Key, options: RangeOptions): Promise<RangeResult | undefined> {
    const first = await this.#range(key, { ...options, limit: pageSize });
    const revision = options.revision || first.revision;
    const kvs = [...first.kvs];
    try {
      for (let { more } = first; more; ) {
        const page = await this.#range(`${kvs.at(-1)?.key}\0`, { ...options, revision, limit: pageSize });
        for (const kv of page.kvs) kvs.push(kv);
        more = page.more;
      }
    } catch (error) {
      if (error instanceof StoreError && error.code === "compacted" && !options.revision) return undefined;
      throw error;
    }
    return { ...first, kvs, more: false };
  }

  async transact(transaction: Transaction): Promise<TransactionResult> {
    const kind = writes(transaction) ? "write" : "read";
    const response = (await this.#call("KV.Txn", toWire.transaction(transaction), kind)) as unknown as WireTxnResponse;
    const revision = Number(response.header?.revision);
    return {
      succeeded: response.succeeded,
      revision,
      results: response.responses.map((each) => fromWire.result(each, revision)),
    };
  }

  async watch(request: WatchRequest, deliver: (batch: WatchBatch) => void): Promise<StoreWatch> {
    this.#assertOpen();
    const watch = new EtcdWatch({
      endpoints: this.#endpoints,
      clock: this.#options.clock,
      log: this.#options.log,
      request,
      newest: () => this.#revision,
      timeoutMs: this.#options.timeoutMs ?? defaultTimeoutMs,
      deliver: (batch) => {
        this.#saw(batch.revision);
        deliver(batch);
      },
    });
    this.#watches.add(watch);
    void watch.closed.then(() => this.#watches.delete(watch));
    await watch.created;
    return watch;
  }

  async compact(revision: Revision): Promise<void> {
    await this.#call("KV.Compact", { revision }, "read"); // asking twice does no harm
  }

  async grantLease(ttlSeconds: number, id?: bigint): Promise<Lease> {
    const granted = await this.#call("Lease.LeaseGrant", { TTL: ttlSeconds, ID: id ?? 0n }, "write");
    const seconds = Number(granted["TTL"]);
    return { id: BigInt(granted["ID"] as Int), grantedTtlSeconds: seconds, remainingTtlSeconds: seconds, keys: [] };
  }

  async keepLeaseAlive(id: bigint): Promise<Lease> {
    this.#assertOpen();
    const stream = this.#endpoints.stream("Lease.LeaseKeepAlive", { timeoutMs: this.#options.timeoutMs ?? defaultTimeoutMs });
    try {
      stream.write({ ID: id });
      for await (const answer of stream) {
        const seconds = Number(answer["TTL"]);
        if (seconds <= 0) throw leaseNotFound();
        return { id, grantedTtlSeconds: seconds, remainingTtlSeconds: seconds, keys: [] };
      }
      throw new Error("the stream ended without an answer");
    } catch (error) {
      if (!(error instanceof StoreError)) stream.failed();
      throw storeError(error, "read");
    } finally {
      stream.cancel();
    }
  }

  async revokeLease(id: bigint): Promise<void> {
    await this.#call("Lease.LeaseRevoke", { ID: id }, "write");
  }

  async lease(id: bigint): Promise<Lease | undefined> {
    const found = await this.#call("Lease.LeaseTimeToLive", { ID: id, keys: true }, "read");
    const remaining = Number(found["TTL"]);
    if (remaining < 0) return undefined;
    const keys = (found["keys"] as readonly Buffer[]).map(keyOf);
    return { id, grantedTtlSeconds: Number(found["grantedTTL"]), remainingTtlSeconds: remaining, keys };
  }

  async leases(): Promise<readonly bigint[]> {
    const { leases } = await this.#call("Lease.LeaseLeases", {}, "read");
    return (leases as readonly { readonly ID: Int }[]).map(({ ID }) => BigInt(ID));
  }

  async status(): Promise<StoreStatus> {
    const status = await this.#call("Maintenance.Status", {}, "read");
    const { count, revision } = await this.range("\0", { end: "\0", countOnly: true });
    const { alarms } = await this.#call("Maintenance.Alarm", { action: "GET" }, "read");
    const alarm = (alarms as readonly { readonly alarm: "NOSPACE" | "CORRUPT" }[])[0];
    return {
      revision,
      compactedRevision: await this.#compactedRevision(),
      keyCount: count,
      sizeBytes: Number(status["dbSize"]),
      sizeInUseBytes: Number(status["dbSizeInUse"]),
      ...(alarm === undefined ? {} : { alarm: { kind: alarm.alarm, message: `etcd has raised ${alarm.alarm}` } }),
    };
  }

  /** etcd names it only to a watch that asks for a revision that is gone. */
  async #compactedRevision(): Promise<Revision> {
    try {
      await this.#range("\0", { revision: 1 });
      return 0;
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== "compacted") throw error;
    }
    const watch = await this.watch({ key: "\0", startRevision: 1 }, () => {});
    const reason = await watch.closed;
    return reason?.compactedRevision ?? 0;
  }

  async #ask(): Promise<Revision> {
    const { revision } = await this.#range("\0", { countOnly: true });
    return revision;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#compacting?.cancel();
    for (const watch of [...this.#watches]) await watch[Symbol.asyncDispose]();
    this.#endpoints.close();
  }

  async #call(method: string, request: object, kind: Kind): Promise<Record<string, unknown>> {
    this.#assertOpen();
    const response = await this.#endpoints.call(method, request, kind);
    this.#saw(Number((response["header"] as WireHeader | undefined)?.revision ?? 0));
    return response;
  }

  #saw(revision: Revision): void {
    if (revision > this.#revision) this.#revision = revision;
  }

  #assertOpen(): void {
    if (this.#closed) throw closed();
  }
}

const isFiltered = ({ minModRevision, maxModRevision, minCreateRevision, maxCreateRevision }: RangeOptions): boolean =>
  Boolean(minModRevision || maxModRevision || minCreateRevision || maxCreateRevision);

const writes = ({ then, else: otherwise = [] }: Transaction): boolean => then.some(isWrite) || otherwise.some(isWrite);

const isWrite = (operation: Operation): boolean =>
  operation.kind === "put" || operation.kind === "delete" || (operation.kind === "txn" && writes(operation));
