// The store: etcd's data model behind one interface (D5). memory, disk and etcd implement it; testing/contract.ts says what it means.

/**
 * A key as bytes, one char code (0-255) per byte ("binary string"), so that JavaScript's order is etcd's. Text keys go through `keyFromText`.
 */
export type Key = string;

/** Commit number: 1 is the empty store, each committed write transaction adds exactly one. A safe integer. */
export type Revision = number;

export interface KeyValue {
  readonly key: Key;
  /** Shared with everybody who reads this revision: never change it. */
  readonly value: Buffer;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  /** 1 at creation, +1 per put. */
  readonly version: number;
  /** 0n: none. */
  readonly lease: bigint;
}

export interface RangeOptions {
  /** Exclusive end; absent: just `key`. "\0" means: every key from `key` on (etcd's convention). */
  readonly end?: Key;
  /** 0 or absent: the latest. */
  readonly revision?: Revision;
  readonly limit?: number;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
  readonly sort?: { readonly by: "key" | "version" | "create" | "mod" | "value"; readonly order: "ascend" | "descend" };
  readonly minModRevision?: Revision;
  readonly maxModRevision?: Revision;
  readonly minCreateRevision?: Revision;
  readonly maxCreateRevision?: Revision;
}

export interface RangeResult {
  /** The store's revision when this was read. */
  readonly revision: Revision;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
  /** Keys in the range, whatever the limit. */
  readonly count: number;
}

export type Compare = { readonly key: Key; readonly end?: Key; readonly op: "=" | "!=" | "<" | ">" } & (
  | { readonly target: "version" | "create" | "mod"; readonly value: number }
  | { readonly target: "lease"; readonly value: bigint }
  | { readonly target: "value"; readonly value: Buffer }
);

export interface PutOperation {
  readonly kind: "put";
  readonly key: Key;
  readonly value: Buffer;
  readonly lease?: bigint;
  readonly previous?: boolean;
  readonly ignoreValue?: boolean;
  readonly ignoreLease?: boolean;
  /**
   * Byte offset in `value` of an 18-byte slot that the store overwrites, when it assigns the revision, with the quoted decimal revision padded
   * by spaces (`"42"              `): the served bytes exist before the revision is known. Stores that cannot know it in time leave the slot
   * as it is; readers must check. The store owns `value` after the call.
   */
  readonly revisionSlot?: number;
}

export type Operation =
  | ({ readonly kind: "range"; readonly key: Key } & RangeOptions)
  | PutOperation
  | { readonly kind: "delete"; readonly key: Key; readonly end?: Key; readonly previous?: boolean }
  | ({ readonly kind: "txn" } & Transaction);

export interface Transaction {
  /** All must hold for `then`; otherwise `else` runs. */
  readonly if: readonly Compare[];
  readonly then: readonly Operation[];
  readonly else?: readonly Operation[];
}

export type OperationResult =
  | ({ readonly kind: "range" } & RangeResult)
  | { readonly kind: "put"; readonly previous?: KeyValue }
  | { readonly kind: "delete"; readonly deleted: number; readonly previous: readonly KeyValue[] }
  | { readonly kind: "txn"; readonly succeeded: boolean; readonly results: readonly OperationResult[] };

export interface TransactionResult {
  readonly succeeded: boolean;
  /** The revision of this transaction if it wrote, otherwise the store's revision when it ran. */
  readonly revision: Revision;
  readonly results: readonly OperationResult[];
}

export interface StoreEvent {
  readonly type: "put" | "delete";
  /** Of a delete: key and modRevision of the deletion; the value is empty. */
  readonly kv: KeyValue;
  readonly previous?: KeyValue;
}

export interface WatchRequest {
  readonly key: Key;
  readonly end?: Key;
  /** First revision wanted; absent: only what comes from now on. */
  readonly startRevision?: Revision;
  readonly previous?: boolean;
  readonly filters?: readonly ("noput" | "nodelete")[];
  /** Ends the watch at once when aborted, also from inside `deliver` while older revisions are still being delivered. */
  readonly signal?: AbortSignal;
}

/**
 * What a watch delivers: all events of one or more whole revisions, in order; or the revision that it has reached without events (progress).
 */
export interface WatchBatch {
  readonly revision: Revision;
  readonly events: readonly StoreEvent[];
}

