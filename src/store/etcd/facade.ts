// etcd's services answered from a Store: what etcdctl, etcd's clients and a second API server talk to.
import type { Clock } from "#base";
import { emptyKey, keyNotFound, leaseNotFound } from "../engine/messages.ts";
import { type Store, StoreError, type StoreErrorCode } from "../store.ts";
import { FacadeError } from "./facade-errors.ts";
import { WatchStream } from "./facade-watch.ts";
import { type Maintained, maintenanceService } from "./maintenance.ts";
import {
  fromWire,
  type Int,
  keyBytes,
  keyOf,
  toWire,
  type WireDeleteRequest,
  type WireHeader,
  type WirePutRequest,
  type WireRangeRequest,
  type WireRequestOp,
  type WireTxnRequest,
} from "./wire.ts";

const statusOf: Readonly<Record<StoreErrorCode, string>> = {
  compacted: "OUT_OF_RANGE",
  futureRevision: "OUT_OF_RANGE",
  noSpace: "RESOURCE_EXHAUSTED",
  readOnly: "UNAVAILABLE",
  corrupt: "DATA_LOSS",
  leaseNotFound: "NOT_FOUND",
  leaseExists: "FAILED_PRECONDITION",
  duplicateKey: "INVALID_ARGUMENT",
  keyNotFound: "INVALID_ARGUMENT",
  emptyKey: "INVALID_ARGUMENT",
  tooLarge: "INVALID_ARGUMENT",
  unavailable: "UNAVAILABLE",
  unknownOutcome: "UNAVAILABLE",
  closed: "UNAVAILABLE",
};

/** The answer to a failed call. */
export function statusFor(error: unknown): { readonly status: string; readonly message: string } {
  if (error instanceof FacadeError) return { status: error.status, message: error.message };
  if (error instanceof StoreError) {
    const status = error.message.endsWith("too large lease TTL") ? "OUT_OF_RANGE" : statusOf[error.code];
    return { status, message: error.message };
  }
  return { status: "INTERNAL", message: error instanceof Error ? error.message : String(error) };
}

export interface FacadeOptions {
  readonly store: Store & Maintained;
  readonly clock: Clock;
  /** Where clients reach it, for the member list. */
  readonly clientUrls: () => readonly string[];
  readonly clusterId: bigint;
  readonly memberId: bigint;
}

const maxOperations = 128;

export type Unary = (request: Record<string, unknown>) => Promise<object> | object;

/** A client's stream as the facade sees it. */
export interface FacadeStream {
  /** False when the client reads too slowly; `drained` follows. */
  send(response: object): boolean;
  /** No more answers. */
  end(): void;
  fail(error: unknown): void;
}

export interface FacadeStreamHandler {
  message(request: Record<string, unknown>): void;
  drained(): void;
  end(): void;
}

export interface Facade {
  /** By "Service.Method". */
  readonly unary: Readonly<Record<string, Unary>>;
  readonly streams: Readonly<Record<string, (stream: FacadeStream) => FacadeStreamHandler>>;
  watching(): { readonly watches: number; readonly slow: number };
}

