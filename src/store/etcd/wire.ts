// etcd's messages as we use them, and their translation to the store's words and back.
import { defineMessages, type Messages, type ParsedTables, parseFieldTable } from "#base";
import type {
  Compare,
  Key,
  KeyValue,
  Operation,
  OperationResult,
  RangeOptions,
  RangeResult,
  Revision,
  StoreEvent,
  Transaction,
} from "../store.ts";
import { etcdTable } from "./gen/messages.ts";

// both are made on first use: a program that speaks no etcd does not pay for them
let tables: ParsedTables | undefined;
let messages: Messages | undefined;
const made = (): Messages => {
  messages ??= defineMessages(etcdTables.all);
  return messages;
};

export const etcdTables = {
  get all(): ParsedTables {
    tables ??= parseFieldTable(etcdTable);
    return tables;
  },
  get services(): ParsedTables["services"] {
    return etcdTables.all.services;
  },
};

/** 64-bit numbers come as bigint where a number would lose digits: ids go through BigInt(), revisions are safe. */
export const etcdMessages: Messages = {
  encode: (message, object) => made().encode(message, object),
  decode: (message, bytes) => made().decode(message, bytes),
  has: (message) => made().has(message),
};

export type Int = number | bigint;

export interface WireHeader {
  readonly cluster_id?: Int;
  readonly member_id?: Int;
  readonly revision?: Int;
  readonly raft_term?: Int;
}

export interface WireKeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly create_revision: Int;
  readonly mod_revision: Int;
  readonly version: Int;
  readonly lease: Int;
}

export interface WireRangeRequest {
  readonly key: Buffer;
  readonly range_end?: Buffer;
  readonly limit?: Int;
  readonly revision?: Int;
  readonly sort_order?: "NONE" | "ASCEND" | "DESCEND";
  readonly sort_target?: "KEY" | "VERSION" | "CREATE" | "MOD" | "VALUE";
  readonly keys_only?: boolean;
  readonly count_only?: boolean;
  readonly min_mod_revision?: Int;
  readonly max_mod_revision?: Int;
  readonly min_create_revision?: Int;
  readonly max_create_revision?: Int;
}

export interface WireRangeResponse {
  readonly header?: WireHeader;
  readonly kvs: readonly WireKeyValue[];
  readonly more: boolean;
  readonly count: Int;
}

export interface WirePutRequest {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly lease?: Int;
  readonly prev_kv?: boolean;
  readonly ignore_value?: boolean;
  readonly ignore_lease?: boolean;
}

export interface WireDeleteRequest {
  readonly key: Buffer;
  readonly range_end?: Buffer;
  readonly prev_kv?: boolean;
}

export interface WireCompare {
  readonly result: "EQUAL" | "GREATER" | "LESS" | "NOT_EQUAL";
  readonly target: "VERSION" | "CREATE" | "MOD" | "VALUE" | "LEASE";
  readonly key: Buffer;
  readonly range_end?: Buffer;
  readonly version?: Int;
  readonly create_revision?: Int;
  readonly mod_revision?: Int;
  readonly value?: Buffer;
  readonly lease?: Int;
}

export interface WireRequestOp {
  readonly request_range?: WireRangeRequest;
  readonly request_put?: WirePutRequest;
  readonly request_delete_range?: WireDeleteRequest;
  readonly request_txn?: WireTxnRequest;
}

export interface WireTxnRequest {
  readonly compare: readonly WireCompare[];
  readonly success: readonly WireRequestOp[];
  readonly failure: readonly WireRequestOp[];
}

export interface WireResponseOp {
  readonly response_range?: WireRangeResponse;
  readonly response_put?: { readonly header?: WireHeader; readonly prev_kv?: WireKeyValue };
  readonly response_delete_range?: {
    readonly header?: WireHeader;
    readonly deleted: Int;
    readonly prev_kvs: readonly WireKeyValue[];
  };
  readonly response_txn?: WireTxnResponse;
}

export interface WireTxnResponse {
  readonly header?: WireHeader;
  readonly succeeded: boolean;
  readonly responses: readonly WireResponseOp[];
}

export interface WireEvent {
  readonly type: "PUT" | "DELETE";
  readonly kv: WireKeyValue;
  readonly prev_kv?: WireKeyValue;
}

export interface WireWatchResponse {
  readonly header?: WireHeader;
  readonly watch_id: Int;
  readonly created?: boolean;
  readonly canceled?: boolean;
  readonly compact_revision?: Int;
  readonly cancel_reason?: string;
  readonly fragment?: boolean;
  readonly events: readonly WireEvent[];
}

const noBytes: Buffer = Buffer.alloc(0);

export const keyBytes = (key: Key): Buffer => Buffer.from(key, "latin1");
export const keyOf = (bytes: Uint8Array): Key => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
const endOf = (bytes: Buffer | undefined): { readonly end?: Key } =>
  bytes === undefined || bytes.length === 0 ? {} : { end: keyOf(bytes) };
