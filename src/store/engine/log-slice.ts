// The part of the log that a watch from an older revision wants next: a step at a time, so that neither memory nor others suffer.
import type { Revision, WatchRequest } from "../store.ts";
import type { LogEntry, State } from "./state.ts";
import { matching } from "./watch-hub.ts";

/** A watcher that reads slowly takes few at a time, and what it does not take is read again. */
const entriesAStep = 100;
const scannedAStep = 5000;

/** The next entries that a watch wants, and the revision up to which these are all. */
export function nextSlice(
  state: State,
  request: WatchRequest,
  from: Revision,
): { readonly entries: LogEntry[]; readonly until: Revision } {
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

/** At the compacted revision itself, what was there before is gone. */
const withoutPrevious = (entry: LogEntry): LogEntry => ({
  revision: entry.revision,
  changes: entry.changes.map(({ version }) => ({ version, previous: undefined })),
});
