// One key of an etcd-like store as a sequential object, and a history cut into one such object for each key.
import type { Entry, Operation, Violation } from "./history.ts";
import { checkLinearizable, type Interval, type Model } from "./linearizability.ts";
import type { EventLog } from "./log.ts";

/** What an operation says about one key. */
export type KeyStep =
  /** A get, or the reading branch of a transaction whose condition (`not`: the modRevision it asked for) did not hold. */
  | { readonly kind: "read"; readonly entry: Entry | undefined; readonly revision: number; readonly not?: number }
  | {
      readonly kind: "write";
      readonly value: string | undefined;
      /** The modRevision it must have met; 0: none. */
      readonly expected?: number;
      /** Absent: no answer came. */
      readonly answer?: { readonly revision: number; readonly changed: boolean };
    };

export interface KeyState {
  readonly value: string | undefined;
  /** Undefined: not known, the write that set it was never answered. 0: absent. */
  readonly modRevision: number | undefined;
  /** The store was at least here: whatever comes later says no less. */
  readonly floor: number;
}

export const keyModel: Model<KeyState, KeyStep> = {
  initial: { value: undefined, modRevision: 0, floor: 1 },
  step: (state, step) => (step.kind === "read" ? read(state, step) : write(state, step)),
  identify: ({ value, modRevision, floor }) => `${value}|${modRevision}|${floor}`,
};

function read(state: KeyState, { entry, revision, not }: KeyStep & { readonly kind: "read" }): KeyState | undefined {
  if (revision < state.floor || entry?.value !== state.value) return undefined;
  const modRevision = entry?.modRevision ?? 0;
  if (not === modRevision || !couldBe(state, modRevision) || modRevision > revision) return undefined;
  return { value: state.value, modRevision, floor: revision };
}

function write(state: KeyState, { value, expected, answer }: KeyStep & { readonly kind: "write" }): KeyState | undefined {
  if (expected !== undefined && !couldBe(state, expected)) return undefined;
  const changes = value !== undefined || state.value !== undefined;
  // What changes nothing and says nothing might as well not have happened.
  if (answer === undefined) return changes ? after(value, undefined, state.floor) : undefined;
  if (answer.changed !== changes) return undefined;
  if (!changes) return answer.revision < state.floor ? undefined : { ...state, floor: answer.revision };
  return answer.revision <= state.floor ? undefined : after(value, answer.revision, answer.revision);
}

const after = (value: string | undefined, modRevision: number | undefined, floor: number): KeyState => ({
  value,
  modRevision: value === undefined ? 0 : modRevision,
  floor,
});

/** A modRevision that is not known can be any that no answer before it has named. */
const couldBe = (state: KeyState, modRevision: number): boolean =>
  state.modRevision === undefined ? modRevision > state.floor : state.modRevision === modRevision;

/** Each key on its own: a history is linearizable only if it is so for each key (Herlihy & Wing: and if, where operations touch one key). */
export function partition(operations: readonly Operation[]): ReadonlyMap<string, readonly Interval<KeyStep>[]> {
  const keys = new Map<string, Interval<KeyStep>[]>();
  for (const operation of operations) {
    for (const [key, step] of steps(operation)) {
      const known = keys.get(key) ?? [];
      known.push({ step, call: operation.call, return: operation.return });
      keys.set(key, known);
    }
  }
  return keys;
}

function steps(operation: Operation): (readonly [string, KeyStep])[] {
  if (operation.kind === "get") {
    // Reads of the past say nothing about the present: `answers` holds them to the log.
    return operation.revision ? [] : [[operation.key, { kind: "read", ...operation.answer }]];
  }
  const { condition, effects, answer } = operation;
  if (answer !== undefined && !answer.succeeded) {
    if (condition === undefined) return [];
    return [[condition.key, { kind: "read", entry: answer.current, revision: answer.revision, not: condition.modRevision }]];
  }
  return effects.map(({ key, value }, index): readonly [string, KeyStep] => [
    key,
    {
      kind: "write",
      value,
      ...(condition?.key === key ? { expected: condition.modRevision } : {}),
      ...(answer === undefined ? {} : { answer: { revision: answer.revision, changed: answer.changed[index] ?? false } }),
    },
  ]);
}

/**
 * Settles writes that were never answered by what watchers saw (etcd's robustness tests do so, too): with a value of its own in the log it
 * happened, at that revision; without, in a log that is complete, it did not. Keeps the search short when there are many.
 */
export function settle(operations: readonly Operation[], log: EventLog): Operation[] {
  const revisions = new Map(
    log.events.filter(({ type }) => type === "put").map(({ value, modRevision }) => [value, modRevision]),
  );
  const end =
    operations.reduce((latest, each) => Math.max(latest, each.call, Number.isFinite(each.return) ? each.return : 0), 0) + 1;
  return operations.flatMap((operation): Operation[] => {
    if (operation.kind === "get" || operation.answer !== undefined) return [operation];
    const put = operation.effects.find(({ value }) => value !== undefined);
    if (put?.value === undefined) return [operation]; // deletions leave no name
    const revision = revisions.get(put.value);
    if (revision === undefined) return [];
    const deleted = new Set(log.of(revision).map(({ key }) => key));
    const changed = operation.effects.map(({ key, value }) => value !== undefined || deleted.has(key));
    return [{ ...operation, return: end, answer: { revision, succeeded: true, changed } }];
  });
}

/** The check "linearizable", key by key. */
export function linearizable(operations: readonly Operation[]): Violation[] {
  const violations: Violation[] = [];
  for (const [key, intervals] of partition(operations)) {
    const result = checkLinearizable(keyModel, intervals);
    if (result.verdict === "linearizable") continue;
    const message =
      result.verdict === "unknown"
        ? `key ${key}: gave up after too many states`
        : `key ${key}: after ${result.longest} of ${intervals.length} operations none of these can come next: ${result.stuck.map((step) => JSON.stringify(step)).join(" ")}`;
    violations.push({ check: "linearizable", message });
  }
  return violations;
}
