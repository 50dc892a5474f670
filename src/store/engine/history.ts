// Everything that compaction has left, oldest first: what snapshots, hashes and copies of a store are made of.
import type { KeyValue, Revision } from "../store.ts";
import { SnapshotCache } from "./snapshots.ts";
import { firstLeaseId, type Grant, type State, type Version } from "./state.ts";

/** A version of a key; `version` 0 is its deletion. */
export interface HistoryRecord extends KeyValue {
  /** Position among the changes of its revision, from 0. */
  readonly sub: number;
}

/** One moment of a store. Dispose it soon: a store on disk removes nothing meanwhile. */
export interface History extends Disposable {
  readonly revision: Revision;
  /** 0: never compacted. */
  readonly compactedRevision: Revision;
  readonly leases: readonly Grant[];
  /**
   * All kept versions in the order of revision and position, in slices. Up to the compacted revision these are the versions that were the latest
   * there, and that revision's own deletions. May be walked more than once. Throws StoreError "corrupt".
   */
  slices(): AsyncIterable<readonly HistoryRecord[]>;
  /** The same without values, at once. */
  outline(): Iterable<Omit<HistoryRecord, "value">>;
}

const recordsASlice = 256;

/** `state` is a snapshot that nobody changes; `warm` brings back values that are not in memory, in slices as small as it likes. */
export function historyOf(
  state: State,
  warm: (versions: readonly Version[]) => AsyncIterable<readonly Version[]> = asTheyAre,
  dispose: () => void = () => {},
): History {
  const leases: Grant[] = [];
  state.grants.scan(firstLeaseId, undefined, (grant) => {
    leases.push(grant);
  });
  return {
    revision: state.revision,
    compactedRevision: state.compactedRevision,
    leases,
    async *slices() {
      for (const versions of inSlices(kept(state))) yield* warm(versions);
    },
    outline: () => kept(state),
    [Symbol.dispose]: dispose,
  };
}

async function* asTheyAre(versions: readonly Version[]): AsyncIterable<readonly Version[]> {
  yield versions;
}

function* kept(state: State): Iterable<Version> {
  yield* atCompaction(state);
  for (let next: Revision | undefined = state.compactedRevision + 1; next !== undefined; ) {
    const from: Revision = next;
    next = undefined;
    const versions: Version[] = [];
    state.log.scan(from, undefined, (entry) => {
      if (versions.length >= recordsASlice) {
        next = entry.revision;
        return false;
      }
      for (const { version } of entry.changes) versions.push(version);
      return true;
    });
    yield* versions;
  }
}

/** The latest versions at the compacted revision and what it deleted itself. */
function atCompaction(state: State): Version[] {
  const { compactedRevision } = state;
  if (compactedRevision === 0) return [];
  const versions: Version[] = [];
  new SnapshotCache().at(state, compactedRevision).scan("", undefined, (version) => {
    versions.push(version);
  });
  for (const { version } of state.log.get(compactedRevision)?.changes ?? []) if (version.version === 0) versions.push(version);
  return versions.sort((a, b) => a.row - b.row);
}

function* inSlices(versions: Iterable<Version>): Iterable<readonly Version[]> {
  let slice: Version[] = [];
  for (const version of versions) {
    slice.push(version);
    if (slice.length < recordsASlice) continue;
    yield slice;
    slice = [];
  }
  if (slice.length > 0) yield slice;
}
