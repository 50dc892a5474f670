// One promise broken at a time in a history that is otherwise right: each is found, by the checks that are there for it and no others.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { checkHistory } from "./check-history.ts";
import type { Effect, Entry, History, Operation, WatchedEvent, WatchRecord, WatchResponse } from "./history.ts";
import { linearizable } from "./key-model.ts";

type Mutable<T> = T extends readonly (infer Element)[]
  ? Mutable<Element>[]
  : T extends object
    ? { -readonly [K in keyof T]: Mutable<T[K]> }
    : T;
type Draft = Mutable<History>;

const entry = (value: string, createRevision: number, modRevision: number, version: number): Entry => ({
  value,
  createRevision,
  modRevision,
  version,
});
const a1 = entry("a1", 2, 2, 1);
const b1 = entry("b1", 3, 3, 1);
const a2 = entry("a2", 2, 4, 2);
const b2 = entry("b2", 3, 4, 2);
const a3 = entry("a3", 2, 5, 3);
const b4 = entry("b4", 7, 7, 1);

const put = (key: string, now: Entry, previous?: Entry): WatchedEvent => ({
  type: "put",
  key,
  ...now,
  ...(previous === undefined ? {} : { previous }),
});
const gone = (key: string, modRevision: number, previous?: Entry): WatchedEvent => ({
  type: "delete",
  key,
  ...entry("", 0, modRevision, 0),
  ...(previous === undefined ? {} : { previous }),
});
const answer = (at: number, revision: number, ...events: WatchedEvent[]): Mutable<WatchResponse> => ({ at, revision, events });

/** Two clients write, read, compare and delete `a` and `b`; three watchers look on, one of which loses its connection once. */
function rightHistory(): Draft {
  const write = (client: string, call: number, revision: number, effects: Effect[], more: object = {}): Operation => ({
    client,
    call,
    return: call + 3,
    kind: "write",
    effects,
    answer: { revision, succeeded: true, changed: effects.map(() => true) },
    ...more,
  });
  const get = (client: string, call: number, key: string, revision: number, found: Entry | undefined): Operation => ({
    client,
    call,
    return: call + 3,
    kind: "get",
    key,
    answer: { revision, entry: found },
  });
  const everything: WatchRecord = {
    client: "everything",
    key: "\0",
    end: "\0",
    startRevision: 2,
    previous: true,
    filters: [],
    responses: [
      answer(4, 2, put("a", a1)),
      answer(14, 3, put("b", b1)),
      answer(24, 4, put("a", a2, a1), put("b", b2, b1)),
      answer(25, 4),
      answer(44, 5, put("a", a3, a2)),
      answer(64, 6, gone("b", 6, b2)),
      answer(74, 7, put("b", b4)),
      answer(99, 7),
    ],
  };
  const puts = { client: "puts of b", key: "b", previous: false, filters: ["nodelete"] } as const;
  return {
    operations: [
      write("one", 1, 2, [{ key: "a", value: "a1" }]),
      write("one", 11, 3, [{ key: "b", value: "b1" }]),
      write("two", 21, 4, [
        { key: "a", value: "a2" },
        { key: "b", value: "b2" },
      ]),
      get("one", 31, "a", 4, a2),
      write("two", 41, 5, [{ key: "a", value: "a3" }], { condition: { key: "a", modRevision: 4 } }),
      get("one", 51, "b", 5, b2),
      write("one", 61, 6, [{ key: "b", value: undefined }]),
      write("two", 71, 7, [{ key: "b", value: "b4" }]),
      get("one", 81, "b", 7, b4),
      get("two", 85, "a", 7, a3),
      write("one", 91, 7, [{ key: "a", value: "no" }], {
        condition: { key: "a", modRevision: 4 },
        answer: { revision: 7, succeeded: false, changed: [], current: a3 },
      }),
    ],
    watches: [
      everything,
      { ...puts, startRevision: 2, responses: [answer(14, 3, put("b", b1))] },
      { ...puts, startRevision: 4, responses: [answer(50, 5, put("b", b2)), answer(75, 7, put("b", b4))] },
      {
        client: "deletions",
        key: "a",
        end: "c",
        startRevision: 2,
        previous: true,
        filters: ["noput"],
        responses: [answer(65, 6, gone("b", 6, b2)), answer(98, 7)],
      },
    ],
    compactions: [],
  } as unknown as Draft;
}

