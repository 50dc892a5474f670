// A store that is a real etcd cluster, reached through gRPC.
import type { Clock, Log } from "#base";
import { closed, leaseNotFound } from "../engine/messages.ts";
import type {
  Key,
  KeyValue,
  Lease,
  RangeOptions,
  RangeResult,
  Revision,
  Store,
  StoreStatus,
  StoreWatch,
  Transaction,
  TransactionResult,
  WatchBatch,
  WatchRequest,
} from "../store.ts";
import { Endpoints, type EtcdTls, type Kind, storeError } from "./endpoints.ts";
import { EtcdWatch } from "./etcd-watch.ts";
import { fromWire, type Int, keyOf, toWire, type WireHeader, type WireRangeResponse, type WireTxnResponse } from "./wire.ts";

export interface EtcdStoreOptions {
  /** "https://10.0.0.1:2379"; "http://..." goes without TLS. */
  readonly servers: readonly string[];
  readonly tls?: EtcdTls;
  readonly clock: Clock;
  readonly log: Log;
  /** Of one call; default 5 s, as etcd's clients. */
  readonly timeoutMs?: number;
}

/** Throws StoreError "unavailable" when no member answers. */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<EtcdStore> {
  const endpoints = await Endpoints.open(options.servers, options.tls, options.timeoutMs ?? 5000);
  const store = new EtcdStore(options, endpoints);
  try {
    await store.range("\0", { countOnly: true });
    return store;
  } catch (error) {
    endpoints.close();
    throw error;
  }
}

/** Reads are linearizable and therefore always promises. */
export class EtcdStore implements Store {
  readonly #options: EtcdStoreOptions;
  readonly #endpoints: Endpoints;
  readonly #watches = new Set<EtcdWatch>();
  #revision: Revision = 0;
  #closed = false;

  constructor(options: EtcdStoreOptions, endpoints: Endpoints) {
    this.#options = options;
    this.#endpoints = endpoints;
  }

  /** The newest that any answer has named. */
  get revision(): Revision {
    return this.#revision;
  }

  async get(key: Key, revision?: Revision): Promise<KeyValue | undefined> {
    const { kvs } = await this.range(key, revision === undefined ? {} : { revision });
    return kvs[0];
  }

  async range(key: Key, options: RangeOptions = {}): Promise<RangeResult> {
    const response = (await this.#call("KV.Range", toWire.rangeRequest(key, options), "read")) as unknown as WireRangeResponse;
    return fromWire.range(response, Number(response.header?.revision));
  }

  async transact(transaction: Transaction): Promise<TransactionResult> {
    const response = (await this.#call("KV.Txn", toWire.transaction(transaction), "write")) as unknown as WireTxnResponse;
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
    const stream = this.#endpoints.stream("Lease.LeaseKeepAlive", { timeoutMs: this.#options.timeoutMs ?? 5000 });
    try {
      stream.write({ ID: id });
      for await (const answer of stream) {
        const seconds = Number(answer["TTL"]);
        if (seconds <= 0) throw leaseNotFound();
        return { id, grantedTtlSeconds: seconds, remainingTtlSeconds: seconds, keys: [] };
      }
      throw new Error("the stream ended without an answer");
    } catch (error) {
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
      // etcd tells it only when somebody asks for a revision that is gone.
      compactedRevision: 0,
      keyCount: count,
      sizeBytes: Number(status["dbSize"]),
      sizeInUseBytes: Number(status["dbSizeInUse"]),
      ...(alarm === undefined ? {} : { alarm: { kind: alarm.alarm, message: `etcd has raised ${alarm.alarm}` } }),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
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
