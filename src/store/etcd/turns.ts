// Compaction of an etcd that several API servers share: one of them does it, agreed on through a key, as upstream's API servers do.
import { type Clock, every, type Log, type Timer } from "#base";
import { type Key, type Revision, type Store, StoreError } from "../store.ts";

/** What it needs of a store. */
type Compacted = Pick<Store, "transact" | "compact">;

/** Upstream's key, and its protocol: API servers of both kinds may run on one etcd. Its version counts the turns. */
const turnKey: Key = "compact_rev_key";

/**
 * Every period, whoever raises the key's version first compacts to the revision that was current a period ago; the others learn from the key
 * that the turn is taken. Keeps between one and two periods of history.
 */
export function compactInTurns(store: Compacted, clock: Clock, periodMs: number, log: Log): Timer {
  let state = { turn: 0, revision: 0 };
  return every(clock, periodMs, async () => {
    try {
      state = await takeTurn(store, state);
    } catch (error) {
      if (error instanceof StoreError && error.code === "closed") return;
      log.warn("cannot compact the store", { revision: state.revision, error: String(error) });
    }
  });
}

interface Turn {
  /** Version of the key when it was last seen. */
  readonly turn: number;
  /** The store's revision at that time; 0: not known yet, so there is nothing to compact to. */
  readonly revision: Revision;
}

async function takeTurn(store: Compacted, { turn, revision }: Turn): Promise<Turn> {
  const result = await store.transact({
    if: [{ key: turnKey, target: "version", op: "=", value: turn }],
    then: [{ kind: "put", key: turnKey, value: Buffer.from(String(revision)) }],
    else: [{ kind: "range", key: turnKey }],
  });
  if (!result.succeeded) {
    const [found] = result.results;
    return { turn: (found?.kind === "range" && found.kvs[0]?.version) || 0, revision: result.revision };
  }
  if (revision > 0) {
    try {
      await store.compact(revision);
    } catch (error) {
      // Somebody else has compacted further by hand.
      if (!(error instanceof StoreError) || error.code !== "compacted") throw error;
    }
  }
  return { turn: turn + 1, revision: result.revision };
}