export function etcdFacade(options: FacadeOptions): Facade {
  const { store, clock } = options;
  const header = (revision: number = store.revision): WireHeader => ({
    cluster_id: options.clusterId,
    member_id: options.memberId,
    revision,
    raft_term: 2,
  });

  const kv: Record<string, Unary> = {
    "KV.Range": async (request) => {
      const range = request as unknown as WireRangeRequest;
      const result = await store.range(keyOf(range.key), fromWire.rangeOptions(range));
      return toWire.range(result, header(result.revision));
    },
    "KV.Put": async (request) => {
      const put = request as unknown as WirePutRequest;
      checkPut(put);
      // Where a put stands alone, etcd looks for its lease before its key; inside a transaction the other way round.
      const leaseId = BigInt(put.lease ?? 0);
      if (put.ignore_value && leaseId !== 0n && (await store.lease(leaseId)) === undefined) throw leaseNotFound();
      const { results, revision } = await store.transact({ if: [], then: [fromWire.put(put)] });
      const result = results[0];
      const previous = result?.kind === "put" ? result.previous : undefined;
      return { header: header(revision), ...(previous === undefined ? {} : { prev_kv: toWire.keyValue(previous) }) };
    },
    "KV.DeleteRange": async (request) => {
      const { results, revision } = await store.transact({
        if: [],
        then: [fromWire.delete(request as unknown as WireDeleteRequest)],
      });
      const result = results[0];
      if (result?.kind !== "delete") throw new Error("Broken invariant: a deletion answers with a deletion");
      return { header: header(revision), deleted: result.deleted, prev_kvs: result.previous.map(toWire.keyValue) };
    },
    "KV.Txn": async (request) => {
      const transaction = request as unknown as WireTxnRequest;
      checkTxn(transaction, maxOperations);
      const { results, revision, succeeded } = await store.transact(fromWire.transaction(transaction));
      return { header: header(revision), succeeded, responses: toWire.results(results, revision) };
    },
    "KV.Compact": async (request) => {
      await store.compact(Number(request["revision"]));
      return { header: header() };
    },
  };

  const lease: Record<string, Unary> = {
    "Lease.LeaseGrant": async (request) => {
      const granted = await store.grantLease(Number(request["TTL"]), BigInt(request["ID"] as Int));
      return { header: header(), ID: granted.id, TTL: granted.grantedTtlSeconds };
    },
    "Lease.LeaseRevoke": async (request) => {
      await store.revokeLease(BigInt(request["ID"] as Int));
      return { header: header() };
    },
    "Lease.LeaseTimeToLive": async (request) => {
      const id = BigInt(request["ID"] as Int);
      const found = await store.lease(id);
      if (found === undefined) return { header: header(), ID: id, TTL: -1 };
      return {
        header: header(),
        ID: id,
        TTL: found.remainingTtlSeconds,
        grantedTTL: found.grantedTtlSeconds,
        keys: request["keys"] === true ? found.keys.map(keyBytes) : [],
      };
    },
    "Lease.LeaseLeases": async () => ({ header: header(), leases: (await store.leases()).map((ID) => ({ ID })) }),
  };

  const maintenance = maintenanceService({ store, clock, memberId: options.memberId, header });

  const cluster: Record<string, Unary> = {
    "Cluster.MemberList": () => ({
      header: header(),
      members: [{ ID: options.memberId, name: "tiphys", peerURLs: [], clientURLs: options.clientUrls() }],
    }),
    "Auth.AuthStatus": () => ({ header: header(), enabled: false, authRevision: 1 }),
  };

  const keepAlive = (stream: FacadeStream): FacadeStreamHandler => ({
    message: (request) => {
      const id = BigInt(request["ID"] as Int);
      store.keepLeaseAlive(id).then(
        (renewed) => stream.send({ header: header(), ID: id, TTL: renewed.grantedTtlSeconds }),
        (error) => {
          if (error instanceof StoreError && error.code === "leaseNotFound") stream.send({ header: header(), ID: id, TTL: 0 });
          else stream.fail(error);
        },
      );
    },
    drained: () => {},
    end: () => {},
  });

  const watchStreams = new Set<WatchStream>();
  return {
    watching: () => {
      const counts = [...watchStreams].map((each) => each.counts);
      const sum = (of: "watches" | "slow"): number => counts.reduce((total, each) => total + each[of], 0);
      return { watches: sum("watches"), slow: sum("slow") };
    },
    unary: { ...kv, ...lease, ...maintenance.unary, ...cluster },
    streams: {
      "Watch.Watch": (stream) => {
        const watching: WatchStream = new WatchStream({
          store,
          clock,
          stream,
          header,
          ended: () => watchStreams.delete(watching),
        });
        watchStreams.add(watching);
        return watching;
      },
      "Lease.LeaseKeepAlive": keepAlive,
      ...maintenance.streams,
    },
  };
}

/** Why a method that etcd has is not here. */
export function missing(method: string): FacadeError {
  if (method.startsWith("Auth.")) {
    return new FacadeError(
      "FAILED_PRECONDITION",
      "etcdserver: authentication is not enabled (Tiphys admits clients by certificate only)",
    );
  }
  if (method.startsWith("Cluster."))
    return new FacadeError("UNIMPLEMENTED", "Cannot change the members: this store is one Tiphys process");
  return new FacadeError("UNIMPLEMENTED", `Cannot do ${method}: Tiphys' etcd API does not have it`);
}

function checkPut(put: WirePutRequest): void {
  checkKey(put.key);
  if (put.ignore_value && put.value.length > 0) throw new FacadeError("INVALID_ARGUMENT", "etcdserver: value is provided");
  if (put.ignore_lease && BigInt(put.lease ?? 0) !== 0n)
    throw new FacadeError("INVALID_ARGUMENT", "etcdserver: lease is provided");
}

/** Refuses in etcd's order; a nested transaction has what room its parent leaves. */
function checkTxn({ compare, success, failure }: WireTxnRequest, room: number): void {
  const operations = Math.max(compare.length, success.length, failure.length);
  if (operations > room) throw new FacadeError("INVALID_ARGUMENT", "etcdserver: too many operations in txn request");
  for (const { key } of compare) checkKey(key);
  for (const operation of success) checkOperation(operation, room - operations);
  for (const operation of failure) checkOperation(operation, room - operations);
}

function checkOperation({ request_range, request_put, request_delete_range, request_txn }: WireRequestOp, room: number): void {
  if (request_range !== undefined) checkKey(request_range.key);
  else if (request_put !== undefined) checkPut(request_put);
  else if (request_delete_range !== undefined) checkKey(request_delete_range.key);
  else if (request_txn !== undefined) checkTxn(request_txn, room);
  else throw keyNotFound();
}

function checkKey(key: Buffer): void {
  if (key.length === 0) throw emptyKey();
}
