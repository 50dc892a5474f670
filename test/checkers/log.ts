// The store's own course of events, put together from what all watchers saw, and what each key was at each revision of it.
import { type Entry, eventsOf, type Violation, type WatchedEvent, type WatchRecord } from "./history.ts";

export interface EventLog {
  /** In order; events of one revision in the order of the transaction. */
  readonly events: readonly WatchedEvent[];
  /** Revisions that no watcher has seen, below the last one seen. */
  readonly missing: ReadonlySet<number>;
  readonly last: number;
  /** The key after that revision. */
  at(key: string, revision: number): Entry | undefined;
  /** What happened at that revision. */
  of(revision: number): readonly WatchedEvent[];
}

/** Complete only if some watcher saw every key. Watchers that contradict each other are violations of "reliable". */
export function mergeLog(watches: readonly WatchRecord[]): { readonly log: EventLog; readonly violations: readonly Violation[] } {
  const violations: Violation[] = [];
  const revisions = new Map<number, Map<string, WatchedEvent>>();
  // Those who see most come first: the order inside a revision is theirs.
  const widestFirst = [...watches].sort((a, b) => Number(b.end === "\0") - Number(a.end === "\0"));
  for (const watch of widestFirst) {
    for (const event of eventsOf(watch)) {
      const events = revisions.get(event.modRevision) ?? new Map<string, WatchedEvent>();
      revisions.set(event.modRevision, events);
      const known = events.get(event.key);
      if (known === undefined) events.set(event.key, event);
      else if (known.type !== event.type || known.value !== event.value)
        violations.push({
          check: "reliable",
          message: `watchers saw different things at revision ${event.modRevision}: ${describe(known)} and, by ${watch.client}, ${describe(event)}`,
        });
    }
  }
  return {
    log: logOf([...revisions].sort(([a], [b]) => a - b).map(([revision, events]) => [revision, [...events.values()]])),
    violations,
  };
}

function logOf(revisions: readonly (readonly [number, readonly WatchedEvent[]])[]): EventLog {
  const byRevision = new Map(revisions);
  const last = revisions.at(-1)?.[0] ?? 1;
  const missing = new Set<number>();
  for (let revision = 2; revision < last; revision++) if (!byRevision.has(revision)) missing.add(revision);
  const versions = new Map<string, { readonly revision: number; readonly entry: Entry | undefined }[]>();
  for (const [revision, events] of revisions) {
    for (const { key, type, value } of events) {
      const known = versions.get(key) ?? [];
      versions.set(key, known);
      const before = known.at(-1)?.entry;
      const entry = {
        value,
        modRevision: revision,
        createRevision: before?.createRevision ?? revision,
        version: (before?.version ?? 0) + 1,
      };
      known.push({ revision, entry: type === "put" ? entry : undefined });
    }
  }
  return {
    events: revisions.flatMap(([, events]) => events),
    missing,
    last,
    at: (key, revision) => {
      const known = versions.get(key) ?? [];
      let [low, high] = [0, known.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((known[middle]?.revision ?? 0) <= revision) low = middle + 1;
        else high = middle;
      }
      return known[low - 1]?.entry;
    },
    of: (revision) => byRevision.get(revision) ?? [],
  };
}

export const describe = ({ type, key, value, modRevision }: WatchedEvent): string =>
  `${type} ${key}${type === "put" ? `=${value.slice(0, 40)}` : ""}@${modRevision}`;
