// Brings a watch that starts at an older revision up to the present.
import { nextSlice } from "../engine/log-slice.ts";
import { compacted } from "../engine/messages.ts";
import type { Change, LogEntry, State, Version } from "../engine/state.ts";
import type { Watch } from "../engine/watch-hub.ts";
import { type Revision, WatchCancelled } from "../store.ts";
import { isCold, type Part, warm } from "./history.ts";
import type { Thread } from "./thread.ts";

/** Delivers what is in the log and makes the watch live. Synchronous as long as everything wanted is in memory. */
export async function catchUp(watch: Watch, startRevision: Revision, durable: () => State, reader: () => Thread): Promise<void> {
  const { request } = watch;
  for (let from = startRevision; !watch.ended; ) {
    if (from < durable().compactedRevision) {
      watch.end(new WatchCancelled(compacted().message, durable().compactedRevision));
      return;
    }
    const { entries, until } = nextSlice(durable(), request, from);
    const wanted = entries.map(({ changes }) => changes.flatMap((change) => coldVersions(change, request.previous === true)));
    if (wanted.every(({ length }) => length === 0)) watch.offer(entries, until);
    else {
      const gone = await offerWarm(watch, entries, wanted, warm(reader, wanted.flat()));
      if (gone !== undefined) {
        from = gone;
        // Compacted while we read: the next round says so.
        if (durable().compactedRevision > from) continue;
        watch.end(new WatchCancelled(`Cannot watch from revision ${startRevision}: rows of the store are missing`));
        return;
      }
      watch.offer([], until);
    }
    from = until + 1;
    if (from > durable().revision) break;
  }
  watch.start(durable().revision + 1);
}

/** Offers entries when their values have come, a few at a time; returns the revision of the first of which a row was gone. */
async function offerWarm(
  watch: Watch,
  entries: readonly LogEntry[],
  wanted: readonly (readonly Version[])[],
  parts: AsyncIterable<Part>,
): Promise<Revision | undefined> {
  let index = 0;
  let read = 0;
  /** Of the entry at `index`. */
  let begun: (readonly [row: number, version: Version])[] = [];
  for await (const { versions, found } of parts) {
    read += versions;
    const known = new Map([...begun, ...found]);
    const complete: LogEntry[] = [];
    for (let needed = wanted[index]; needed !== undefined && needed.length <= read; needed = wanted[index]) {
      const entry = entries[index] as LogEntry; // there are as many
      const warmed = warmEntry(entry, known);
      if (warmed === undefined) return entry.revision;
      complete.push(warmed);
      read -= needed.length;
      index++;
    }
    const last = complete.at(-1);
    if (last !== undefined) watch.offer(complete, last.revision);
    if (watch.ended) break;
    const rows = new Set(wanted[index]?.map(({ row }) => row));
    begun = [...known].filter(([row]) => rows.has(row));
  }
  return undefined;
}

function coldVersions(
  { version, previous }: { readonly version: Version; readonly previous: Version | undefined },
  withPrevious: boolean,
): Version[] {
  const cold = isCold(version) && version.version > 0 ? [version] : [];
  if (withPrevious && previous !== undefined && isCold(previous)) cold.push(previous);
  return cold;
}

/** Undefined when a row was gone. */
function warmEntry({ revision, changes }: LogEntry, warmed: ReadonlyMap<number, Version>): LogEntry | undefined {
  const filled: Change[] = [];
  for (const { version, previous } of changes) {
    const full = isCold(version) && version.version > 0 ? warmed.get(version.row) : version;
    if (full === undefined) return undefined;
    // What was there before may be compacted while the event itself is not.
    filled.push({ version: full, previous: previous === undefined || !isCold(previous) ? previous : warmed.get(previous.row) });
  }
  return { revision, changes: filled };
}
