// Brings a watch that starts at an older revision up to the present.
import { nextSlice } from "../engine/log-slice.ts";
import { compacted } from "../engine/messages.ts";
import type { LogEntry, State, Version } from "../engine/state.ts";
import type { Watch } from "../engine/watch-hub.ts";
import { type Revision, WatchCancelled } from "../store.ts";
import { isCold, warm } from "./history.ts";
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
    const cold = entries.flatMap((entry) => entry.changes.flatMap((c) => coldVersions(c, request.previous === true)));
    const warmed = cold.length === 0 ? entries : warmEntries(entries, await warm(reader, cold));
    if (warmed === undefined) {
      // Compacted while we read: the next round says so.
      if (durable().compactedRevision > from) continue;
      watch.end(new WatchCancelled(`Cannot watch from revision ${startRevision}: rows of the store are missing`));
      return;
    }
    watch.offer(warmed, until);
    from = until + 1;
    if (from > durable().revision) break;
  }
  watch.start(durable().revision + 1);
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
function warmEntries(entries: readonly LogEntry[], warmed: ReadonlyMap<number, Version>): LogEntry[] | undefined {
  let complete = true;
  const full = (version: Version): Version => {
    if (!isCold(version) || version.version === 0) return version;
    const found = warmed.get(version.row);
    if (found === undefined) complete = false;
    return found ?? version;
  };
  const filled = entries.map((entry) => ({
    revision: entry.revision,
    // What was there before may be compacted while the event itself is not.
    changes: entry.changes.map(({ version, previous }) => ({
      version: full(version),
      previous: previous === undefined || !isCold(previous) ? previous : warmed.get(previous.row),
    })),
  }));
  return complete ? filled : undefined;
}
