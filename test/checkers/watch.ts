// What etcd promises of watches, as nine checks: https://etcd.io/docs/v3.6/learning/api_guarantees/#watch-apis and its robustness tests.
import {
  byClient,
  type Entry,
  eventsOf,
  type History,
  type Violation,
  type WatchedEvent,
  type WatchRecord,
  wants,
} from "./history.ts";
import { describe, type EventLog } from "./log.ts";

type Check = (history: History, log: EventLog) => readonly string[];

/** Runs `check` on each client's events across all lives of its watch. */
const eachClient =
  (check: (lives: readonly WatchRecord[], client: string) => readonly string[]): Check =>
  ({ watches }) =>
    [...byClient(watches)].flatMap(([client, lives]) => check(lives, client).map((message) => `${client}: ${message}`));

const eachWatch =
  (check: (watch: WatchRecord, log: EventLog, history: History) => readonly string[]): Check =>
  (history, log) =>
    history.watches.flatMap((watch) => check(watch, log, history).map((message) => `${watch.client}: ${message}`));

/** Events come in the order of their revisions, and none comes that is later than its answer's header. */
const ordered: Check = eachClient((lives) => {
  const wrong: string[] = [];
  let last = 0;
  for (const { events, revision } of lives.flatMap(({ responses }) => responses)) {
    for (const event of events) {
      if (event.modRevision < last) wrong.push(`${describe(event)} came after revision ${last}`);
      if (event.modRevision > revision) wrong.push(`${describe(event)} came in an answer of revision ${revision}`);
      last = event.modRevision;
    }
  }
  return wrong;
});

/** No event comes twice. */
const unique: Check = eachClient((lives) => {
  const wrong: string[] = [];
  const seen = new Set<string>();
  for (const event of lives.flatMap(eventsOf)) {
    const name = `${event.modRevision} ${event.key}`;
    if (seen.has(name)) wrong.push(`${describe(event)} came twice`);
    seen.add(name);
  }
  return wrong;
});

/** All events of a revision come in one answer. */
const atomic: Check = eachClient((lives) => {
  const wrong: string[] = [];
  let last = 0;
  for (const { events } of lives.flatMap(({ responses }) => responses)) {
    const first = events[0];
    if (first?.modRevision === last) wrong.push(`revision ${last} is split: ${describe(first)} came in an answer of its own`);
    last = events.at(-1)?.modRevision ?? last;
  }
  return wrong;
});

/** Between the first and the last event that a watch got, it got all that it asked for, and nothing that did not happen. */
const reliable: Check = (history, log) => [
  ...[...log.missing].map((revision) => `nobody has seen revision ${revision}, but somebody has seen revision ${log.last}`),
  ...eachWatch((watch) => {
    const got = eventsOf(watch);
    const [first, last] = [got[0]?.modRevision ?? 0, got.at(-1)?.modRevision ?? -1];
    const expected = log.events.filter((event) => event.modRevision >= first && event.modRevision <= last && wants(watch, event));
    const names = new Set(got.map(({ key, modRevision }) => `${modRevision} ${key}`));
    const lost = expected.filter(({ key, modRevision }) => !names.has(`${modRevision} ${key}`));
    if (lost.length > 0) return lost.map((event) => `${describe(event)} is missing between revisions ${first} and ${last}`);
    const different = got.findIndex((event, index) => !sameEvent(event, expected[index]));
    const [actual, wanted] = [got[different], expected[different]];
    return actual === undefined ? [] : [`${describe(actual)} came where ${wanted ? describe(wanted) : "nothing"} happened`];
  })(history, log),
];

/** The first event is the first that was asked for from the start revision on, and each life takes up where the one before ended. */
const resumable: Check = (history, log) => [
  ...eachWatch((watch) => {
    const [got] = eventsOf(watch);
    if (got === undefined) return [];
    const wanted = log.events.find((event) => event.modRevision >= watch.startRevision && wants(watch, event));
    if (wanted === undefined || sameEvent(got, wanted)) return [];
    return [`started at revision ${watch.startRevision} with ${describe(got)} instead of ${describe(wanted)}`];
  })(history, log),
];

/** "You have everything up to here" is true: it never goes back, all has come by then, and nothing older comes later. */
const bookmarkable: Check = eachWatch((watch, log) => {
  const wrong: string[] = [];
  const names = new Set<string>();
  const wanted = log.events.filter((event) => event.modRevision >= watch.startRevision && wants(watch, event));
  let next = 0;
  let reached = 0;
  for (const { events, revision } of watch.responses) {
    for (const event of events) {
      if (event.modRevision <= reached) wrong.push(`${describe(event)} came after progress to revision ${reached}`);
      names.add(`${event.modRevision} ${event.key}`);
    }
    if (events.length > 0) continue;
    if (revision < reached) wrong.push(`progress went back from revision ${reached} to ${revision}`);
    reached = revision;
    for (let event = wanted[next]; event !== undefined && event.modRevision <= revision; event = wanted[++next]) {
      if (!names.has(`${event.modRevision} ${event.key}`))
        wrong.push(`progress to revision ${revision} without ${describe(event)}`);
    }
  }
  return wrong;
});

/** The previous value is there if asked for, and is what the key was before; compaction may have taken it away. */
const prevKv: Check = eachWatch((watch, log, { compactions }) =>
  watch.responses.flatMap(({ at, events }) =>
    events.flatMap((event) => {
      const wanted = watch.previous ? log.at(event.key, event.modRevision - 1) : undefined;
      const compacted = compactions.some(({ call, revision }) => call < at && revision >= event.modRevision);
      if (event.previous === undefined && compacted) return [];
      return sameEntry(event.previous, wanted)
        ? []
        : [
            `${describe(event)} says that before it there was ${JSON.stringify(event.previous)}, but it was ${JSON.stringify(wanted)}`,
          ];
    }),
  ),
);

/** An event says truly whether it created its key, and which version it is. */
const isCreate: Check = eachWatch((watch, log) =>
  eventsOf(watch).flatMap((event) => {
    if (event.type === "delete") return [];
    const before = log.at(event.key, event.modRevision - 1);
    const [created, version] = [before?.createRevision ?? event.modRevision, (before?.version ?? 0) + 1];
    if (event.createRevision === created && event.version === version) return [];
    return [
      `${describe(event)} says that it is version ${event.version} of what revision ${event.createRevision} created, but it is version ${version} of ${created}`,
    ];
  }),
);

/** Nothing comes that was not asked for: other keys, filtered types, revisions before the start. */
const filter: Check = eachWatch((watch) =>
  eventsOf(watch)
    .filter((event) => !wants(watch, event) || event.modRevision < watch.startRevision)
    .map((event) => `${describe(event)} was not asked for`),
);

export const watchChecks = {
  ordered,
  unique,
  atomic,
  reliable,
  resumable,
  bookmarkable,
  prevKv,
  isCreate,
  filter,
} as const satisfies Readonly<Record<string, Check>>;

/** Runs all nine. The log must be complete: some watcher of the history saw every key. */
export const checkWatches = (history: History, log: EventLog): Violation[] =>
  Object.entries(watchChecks).flatMap(([check, run]) => run(history, log).map((message) => ({ check, message })));

const sameEvent = (a: WatchedEvent, b: WatchedEvent | undefined): boolean =>
  a.type === b?.type && a.key === b.key && a.modRevision === b.modRevision && a.value === b.value;

const sameEntry = (a: Entry | undefined, b: Entry | undefined): boolean =>
  a?.value === b?.value &&
  a?.modRevision === b?.modRevision &&
  a?.createRevision === b?.createRevision &&
  a?.version === b?.version;
