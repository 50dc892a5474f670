// The store as it was at an older revision: the latest tree with the log undone, kept for the pages of a list.
import type { Key, Revision } from "../store.ts";
import type { State, Version } from "./state.ts";
import type { Tree } from "./tree.ts";

const kept = 4;

/** Remembers the last few revisions read. Costs O(changes since that revision) the first time, nothing afterwards. */
export class SnapshotCache {
  readonly #trees = new Map<Revision, Tree<Key, Version>>();

  at(state: State, revision: Revision): Tree<Key, Version> {
    if (revision === state.revision) return state.live;
    let tree = this.#trees.get(revision);
    if (tree === undefined) tree = undo(state, revision);
    else this.#trees.delete(revision);
    this.#trees.set(revision, tree);
    if (this.#trees.size > kept) this.#trees.delete(this.#trees.keys().next().value as Revision); // not empty
    return tree;
  }

  /** Forgets what compaction has made unreadable. */
  compact(revision: Revision): void {
    for (const known of this.#trees.keys()) if (known < revision) this.#trees.delete(known);
  }

  clear(): void {
    this.#trees.clear();
  }
}

function undo(state: State, revision: Revision): Tree<Key, Version> {
  const before = new Map<Key, Version | undefined>();
  state.log.scan(revision + 1, undefined, (entry) => {
    for (const { version, previous } of entry.changes) if (!before.has(version.key)) before.set(version.key, previous);
  });
  const tree = state.live.snapshot();
  for (const [key, version] of before) {
    if (version === undefined) tree.delete(key);
    else tree.set(key, version);
  }
  return tree;
}