const endBytes = (end: Key | undefined): { readonly range_end?: Buffer } =>
  end === undefined ? {} : { range_end: keyBytes(end) };

/** What a server reads. */
export const fromWire = {
  rangeOptions(request: WireRangeRequest): RangeOptions {
    const target = request.sort_target ?? "KEY";
    // etcd sorts ascending when only a target is given.
    const order =
      request.sort_order === "DESCEND" ? "descend" : request.sort_order === "ASCEND" || target !== "KEY" ? "ascend" : undefined;
    return {
      ...endOf(request.range_end),
      revision: Math.max(0, Number(request.revision ?? 0)),
      limit: Math.max(0, Number(request.limit ?? 0)),
      keysOnly: request.keys_only ?? false,
      countOnly: request.count_only ?? false,
      ...(order === undefined
        ? {}
        : { sort: { by: target.toLowerCase() as "key" | "version" | "create" | "mod" | "value", order } }),
      minModRevision: Number(request.min_mod_revision ?? 0),
      maxModRevision: Number(request.max_mod_revision ?? 0),
      minCreateRevision: Number(request.min_create_revision ?? 0),
      maxCreateRevision: Number(request.max_create_revision ?? 0),
    };
  },

  put(request: WirePutRequest): Operation {
    return {
      kind: "put",
      key: keyOf(request.key),
      value: request.value,
      lease: BigInt(request.lease ?? 0),
      previous: request.prev_kv ?? false,
      ignoreValue: request.ignore_value ?? false,
      ignoreLease: request.ignore_lease ?? false,
    };
  },

  delete(request: WireDeleteRequest): Operation {
    return { kind: "delete", key: keyOf(request.key), ...endOf(request.range_end), previous: request.prev_kv ?? false };
  },

  compare(compare: WireCompare): Compare {
    const op = ({ EQUAL: "=", NOT_EQUAL: "!=", LESS: "<", GREATER: ">" } as const)[compare.result];
    const common = { key: keyOf(compare.key), ...endOf(compare.range_end), op };
    switch (compare.target) {
      case "VALUE":
        return { ...common, target: "value", value: compare.value ?? noBytes };
      case "LEASE":
        return { ...common, target: "lease", value: BigInt(compare.lease ?? 0) };
      case "CREATE":
        return { ...common, target: "create", value: Number(compare.create_revision ?? 0) };
      case "MOD":
        return { ...common, target: "mod", value: Number(compare.mod_revision ?? 0) };
      default:
        return { ...common, target: "version", value: Number(compare.version ?? 0) };
    }
  },

  operation(request: WireRequestOp): Operation | undefined {
    if (request.request_range !== undefined) {
      return { kind: "range", key: keyOf(request.request_range.key), ...fromWire.rangeOptions(request.request_range) };
    }
    if (request.request_put !== undefined) return fromWire.put(request.request_put);
    if (request.request_delete_range !== undefined) return fromWire.delete(request.request_delete_range);
    return request.request_txn === undefined ? undefined : { kind: "txn", ...fromWire.transaction(request.request_txn) };
  },

  transaction(request: WireTxnRequest): Transaction {
    const operations = (list: readonly WireRequestOp[]): Operation[] =>
      list.flatMap((each) => {
        const operation = fromWire.operation(each);
        return operation === undefined ? [] : [operation];
      });
    return { if: request.compare.map(fromWire.compare), then: operations(request.success), else: operations(request.failure) };
  },

  keyValue(kv: WireKeyValue): KeyValue {
    return {
      key: keyOf(kv.key),
      value: kv.value,
      createRevision: Number(kv.create_revision),
      modRevision: Number(kv.mod_revision),
      version: Number(kv.version),
      lease: BigInt(kv.lease),
    };
  },

  range(response: WireRangeResponse, revision: number): RangeResult {
    return { revision, kvs: response.kvs.map(fromWire.keyValue), more: response.more, count: Number(response.count) };
  },

  result(response: WireResponseOp, revision: number): OperationResult {
    const { response_range, response_put, response_delete_range, response_txn } = response;
    if (response_range !== undefined)
      return { kind: "range", ...fromWire.range(response_range, Number(response_range.header?.revision ?? revision)) };
    if (response_put !== undefined) {
      return response_put.prev_kv === undefined
        ? { kind: "put" }
        : { kind: "put", previous: fromWire.keyValue(response_put.prev_kv) };
    }
    if (response_delete_range !== undefined) {
      return {
        kind: "delete",
        deleted: Number(response_delete_range.deleted),
        previous: response_delete_range.prev_kvs.map(fromWire.keyValue),
      };
    }
    const responses = response_txn?.responses ?? [];
    return {
      kind: "txn",
      succeeded: response_txn?.succeeded ?? false,
      results: responses.map((each) => fromWire.result(each, revision)),
    };
  },

  event(event: WireEvent): StoreEvent {
    const type = event.type === "DELETE" ? "delete" : "put";
    const kv = fromWire.keyValue(event.kv);
    return event.prev_kv === undefined ? { type, kv } : { type, kv, previous: fromWire.keyValue(event.prev_kv) };
  },
};

