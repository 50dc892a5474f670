// Runs transactions against a State: compares first, then the branch taken, all in one revision.
import type {
  Compare,
  Key,
  KeyValue,
  Operation,
  OperationResult,
  PutOperation,
  RangeOptions,
  Revision,
  Transaction,
  TransactionResult,
} from "../store.ts";
import { revisionSlotLength } from "../store.ts";
import { checkTransaction } from "./check.ts";
import { compacted, futureRevision, keyNotFound, leaseNotFound } from "./messages.ts";
import { interval, rangeOf } from "./range.ts";
import { attachmentKey, type Change, type State, type Version } from "./state.ts";
import type { Tree } from "./tree.ts";

const noBytes: Buffer = Buffer.alloc(0);

export interface Evaluation {
  readonly result: TransactionResult;
  /** What it wrote, in order; empty: nothing, and no revision was used. */
  readonly changes: readonly Change[];
}

/** Gives the store as it was at an older, kept revision. */
export type Snapshots = (revision: Revision) => Tree<Key, Version>;

/** Throws a StoreError and leaves the state alone, or applies the transaction as one revision. */
export function evaluate(
  state: State,
  transaction: Transaction,
  snapshots: Snapshots,
  rangeOptions: RangeRewrite = asAsked,
): Evaluation {
  checkTransaction(transaction);
  const run = new Run(state, snapshots, rangeOptions);
  const plan = run.plan(transaction);
  run.check(plan, "put");
  run.check(plan, "range");
  const results = run.apply(plan);
  return { result: { succeeded: plan.succeeded, revision: run.finish(), results }, changes: run.changes };
}

/** Lets a store that has not all values at hand read more than asked, to choose later. For reads at an older revision only. */
export type RangeRewrite = (options: RangeOptions) => RangeOptions;

const asAsked: RangeRewrite = (options) => options;

/** Deletes the lease and its keys in one revision (none if it has no keys). */
export function evaluateRevocation(state: State, id: bigint): readonly Change[] {
  const run = new Run(state, neverAsked, asAsked);
  for (const key of state.leaseKeys(id)) run.remove(key);
  run.finish();
  state.grants.delete(id);
  return run.changes;
}

const neverAsked: Snapshots = () => {
  throw new Error("Broken invariant: a revocation does not read");
};

/** The path through a transaction: etcd decides every compare, nested ones too, before the first write. */
interface Plan {
  readonly succeeded: boolean;
  readonly operations: readonly Operation[];
  readonly nested: ReadonlyMap<Operation, Plan>;
}

const noPlans: ReadonlyMap<Operation, Plan> = new Map();

class Run {
  readonly #state: State;
  readonly #snapshots: Snapshots;
  readonly #rangeOptions: RangeRewrite;
  readonly #revision: Revision;
  readonly changes: Change[] = [];
  /** Reads at an older revision, made before the writes. */
  #older: Map<Operation, OperationResult & { kind: "range" }> | undefined;

  constructor(state: State, snapshots: Snapshots, rangeOptions: RangeRewrite) {
    this.#state = state;
    this.#rangeOptions = rangeOptions;
    this.#snapshots = snapshots;
    this.#revision = state.revision + 1;
  }

