// A history written again into an empty store, one transaction a revision: afterwards revisions, versions, positions and hash are the same.
import type { History, HistoryRecord } from "../engine/history.ts";
import { type Key, type Operation, prefixEnd, type Revision, type Store, StoreError } from "../store.ts";

/** etcd's default of --max-txn-ops. */
const mostOperations = 128;
/** Keys that stand in for what compaction has forgotten; gone at the compacted revision. */
const fillerPrefix = "\0tiphys-filler/";
const stepsBetweenRenewals = 200;
const unknownTtlSeconds = 3600;

/** Throws StoreError "unavailable" when the target is not new, "tooLarge" when a revision has more changes than a transaction may. */
export async function replay(history: History, target: Store): Promise<void> {
  const { revision, kvs } = await target.range("\0", { end: "\0", limit: 1 });
  if (revision !== 1 || kvs.length > 0) {
    throw new StoreError(
      "unavailable",
      `Cannot copy into that store: it is at revision ${revision}, and only a new one takes older revisions`,
    );
  }
  const leases = await grantAll(history, target);
  let step = 0;
  for await (const then of revisionsOf(history)) {
    if (then.length > mostOperations) {
      throw new StoreError(
        "tooLarge",
        `Cannot copy revision ${step + 2}: it has ${then.length} changes, and etcd takes ${mostOperations}`,
      );
    }
    await target.transact({ if: [], then });
    if (++step % stepsBetweenRenewals === 0) await Promise.all(leases.map((id) => target.keepLeaseAlive(id)));
  }
  if (history.compactedRevision > 0) await target.compact(history.compactedRevision);
  const known = new Set(history.leases.map(({ id }) => id));
  for (const id of leases) if (!known.has(id) && (await target.lease(id))?.keys.length === 0) await target.revokeLease(id);
}

/** Those that are there, and those that only older versions name. */
async function grantAll(history: History, target: Store): Promise<bigint[]> {
  const granted = new Map(history.leases.map(({ id, ttlSeconds }) => [id, ttlSeconds]));
  for (const { lease } of history.outline()) if (lease !== 0n && !granted.has(lease)) granted.set(lease, unknownTtlSeconds);
  for (const [id, ttlSeconds] of granted) await target.grantLease(ttlSeconds, id);
  return [...granted.keys()];
}

const noValue: Buffer = Buffer.alloc(0);
const put = ({ key, value, lease }: Pick<HistoryRecord, "key" | "value" | "lease">): Operation => ({
  kind: "put",
  key,
  value,
  lease,
});
const stand = (key: Key): Operation => put({ key, value: noValue, lease: 0n });
const filler = (index: number): Key => `${fillerPrefix}${String(index).padStart(6, "0")}`;

/** The operations of each revision from 2 on. */
async function* revisionsOf(history: History): AsyncGenerator<Operation[]> {
  const { compactedRevision } = history;
  const lost = new LostPuts(history);
  let next = 2;
  const upTo = function* (revision: Revision): Generator<Operation[]> {
    while (next < revision) yield withoutHoles(lost, next++, []);
  };
  for await (const changes of byRevision(history)) {
    const [first] = changes as [HistoryRecord];
    yield* upTo(first.modRevision);
    if (first.modRevision > compactedRevision) yield changes.map(operationOf);
    else yield withoutHoles(lost, first.modRevision, changes);
    next = first.modRevision + 1;
  }
  // A compacted revision beyond the newest change.
  yield* upTo(history.revision + 1);
}

const operationOf = (record: HistoryRecord): Operation =>
  record.version === 0 ? { kind: "delete", key: record.key } : put(record);

async function* byRevision(history: History): AsyncGenerator<HistoryRecord[]> {
  let changes: HistoryRecord[] = [];
  for await (const slice of history.slices()) {
    for (const record of slice) {
      if (changes.length > 0 && changes[0]?.modRevision !== record.modRevision) {
        yield changes;
        changes = [];
      }
      changes.push(record);
    }
  }
  if (changes.length > 0) yield changes;
}

/** What is kept goes to its position; what must happen besides fills the positions between and behind. */
function withoutHoles(lost: LostPuts, revision: Revision, kept: readonly HistoryRecord[]): Operation[] {
  const last = revision === lost.compactedRevision;
  const besides = last ? [] : lost.at(revision, mostOperations - kept.length);
  const operations: Operation[] = [];
  let fillers = 0;
  // Those that the compacted revision deletes may be among `besides`: the others are not called as they are.
  const fill = (): Operation =>
    besides.shift() ?? (last ? { kind: "delete", key: filler(fillers++) } : stand(filler(mostOperations + fillers++)));
  for (const record of kept) {
    while (operations.length < record.sub) operations.push(fill());
    operations.push(operationOf(record));
  }
  operations.push(...besides);
  if (last && revision > 2) operations.push({ kind: "delete", key: fillerPrefix, end: prefixEnd(fillerPrefix) });
  else if (operations.length === 0) operations.push(stand(filler(0)));
  return operations;
}

interface LostPut {
  readonly key: Key;
  readonly from: Revision;
  /** Of the version that is kept. */
  readonly before: Revision;
  puts: number;
}

/** Puts that compaction has forgotten, though creation and version count them. */
class LostPuts {
  readonly compactedRevision: Revision;
  /** By `from`, latest first. */
  readonly #coming: LostPut[] = [];
  #pending: LostPut[] = [];

  constructor(history: History) {
    this.compactedRevision = history.compactedRevision;
    let expected = 0;
    let holes = 0;
    for (const { key, version, createRevision, modRevision, sub } of history.outline()) {
      if (modRevision > this.compactedRevision) break;
      const isLast = modRevision === this.compactedRevision;
      if (isLast) {
        holes += sub - expected;
        expected = sub + 1;
      }
      // What the compacted revision itself deletes must be there before.
      if (version === 0) this.#coming.push({ key, from: modRevision - 1, before: modRevision, puts: 1 });
      else if (version > 1) this.#coming.push({ key, from: createRevision, before: modRevision, puts: version - 1 });
    }
    const from = this.compactedRevision - 1;
    for (let i = 0; i <= holes && from >= 2; i++) this.#coming.push({ key: filler(i), from, before: from + 1, puts: 1 });
    this.#coming.sort((a, b) => b.from - a.from);
  }

  /** Keys whose time is shortest come first. */
  at(revision: Revision, room: number): Operation[] {
    for (let next = this.#coming.at(-1); next !== undefined && next.from <= revision; next = this.#coming.at(-1)) {
      this.#coming.pop();
      this.#pending.push(next);
    }
    const isNew = ({ from }: LostPut): number => (from === revision ? 0 : 1);
    const slack = ({ before, puts }: LostPut): number => before - revision - puts;
    if (this.#pending.length > room) this.#pending.sort((a, b) => isNew(a) - isNew(b) || slack(a) - slack(b));
    const chosen = this.#pending.slice(0, Math.max(0, room));
    for (const each of chosen) each.puts--;
    this.#pending = this.#pending.filter(({ puts }) => puts > 0);
    return chosen.map(({ key }) => stand(key));
  }
}