const found = (history: Draft): string[] => [...new Set(checkHistory(history as History).map(({ check }) => check))].sort();

interface Break {
  readonly name: string;
  /** All checks that must object. */
  readonly checks: readonly string[];
  readonly seed: (history: Draft) => void;
}

const answerOf = (history: Draft, call: number): Record<string, unknown> =>
  history.operations.find((each) => each.call === call)?.answer as unknown as Record<string, unknown>;
const everything = (history: Draft): Draft["watches"][number] => history.watches[0] as Draft["watches"][number];
const responseAt = (history: Draft, at: number): Mutable<WatchResponse> =>
  history.watches.flatMap(({ responses }) => responses).find((each) => each.at === at) as Mutable<WatchResponse>;

const inAnswers: readonly Break[] = [
  {
    name: "a stale read",
    checks: ["linearizable", "serializable"],
    seed: (history) => Object.assign(answerOf(history, 81), { entry: b2 }),
  },
  {
    name: "a stale read that tells its own, older revision",
    checks: ["linearizable", "monotonic"],
    seed: (history) => Object.assign(answerOf(history, 85), { revision: 4, entry: a2 }),
  },
  {
    name: "a lost write",
    checks: ["durable", "linearizable", "monotonic"],
    seed: (history) =>
      history.operations.push({
        client: "three",
        call: 76,
        return: 79,
        kind: "write",
        effects: [{ key: "b", value: "lost" }],
        answer: { revision: 8, succeeded: true, changed: [true] },
      }),
  },
  {
    name: "a phantom: a value that nobody wrote",
    checks: ["linearizable", "serializable"],
    seed: (history) => Object.assign(answerOf(history, 31), { entry: entry("phantom", 2, 4, 2) }),
  },
  {
    name: "an event that nobody wrote",
    checks: ["written"],
    seed: (history) => everything(history).responses.push(answer(100, 8, put("c", entry("phantom", 8, 8, 1)))),
  },
  {
    name: "a write that comes about twice",
    checks: ["written"],
    seed: (history) => everything(history).responses.push(answer(100, 8, put("b", entry("b4", 7, 8, 2), b4))),
  },
  {
    name: "a compare-and-set that succeeds twice",
    checks: ["durable", "linearizable", "serializable"],
    seed: (history) =>
      Object.assign(answerOf(history, 91), { succeeded: true, changed: [true], current: undefined, revision: 8 }),
  },
  {
    name: "a deletion that says it changed nothing",
    checks: ["linearizable"],
    seed: (history) => Object.assign(answerOf(history, 61), { changed: [false] }),
  },
  {
    name: "two writes at one revision",
    checks: ["durable", "linearizable", "monotonic"],
    seed: (history) => Object.assign(answerOf(history, 71), { revision: 6 }),
  },
  {
    name: "an event that is seen before its write is asked for",
    checks: ["monotonic", "written"],
    seed: (history) => {
      responseAt(history, 74).at = 70;
    },
  },
];