/** Cancelled by the store: `compactedRevision` is set when the start revision is gone. `StoreWatch.closed` resolves with it. */
export class WatchCancelled extends Error {
  readonly compactedRevision: Revision | undefined;
  constructor(message: string, compactedRevision?: Revision) {
    super(message);
    this.name = "WatchCancelled";
    this.compactedRevision = compactedRevision;
  }
}

export interface StoreWatch extends AsyncDisposable {
  /** Resolves when the watch is over: with the reason if the store ended it. */
  readonly closed: Promise<WatchCancelled | undefined>;
  /** Asks for a batch that says how far the watch is. */
  requestProgress(): void;
}

export interface Lease {
  readonly id: bigint;
  readonly grantedTtlSeconds: number;
  readonly remainingTtlSeconds: number;
  readonly keys: readonly Key[];
}

export interface StoreStatus {
  readonly revision: Revision;
  readonly compactedRevision: Revision;
  readonly keyCount: number;
  /** Bytes on disk, and of these in use; both 0 for memory. */
  readonly sizeBytes: number;
  readonly sizeInUseBytes: number;
  /** Set when the store refuses writes, with the reason. */
  readonly alarm?: { readonly kind: "NOSPACE" | "CORRUPT" | "READONLY"; readonly message: string };
}

/** A figure for a metrics page; `buckets` are pairs of an upper bound and the number of observations not above it. */
export type StoreMeasure = { readonly name: string; readonly help: string } & (
  | { readonly kind: "counter" | "gauge"; readonly value: number }
  | {
      readonly kind: "histogram";
      readonly buckets: readonly (readonly [bound: number, count: number])[];
      readonly sum: number;
      readonly count: number;
    }
);

export type StoreErrorCode =
  | "compacted"
  | "futureRevision"
  | "noSpace"
  | "readOnly"
  | "corrupt"
  | "leaseNotFound"
  | "leaseExists"
  | "duplicateKey"
  | "keyNotFound"
  | "emptyKey"
  | "tooLarge"
  | "unavailable"
  | "unknownOutcome"
  | "closed";

export class StoreError extends Error {
  readonly code: StoreErrorCode;
  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StoreError";
    this.code = code;
  }
}

/**
 * Nothing is acknowledged, read or watched before it is durable (D6): `transact` resolves, `range` shows and watches deliver only what would
 * survive a power cut. Ten methods.
 */
export interface Store extends AsyncDisposable {
  /** The latest durable revision; of a store that others write to as well, the latest that this process has heard of. */
  readonly revision: Revision;
  /** Of a store that others write to as well: asks it. Rejects when it does not answer. */
  currentRevision?(): Promise<Revision>;
  /** Reads synchronously when the store holds the answer in memory (memory, disk: every latest read), otherwise a promise. */
  get(key: Key, revision?: Revision): KeyValue | undefined | Promise<KeyValue | undefined>;
  range(key: Key, options?: RangeOptions): RangeResult | Promise<RangeResult>;
  transact(transaction: Transaction): Promise<TransactionResult>;
  /**
   * `deliver` is called synchronously, in revision order, right after the commit is durable; it must be quick and must not throw. Events since
   * `startRevision` may arrive before the promise resolves. A start revision that is compacted away gives a watch whose `closed` resolves at once.
   */
  watch(request: WatchRequest, deliver: (batch: WatchBatch) => void): Promise<StoreWatch>;
  compact(revision: Revision): Promise<void>;
  grantLease(ttlSeconds: number, id?: bigint): Promise<Lease>;
  keepLeaseAlive(id: bigint): Promise<Lease>;
  revokeLease(id: bigint): Promise<void>;
  lease(id: bigint): Promise<Lease | undefined>;
  leases(): Promise<readonly bigint[]>;
  status(): Promise<StoreStatus>;
  /** Figures under etcd's names, for a metrics page. Absent: the store is somewhere else and tells its own. */
  measures?(): Promise<readonly StoreMeasure[]>;
}

/** UTF-8 text as a key. */
export const keyFromText = (text: string): Key =>
  Buffer.byteLength(text) === text.length ? text : Buffer.from(text, "utf8").toString("latin1");

/** The smallest key greater than every key that begins with `prefix` ("\0": to the end of the key space). */
export function prefixEnd(prefix: Key): Key {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const code = prefix.charCodeAt(i);
    if (code < 0xff) return prefix.slice(0, i) + String.fromCharCode(code + 1);
  }
  return "\0";
}

/** Bytes of a revision slot (see PutOperation.revisionSlot). */
export const revisionSlotLength = 18;
