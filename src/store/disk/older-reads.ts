// Reads at older revisions: the key tree of that time, with those values fetched that are on disk only.
import { compacted, futureRevision } from "../engine/messages.ts";
import { rangeOf } from "../engine/range.ts";
import { SnapshotCache } from "../engine/snapshots.ts";
import type { State, Version } from "../engine/state.ts";
import { Tree } from "../engine/tree.ts";
import {
  type Key,
  type Operation,
  type OperationResult,
  type RangeOptions,
  type RangeResult,
  type Revision,
  StoreError,
  type Transaction,
  type TransactionResult,
} from "../store.ts";
import type { Alarms } from "./alarms.ts";
import { coldOf, isCold, type Part, warm } from "./history.ts";
import { type Thread, ThreadFailure } from "./thread.ts";

interface OlderReadsOptions {
  readonly head: () => State;
  readonly durable: () => State;
  readonly reader: () => Thread;
  readonly alarms: Alarms;
}

export class OlderReads {
  readonly #options: OlderReadsOptions;
  readonly #snapshots = new SnapshotCache();

  constructor(options: OlderReadsOptions) {
    this.#options = options;
  }

  /** Durable keys at a revision; 0 or undefined: the latest. */
  treeAt(revision: Revision | undefined): Tree<Key, Version> {
    const durable = this.#options.durable();
    if (!revision) return durable.live;
    if (revision > durable.revision) throw futureRevision();
    if (revision < durable.compactedRevision) throw compacted();
    return this.snapshotOf(revision);
  }

  snapshotOf(revision: Revision): Tree<Key, Version> {
    const durable = this.#options.durable();
    // A transaction may read a revision that is still on its way; snapshots of those are not kept, they might never be.
    if (revision > durable.revision) return new SnapshotCache().at(this.#options.head(), revision);
    return this.#snapshots.at(durable, revision);
  }

  compact(revision: Revision): void {
    this.#snapshots.compact(revision);
  }

  /** All of them with their values. */
  async warmAll(versions: readonly Version[]): Promise<Version[]> {
    // In the order of the file.
    const cold = versions.filter(isCold).sort((a, b) => a.row - b.row);
    const warmed = new Map<number, Version>();
    for await (const { found } of this.#warm(cold)) for (const [row, version] of found) warmed.set(row, version);
    return versions.map((version) => known(version, warmed));
  }

  /** All of them with their values, in order, a few megabytes from disk at a time. */
  async *warmSlices(versions: readonly Version[]): AsyncIterable<readonly Version[]> {
    let at = 0;
    for await (const part of this.#warm(versions.filter(isCold))) {
      const from = at;
      for (let cold = 0; cold < part.versions; at++) if (isCold(versions[at] as Version)) cold++; // there are as many
      yield versions.slice(from, at).map((version) => known(version, part.found));
    }
    if (at < versions.length) yield versions.slice(at);
  }

  async *#warm(cold: readonly Version[]): AsyncIterable<Part> {
    const { alarms, reader } = this.#options;
    try {
      yield* warm(reader, cold);
    } catch (error) {
      if (error instanceof ThreadFailure && error.failure.code === "corrupt") {
        alarms.raise("CORRUPT", error.message);
        throw new StoreError("corrupt", `Cannot read an older revision: ${error.message}`, { cause: error });
      }
      throw error;
    }
  }

  /** Fills in the values that are on disk. A sort by value happens only now. */
  complete(result: RangeResult, key: Key, options: RangeOptions): RangeResult | Promise<RangeResult> {
    const again = firstPass(options) !== options;
    if (!again && coldOf(result).length === 0) return result;
    return this.warmAll(result.kvs as Version[]).then((kvs) => {
      if (!again) return { ...result, kvs };
      const tree = new Tree<Key, Version>();
      for (const kv of kvs) tree.set(kv.key, kv);
      return { ...rangeOf(tree, result.revision, key, options), count: result.count };
    });
  }

  /** The same for every read in a transaction. */
  completeAll(result: TransactionResult, transaction: Transaction): TransactionResult | Promise<TransactionResult> {
    if (!readsOlder(transaction)) return result;
    return this.#completeResults(result.results, branchTaken(result.succeeded, transaction)).then((results) => ({
      ...result,
      results,
    }));
  }

  #completeResults(results: readonly OperationResult[], operations: readonly Operation[]): Promise<readonly OperationResult[]> {
    return Promise.all(
      results.map(async (result, index): Promise<OperationResult> => {
        const operation = operations[index];
        if (result.kind === "range" && operation?.kind === "range" && operation.revision) {
          return { kind: "range", ...(await this.complete(result, operation.key, operation)) };
        }
        if (result.kind !== "txn" || operation?.kind !== "txn") return result;
        return { ...result, results: await this.#completeResults(result.results, branchTaken(result.succeeded, operation)) };
      }),
    );
  }
}

/** Throws when compaction has removed it meanwhile. */
function known(version: Version, warmed: ReadonlyMap<number, Version>): Version {
  const found = isCold(version) ? warmed.get(version.row) : version;
  if (found === undefined) throw compacted();
  return found;
}

/** Reads that need values from disk before they can be sorted are made in two steps; the first takes everything. */
export function firstPass(options: RangeOptions): RangeOptions {
  if (!options.revision || options.sort?.by !== "value" || options.end === undefined || options.countOnly) return options;
  return { end: options.end, revision: options.revision };
}

const branchTaken = (succeeded: boolean, transaction: Transaction): readonly Operation[] =>
  succeeded ? transaction.then : (transaction.else ?? []);

const readsOlder = (transaction: Transaction): boolean =>
  [...transaction.then, ...(transaction.else ?? [])].some((operation) =>
    operation.kind === "txn" ? readsOlder(operation) : operation.kind === "range" && Boolean(operation.revision),
  );