const inWatches: readonly Break[] = [
  {
    name: "reordered events",
    checks: ["ordered", "reliable"],
    seed: (history) => {
      const [second, third] = [responseAt(history, 64), responseAt(history, 74)];
      [second.events, third.events] = [third.events, second.events];
      [second.at, second.revision, third.at] = [75, 7, 76];
    },
  },
  {
    name: "an event ahead of its answer's revision",
    checks: ["ordered"],
    seed: (history) => {
      responseAt(history, 44).revision = 4;
    },
  },
  {
    name: "a duplicate event",
    checks: ["atomic", "reliable", "unique"],
    seed: (history) => everything(history).responses.splice(5, 0, answer(45, 5, put("a", a3, a2))),
  },
  {
    name: "a duplicate event after a break",
    checks: ["atomic", "unique"],
    seed: (history) => {
      const resumed = history.watches[2] as Draft["watches"][number];
      resumed.startRevision = 3;
      resumed.responses.unshift(answer(40, 3, put("b", b1)));
    },
  },
  {
    name: "a transaction that is split",
    checks: ["atomic"],
    seed: (history) =>
      everything(history).responses.splice(2, 1, answer(24, 4, put("a", a2, a1)), answer(24, 4, put("b", b2, b1))),
  },
  {
    name: "a gap",
    checks: ["reliable"],
    seed: (history) =>
      history.watches.push({
        ...everything(history),
        client: "another",
        responses: everything(history).responses.filter(({ at, events }) => at !== 44 && events.length > 0),
      }),
  },
  {
    name: "a revision that no watcher sees",
    checks: ["durable", "reliable", "serializable"],
    seed: (history) => {
      responseAt(history, 44).events = [];
    },
  },
  {
    name: "a resumed watch that has lost its first event",
    checks: ["resumable"],
    seed: (history) => history.watches[2]?.responses.shift(),
  },
  {
    name: "progress ahead of events",
    checks: ["bookmarkable"],
    seed: (history) => {
      Object.assign(responseAt(history, 25), { at: 42, revision: 5 });
    },
  },
  {
    name: "progress over an event that never comes",
    checks: ["bookmarkable"],
    seed: (history) => history.watches.at(-1)?.responses.shift(),
  },
  {
    name: "progress that goes back",
    checks: ["bookmarkable"],
    seed: (history) => everything(history).responses.push(answer(100, 6)),
  },
  {
    name: "a wrong previous value",
    checks: ["prevKv"],
    seed: (history) => Object.assign(responseAt(history, 44).events[0] as object, { previous: a1 }),
  },
  {
    name: "a previous value that is missing",
    checks: ["prevKv"],
    seed: (history) => delete responseAt(history, 44).events[0]?.previous,
  },
  {
    name: "a previous value that was not asked for",
    checks: ["prevKv"],
    seed: (history) => Object.assign(responseAt(history, 50).events[0] as object, { previous: b1 }),
  },
  {
    name: "a wrong create flag",
    checks: ["isCreate"],
    seed: (history) => Object.assign(responseAt(history, 44).events[0] as object, { createRevision: 5, version: 1 }),
  },
  {
    name: "a creation that says it is an update",
    checks: ["isCreate"],
    seed: (history) => Object.assign(responseAt(history, 74).events[0] as object, { createRevision: 3, version: 3 }),
  },
  {
    name: "an event of a filtered type",
    checks: ["filter", "reliable"],
    seed: (history) => history.watches[2]?.responses.splice(1, 0, answer(65, 6, gone("b", 6))),
  },
  {
    name: "an event of another key",
    checks: ["filter", "reliable"],
    seed: (history) => history.watches[2]?.responses.splice(1, 0, answer(51, 5, put("a", a3))),
  },
];

suite("a history with one promise broken is rejected", () => {
  test("(nothing is found in it before)", () => assert.deepEqual(found(rightHistory()), []));

  for (const { name, checks, seed } of [...inAnswers, ...inWatches]) {
    test(`${name}: ${checks.join(", ")}`, () => {
      const history = rightHistory();
      seed(history);
      assert.deepEqual(found(history), checks);
    });
  }

  for (const { name, seed } of inAnswers.filter(({ checks }) => checks.includes("linearizable"))) {
    test(`${name}: by its answers alone, without watchers`, () => {
      const history = rightHistory();
      seed(history);
      assert.equal(linearizable(history.operations as Operation[]).length, 1);
    });
  }
});

test("a previous value that compaction has taken away is no violation", () => {
  const history = rightHistory();
  delete responseAt(history, 44).events[0]?.previous;
  history.compactions.push({ call: 43, revision: 5 });
  assert.deepEqual(found(history), []);
});