/** What a server writes and a client asks. */
export const toWire = {
  keyValue(kv: KeyValue): WireKeyValue {
    return {
      key: keyBytes(kv.key),
      value: kv.value,
      create_revision: kv.createRevision,
      mod_revision: kv.modRevision,
      version: kv.version,
      lease: kv.lease,
    };
  },

  range(result: RangeResult, header: WireHeader): WireRangeResponse {
    return { header, kvs: result.kvs.map(toWire.keyValue), more: result.more, count: result.count };
  },

  event(event: StoreEvent): WireEvent {
    const type = event.type === "delete" ? "DELETE" : "PUT";
    const kv = toWire.keyValue(event.kv);
    return event.previous === undefined ? { type, kv } : { type, kv, prev_kv: toWire.keyValue(event.previous) };
  },

  /** `revision` is the store's after the transaction; each answer names what it was after its own operation. */
  results(results: readonly OperationResult[], revision: number): WireResponseOp[] {
    return answersOf(results, revision, { revision: results.some(wrote) ? revision - 1 : revision });
  },

  rangeRequest(key: Key, options: RangeOptions): WireRangeRequest {
    const { sort } = options;
    return {
      key: keyBytes(key),
      ...endBytes(options.end),
      limit: options.limit ?? 0,
      revision: options.revision ?? 0,
      keys_only: options.keysOnly ?? false,
      count_only: options.countOnly ?? false,
      ...(sort === undefined
        ? {}
        : {
            sort_order: sort.order === "descend" ? "DESCEND" : "ASCEND",
            sort_target: sort.by.toUpperCase() as "KEY" | "VERSION" | "CREATE" | "MOD" | "VALUE",
          }),
      min_mod_revision: options.minModRevision ?? 0,
      max_mod_revision: options.maxModRevision ?? 0,
      min_create_revision: options.minCreateRevision ?? 0,
      max_create_revision: options.maxCreateRevision ?? 0,
    };
  },

  compare(compare: Compare): WireCompare {
    const result = ({ "=": "EQUAL", "!=": "NOT_EQUAL", "<": "LESS", ">": "GREATER" } as const)[compare.op];
    const common = { result, key: keyBytes(compare.key), ...endBytes(compare.end) };
    switch (compare.target) {
      case "value":
        return { ...common, target: "VALUE", value: compare.value };
      case "lease":
        return { ...common, target: "LEASE", lease: compare.value };
      case "create":
        return { ...common, target: "CREATE", create_revision: compare.value };
      case "mod":
        return { ...common, target: "MOD", mod_revision: compare.value };
      case "version":
        return { ...common, target: "VERSION", version: compare.value };
      default:
        return compare satisfies never;
    }
  },

  operation(operation: Operation): WireRequestOp {
    switch (operation.kind) {
      case "range":
        return { request_range: toWire.rangeRequest(operation.key, operation) };
      case "put":
        return {
          request_put: {
            key: keyBytes(operation.key),
            value: operation.ignoreValue ? noBytes : operation.value,
            lease: operation.ignoreLease ? 0n : (operation.lease ?? 0n),
            prev_kv: operation.previous ?? false,
            ignore_value: operation.ignoreValue ?? false,
            ignore_lease: operation.ignoreLease ?? false,
          },
        };
      case "delete":
        return {
          request_delete_range: {
            key: keyBytes(operation.key),
            ...endBytes(operation.end),
            prev_kv: operation.previous ?? false,
          },
        };
      case "txn":
        return { request_txn: toWire.transaction(operation) };
      default:
        return operation satisfies never;
    }
  },

  transaction(transaction: Transaction): WireTxnRequest {
    return {
      compare: transaction.if.map(toWire.compare),
      success: transaction.then.map(toWire.operation),
      failure: (transaction.else ?? []).map(toWire.operation),
    };
  },
};

/** A result that used a revision. */
const wrote = (result: OperationResult): boolean =>
  result.kind === "put" ||
  (result.kind === "delete" && result.deleted > 0) ||
  (result.kind === "txn" && result.results.some(wrote));

/** `now` moves to `after` with the first operation that writes, in a nested transaction too. */
function answersOf(results: readonly OperationResult[], after: Revision, now: { revision: Revision }): WireResponseOp[] {
  return results.map((result): WireResponseOp => {
    if (result.kind !== "txn" && wrote(result)) now.revision = after;
    const header = { revision: now.revision };
    switch (result.kind) {
      case "range":
        return { response_range: toWire.range(result, { revision: result.revision }) };
      case "put":
        return {
          response_put: { header, ...(result.previous === undefined ? {} : { prev_kv: toWire.keyValue(result.previous) }) },
        };
      case "delete":
        return {
          response_delete_range: { header, deleted: result.deleted, prev_kvs: result.previous.map(toWire.keyValue) },
        };
      case "txn":
        return {
          response_txn: { header: {}, succeeded: result.succeeded, responses: answersOf(result.results, after, now) },
        };
      default:
        return result satisfies never;
    }
  });
}