  plan(transaction: Transaction): Plan {
    const succeeded = transaction.if.every((compare) => holds(this.#state, compare));
    const operations = succeeded ? transaction.then : (transaction.else ?? []);
    let nested = noPlans;
    for (const operation of operations) {
      if (operation.kind !== "txn") continue;
      if (nested === noPlans) nested = new Map();
      (nested as Map<Operation, Plan>).set(operation, this.plan(operation));
    }
    return { succeeded, operations, nested };
  }

  /** Refuses what cannot be done before anything is: in etcd's order, all puts on the path and then all reads. */
  check(plan: Plan, kind: "put" | "range"): void {
    for (const operation of plan.operations) {
      if (operation.kind === "txn") this.check(plan.nested.get(operation) as Plan, kind);
      else if (operation.kind === kind) this.#check(operation);
    }
  }

  #check(operation: Exclude<Operation, { kind: "txn" }>): void {
    if (operation.kind === "put") {
      if ((operation.ignoreValue || operation.ignoreLease) && !this.#state.live.has(operation.key)) throw keyNotFound();
      if (operation.lease && !operation.ignoreLease && !this.#state.grants.has(operation.lease)) throw leaseNotFound();
    } else if (operation.kind === "range" && operation.revision) {
      if (operation.revision > this.#state.revision) throw futureRevision();
      if (operation.revision < this.#state.compactedRevision) throw compacted();
      this.#older ??= new Map();
      const tree = this.#snapshots(operation.revision);
      this.#older.set(operation, {
        kind: "range",
        ...rangeOf(tree, this.#state.revision, operation.key, this.#rangeOptions(operation)),
      });
    }
  }

  apply(plan: Plan): readonly OperationResult[] {
    return plan.operations.map((operation) => {
      switch (operation.kind) {
        case "put":
          return this.put(operation);
        case "range":
          return this.#range(operation);
        case "delete":
          return this.#delete(operation.key, operation.end, operation.previous === true);
        case "txn": {
          const nested = plan.nested.get(operation) as Plan; // made by plan() for every nested transaction
          return { kind: "txn", succeeded: nested.succeeded, results: this.apply(nested) };
        }
        default:
          return operation satisfies never;
      }
    });
  }

  #range(operation: Operation & { kind: "range" }): OperationResult {
    const revision = this.changes.length === 0 ? this.#state.revision : this.#revision;
    const older = this.#older?.get(operation);
    if (older !== undefined) return { ...older, revision };
    return { kind: "range", ...rangeOf(this.#state.live, revision, operation.key, operation) };
  }

  put(operation: PutOperation): OperationResult {
    const state = this.#state;
    const { key } = operation;
    const previous = state.live.get(key);
    const lease = operation.ignoreLease ? (previous?.lease ?? 0n) : (operation.lease ?? 0n);
    const version: Version = {
      key,
      value: operation.ignoreValue ? (previous?.value ?? noBytes) : withRevision(operation, this.#revision),
      createRevision: previous?.createRevision ?? this.#revision,
      modRevision: this.#revision,
      version: (previous?.version ?? 0) + 1,
      lease,
      row: ++state.row,
      sub: this.changes.length,
    };
    state.live.set(key, version);
    if (previous !== undefined && previous.lease !== 0n && previous.lease !== lease) {
      state.attachments.delete(attachmentKey(previous.lease, key));
    }
    if (lease !== 0n) state.attachments.set(attachmentKey(lease, key), key);
    this.changes.push({ version, previous });
    return operation.previous && previous !== undefined ? { kind: "put", previous } : { kind: "put" };
  }

  #delete(key: Key, end: Key | undefined, wantPrevious: boolean): OperationResult {
    const removed: Version[] = [];
    if (end === undefined) {
      const version = this.#state.live.get(key);
      if (version !== undefined) removed.push(version);
    } else {
      const range = interval(key, end);
      this.#state.live.scan(range.start, range.end, (version) => {
        removed.push(version);
      });
    }
    for (const version of removed) this.remove(version.key);
    return { kind: "delete", deleted: removed.length, previous: wantPrevious ? removed : [] };
  }

  remove(key: Key): void {
    const state = this.#state;
    const previous = state.live.get(key);
    if (previous === undefined) return;
    state.live.delete(key);
    if (previous.lease !== 0n) state.attachments.delete(attachmentKey(previous.lease, key));
    const version = {
      key,
      value: noBytes,
      createRevision: 0,
      modRevision: this.#revision,
      version: 0,
      lease: 0n,
      row: ++state.row,
      sub: this.changes.length,
    };
    this.changes.push({ version, previous });
  }

  /** Closes the revision, if anything was written; returns the store's revision. */
  finish(): Revision {
    if (this.changes.length > 0) {
      this.#state.revision = this.#revision;
      this.#state.log.set(this.#revision, { revision: this.#revision, changes: this.changes });
    }
    return this.#state.revision;
  }
}

function withRevision(operation: PutOperation, revision: Revision): Buffer {
  if (operation.revisionSlot !== undefined) {
    operation.value.write(`"${revision}"`.padEnd(revisionSlotLength), operation.revisionSlot, revisionSlotLength, "latin1");
  }
  return operation.value;
}

const absent: KeyValue = { key: "", value: noBytes, createRevision: 0, modRevision: 0, version: 0, lease: 0n };

function holds(state: State, compare: Compare): boolean {
  if (compare.end === undefined) return holdsFor(state.live.get(compare.key), compare);
  const { start, end } = interval(compare.key, compare.end);
  let found = false;
  let all = true;
  state.live.scan(start, end, (version) => {
    found = true;
    all = holdsFor(version, compare);
    return all;
  });
  return found ? all : holdsFor(undefined, compare);
}

/** An absent key compares as zeros, except that no comparison with a value holds for it. */
function holdsFor(kv: KeyValue | undefined, compare: Compare): boolean {
  if (kv === undefined && compare.target === "value") return false;
  const order = orderOf(kv ?? absent, compare);
  switch (compare.op) {
    case "=":
      return order === 0;
    case "!=":
      return order !== 0;
    case "<":
      return order < 0;
    case ">":
      return order > 0;
    default:
      return compare.op satisfies never;
  }
}

function orderOf(kv: KeyValue, compare: Compare): number {
  switch (compare.target) {
    case "value":
      return Buffer.compare(kv.value, compare.value);
    case "version":
      return kv.version - compare.value;
    case "create":
      return kv.createRevision - compare.value;
    case "mod":
      return kv.modRevision - compare.value;
    case "lease":
      return kv.lease < compare.value ? -1 : kv.lease > compare.value ? 1 : 0;
    default:
      return compare satisfies never;
  }
}
