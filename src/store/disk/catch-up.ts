// Brings a watch that starts at an older revision up to the present.
import { compacted } from "../engine/messages.ts";
import type { LogEntry, State, Version } from "../engine/state.ts";
import { matching, type Watch } from "../engine/watch-hub.ts";
import { type Revision, WatchCancelled, type WatchRequest } from "../store.ts";
import { isCold, warm } from "./history.ts";
import type { Thread } from "./thread.ts";

const entriesAStep = 500;
const scannedAStep = 5000;

/** Delivers what is in the log and makes the watch live. Synchronous as long as everything wanted is in memory. */
export async function catchUp(watch: Watch, startRevision: Revision, durable: () => State, reader: () => Thread): Promise<void> {
  const { request } = watch;
  for (let from = startRevision; !watch.ended; ) {
    if (from < durable().compactedRevision) {
      watch.end(new WatchCancelled(compacted().message, durable().compactedRevision));
      return;
    }
    const { entries, until } = slice(durable(), request, from);
    const cold = entries.flatMap((entry) => entry.changes.flatMap((c) => coldVersions(c, request.previous === true)));
    const warmed = cold.length === 0 ? entries : warmEntries(entries, await warm(reader, cold));
    // Compacted while we read: the next round says so.
    if (warmed === undefined) {
      from = durable().compactedRevision > from ? from : until + 1;
      continue;
    }
    watch.offer(warmed, until);
    from = until + 1;
    if (from > durable().revision) break;
  }
  watch.start(durable().revision + 1);
}

/** The next entries that a watch wants, and the revision up to which these are all. */
function slice(state: State, request: WatchRequest, from: Revision): { readonly entries: LogEntry[]; readonly until: Revision } {
  const entries: LogEntry[] = [];
  let until = state.revision;
  let scanned = 0;
  state.log.scan(from, state.revision + 1, (entry) => {
    const part = matching(entry.revision > state.compactedRevision ? entry : withoutPrevious(entry), request);
    if (part !== undefined) entries.push(part);
    if (++scanned < scannedAStep && entries.length < entriesAStep) return true;
    until = entry.revision;
    return false;
  });
  return { entries, until };
}

function coldVersions(
  { version, previous }: { readonly version: Version; readonly previous: Version | undefined },
  withPrevious: boolean,
): Version[] {
  const cold = isCold(version) && version.version > 0 ? [version] : [];
  if (withPrevious && previous !== undefined && isCold(previous)) cold.push(previous);
  return cold;
}

/** At the compacted revision itself, what was there before is gone. */
const withoutPrevious = (entry: LogEntry): LogEntry => ({
  revision: entry.revision,
  changes: entry.changes.map(({ version }) => ({ version, previous: undefined })),
});

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
