// Holds every answer to the log of events: what was acknowledged is there, what is there was written, what was read was so.
import type { Entry, History, Operation, Tick, Violation, Write } from "./history.ts";
import { describe, type EventLog } from "./log.ts";

type Check = (history: History, log: EventLog) => readonly string[];
type Answered = Operation & { readonly answer: NonNullable<Operation["answer"]> };
type AnsweredWrite = Answered & Write;

const answered = ({ operations }: History): Answered[] =>
  operations.filter((each): each is Answered => each.answer !== undefined);
const writes = (history: History): AnsweredWrite[] => answered(history).filter((each) => each.kind === "write");
const changes = (write: AnsweredWrite): boolean => "changed" in write.answer && write.answer.changed.includes(true);

/** An acknowledged write is in the log, whole, at its revision, alone. */
const durable: Check = (history, log) => {
  const owners = new Map<number, AnsweredWrite>();
  return writes(history).flatMap((write) => {
    const { answer, effects } = write;
    if (!("changed" in answer) || !changes(write)) return [];
    const wrong: string[] = [];
    if (owners.has(answer.revision)) wrong.push(`two writes were answered with revision ${answer.revision}`);
    owners.set(answer.revision, write);
    const expected = effects.filter((_, index) => answer.changed[index] === true).map(({ key, value }) => `${key}=${value}`);
    const actual = log.of(answer.revision).map(({ key, type, value }) => `${key}=${type === "put" ? value : undefined}`);
    if (expected.sort().join() !== actual.sort().join())
      wrong.push(
        `the write of ${expected.join()} was answered with revision ${answer.revision}, where the log has ${actual.join() || "nothing"}`,
      );
    return wrong;
  });
};

/** Each event was written by somebody, who had called by then, and once. Deletions bear no name: it is enough that somebody deletes the key. */
const written: Check = ({ operations, watches }, log) => {
  const calls = new Map<string, Tick>();
  for (const operation of operations) {
    if (operation.kind === "get") continue;
    for (const { key, value } of operation.effects) {
      const name = `${key}=${value}`;
      calls.set(name, Math.min(operation.call, calls.get(name) ?? operation.call));
    }
  }
  const seen = new Map<string, Tick>();
  for (const { at, events } of watches.flatMap(({ responses }) => responses)) {
    for (const { key, modRevision } of events) {
      const name = `${modRevision} ${key}`;
      seen.set(name, Math.min(at, seen.get(name) ?? at));
    }
  }
  const taken = new Set<string>();
  return log.events.flatMap((event) => {
    const name = `${event.key}=${event.value}`;
    if (event.type === "put" && taken.size === taken.add(name).size)
      return [`${describe(event)} was written once and came about twice`];
    const call = calls.get(`${event.key}=${event.type === "put" ? event.value : undefined}`);
    if (call === undefined) return [`${describe(event)} was written by nobody`];
    return (seen.get(`${event.modRevision} ${event.key}`) ?? call) < call
      ? [`${describe(event)} was seen before it was written`]
      : [];
  });
};

/** A read answers as the store was at the answer's revision (or the one asked for), and conditions are judged by what was there. */
const serializable: Check = (history, log) =>
  answered(history).flatMap((operation) => {
    if (operation.kind === "get") {
      const at = operation.revision || operation.answer.revision;
      return differs(operation.key, at, operation.answer.entry, log);
    }
    const { condition, answer } = operation;
    if (condition === undefined || !("changed" in answer)) return [];
    const at = changes(operation as AnsweredWrite) ? answer.revision - 1 : answer.revision;
    const actual = log.at(condition.key, at)?.modRevision ?? 0;
    if ((actual === condition.modRevision) !== answer.succeeded)
      return [
        `"${condition.key} is at ${condition.modRevision}" was answered ${answer.succeeded} when it was at ${actual}, revision ${at}`,
      ];
    return answer.succeeded ? [] : differs(condition.key, at, answer.current, log);
  });

function differs(key: string, revision: number, said: Entry | undefined, log: EventLog): string[] {
  const actual = log.at(key, revision);
  const same = said?.value === actual?.value && said?.modRevision === actual?.modRevision && said?.version === actual?.version;
  return same
    ? []
    : [`${key} was read as ${JSON.stringify(said)} at revision ${revision}, where it was ${JSON.stringify(actual)}`];
}

/** Whoever asks later is told no smaller revision than anybody was told before; a write gets a greater one. */
const monotonic: Check = (history) => {
  const told: { readonly at: Tick; readonly revision: number }[] = [
    ...answered(history).map((each) => ({ at: each.return, revision: each.answer.revision })),
    ...history.watches.flatMap(({ responses }) => responses.map(({ at, revision }) => ({ at, revision }))),
  ].sort((a, b) => a.at - b.at);
  const wrong: string[] = [];
  let next = 0;
  let highest = 0;
  for (const operation of answered(history).sort((a, b) => a.call - b.call)) {
    for (let each = told[next]; each !== undefined && each.at < operation.call; each = told[++next])
      highest = Math.max(highest, each.revision);
    const least = operation.kind === "write" && changes(operation) ? highest + 1 : highest;
    const { revision } = operation.answer;
    if (revision < least)
      wrong.push(`${operation.client} was answered with revision ${revision} after revision ${highest} was known`);
  }
  return wrong;
};

export const answerChecks = { durable, written, serializable, monotonic } as const satisfies Readonly<Record<string, Check>>;

export const checkAnswers = (history: History, log: EventLog): Violation[] =>
  Object.entries(answerChecks).flatMap(([check, run]) => run(history, log).map((message) => ({ check, message })));
