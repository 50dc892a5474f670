// etcd's services answered from a Store: what etcdctl, etcd's clients and a second API server talk to.

import { crc32 } from "node:zlib";
import type { Clock } from "#base";
import { emptyKey } from "../engine/messages.ts";
import { type RangeResult, type Store, StoreError, type StoreErrorCode } from "../store.ts";
import { WatchStream } from "./facade-watch.ts";
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
  type WireTxnRequest,
} from "./wire.ts";

/** gRPC's name of a status, with the message that clients match on. */
export class FacadeError extends Error {
  readonly status: string;
  constructor(status: string, message: string) {
    super(message);
    this.status = status;
  }
}

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

/** What some stores can do beyond `Store`. */
interface Maintained {
  defragment?(): Promise<void>;
  clearNoSpace?(): Promise<boolean>;
}

export interface FacadeOptions {
  readonly store: Store & Maintained;
  readonly clock: Clock;
  /** Where clients reach it, for the member list. */
  readonly clientUrls: () => readonly string[];
  readonly clusterId: bigint;
  readonly memberId: bigint;
}

/** The version of etcd whose answers we give; clients choose features by it. */
const etcdVersion = "3.6.4";
const maxOperations = 128;

type Unary = (request: Record<string, unknown>) => Promise<object> | object;

/** A client's stream as the facade sees it. */
export interface FacadeStream {
  /** False when the client reads too slowly; `drained` follows. */
  send(response: object): boolean;
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
      checkTxn(transaction);
      const { results, revision, succeeded } = await store.transact(fromWire.transaction(transaction));
      return { header: header(revision), succeeded, responses: toWire.results(results, revision - 1, revision) };
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

  const hash = async (
    revision: number,
  ): Promise<{ readonly hash: number; readonly compact_revision: number; readonly hash_revision: number }> => {
    const at = revision === 0 ? store.revision : revision;
    const result: RangeResult = await store.range("\0", { end: "\0", revision: at });
    return { hash: hashOf(result), compact_revision: (await store.status()).compactedRevision, hash_revision: at };
  };

  const alarms = async (): Promise<object[]> => {
    const { alarm } = await store.status();
    if (alarm === undefined) return [];
    return [{ memberID: options.memberId, alarm: alarm.kind === "NOSPACE" ? "NOSPACE" : "CORRUPT" }];
  };

  const maintenance: Record<string, Unary> = {
    "Maintenance.Status": async () => {
      const { sizeBytes, sizeInUseBytes, revision, alarm } = await store.status();
      return {
        header: header(revision),
        version: etcdVersion,
        dbSize: sizeBytes,
        dbSizeInUse: sizeInUseBytes,
        leader: options.memberId,
        // There is no raft; numbers that grow with the store satisfy those who compare them.
        raftIndex: revision,
        raftAppliedIndex: revision,
        raftTerm: 2,
        errors: alarm === undefined ? [] : [`${alarm.kind}: ${alarm.message}`],
        storageVersion: "3.6.0",
      };
    },
    "Maintenance.HashKV": async (request) => ({ header: header(), ...(await hash(Number(request["revision"]))) }),
    "Maintenance.Hash": async () => ({ header: header(), hash: (await hash(0)).hash }),
    "Maintenance.Alarm": async (request) => {
      if (request["action"] === "DEACTIVATE") await store.clearNoSpace?.();
      else if (request["action"] === "ACTIVATE")
        throw new FacadeError("UNIMPLEMENTED", "Cannot raise an alarm: Tiphys raises its own");
      return { header: header(), alarms: await alarms() };
    },
    "Maintenance.Defragment": async () => {
      await store.defragment?.();
      return { header: header() };
    },
  };

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

  return {
    unary: { ...kv, ...lease, ...maintenance, ...cluster },
    streams: {
      "Watch.Watch": (stream) => new WatchStream({ store, clock, stream, header }),
      "Lease.LeaseKeepAlive": keepAlive,
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
  if (put.key.length === 0) throw emptyKey();
  if (put.ignore_value && put.value.length > 0) throw new FacadeError("INVALID_ARGUMENT", "etcdserver: value is provided");
  if (put.ignore_lease && BigInt(put.lease ?? 0) !== 0n)
    throw new FacadeError("INVALID_ARGUMENT", "etcdserver: lease is provided");
}

function checkTxn(request: WireTxnRequest): void {
  if (Math.max(request.compare.length, request.success.length, request.failure.length) > maxOperations) {
    throw new FacadeError("INVALID_ARGUMENT", "etcdserver: too many operations in txn request");
  }
  for (const operation of [...request.success, ...request.failure]) {
    if (operation.request_put !== undefined) checkPut(operation.request_put);
    if (operation.request_txn !== undefined) checkTxn(operation.request_txn);
  }
}

function hashOf(result: RangeResult): number {
  let sum = 0;
  for (const entry of result.kvs) {
    sum = crc32(
      `${entry.key.length} ${entry.key} ${entry.createRevision} ${entry.modRevision} ${entry.version} ${entry.lease} ${entry.value.length} `,
      sum,
    );
    sum = crc32(entry.value, sum);
  }
  return sum;
}
