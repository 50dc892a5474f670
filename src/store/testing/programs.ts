// Random programs for stores, run against the model step by step.
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Compare, type Operation, type Store, StoreError } from "../store.ts";
import { Model, type ModelState } from "./model.ts";
import { Recorder } from "./recorder.ts";

const key = fc.constantFrom("a", "aa", "ab", "b", "b\xff", "c", "d/1", "d/2");
const interval = fc.tuple(key, fc.option(fc.constantFrom("aa", "b", "c", "e", "\0"), { nil: undefined }));

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .tuple(key, fc.string({ maxLength: 4 }))
      .map(([k, v]): Operation => ({ kind: "put", key: k, value: Buffer.from(v) })),
  },
  {
    weight: 3,
    arbitrary: interval.map(([k, end]): Operation => ({ kind: "delete", key: k, ...(end === undefined ? {} : { end }) })),
  },
);

const compare: fc.Arbitrary<Compare> = fc
  .tuple(key, fc.constantFrom("=" as const, "<" as const, ">" as const), fc.nat(3))
  .map(([k, op, value]) => ({ key: k, target: "version", op, value }));

export type Step =
  | {
      readonly do: "transact";
      readonly if: readonly Compare[];
      readonly then: readonly Operation[];
      readonly else: readonly Operation[];
    }
  | { readonly do: "compact" | "read" | "watch"; readonly back: number }
  | { readonly do: "reopen" };

const operations = fc.array(operation, { maxLength: 3 });

/** Steps of a program; `reopen` only where the target can. */
export const program = (withReopen: boolean): fc.Arbitrary<readonly Step[]> =>
  fc.array(
    fc.oneof(
      {
        weight: 12,
        arbitrary: fc.record({
          do: fc.constant("transact" as const),
          if: fc.array(compare, { maxLength: 1 }),
          then: operations,
          else: operations,
        }),
      },
      { weight: 3, arbitrary: fc.record({ do: fc.constant("read" as const), back: fc.nat(20) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant("watch" as const), back: fc.nat(20) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("compact" as const), back: fc.nat(10) }) },
      ...(withReopen ? [{ weight: 1, arbitrary: fc.record({ do: fc.constant("reopen" as const) }) }] : []),
    ),
    { maxLength: 60, size: "max" },
  );

/** Runs a program on a fresh, empty store (revision 1) and on the model; throws at the first difference. */
export async function follow(open: () => Promise<Store>, steps: readonly Step[]): Promise<void> {
  let store = await open();
  const model = new Model();
  const watches: Watching[] = [];
  try {
    for (const step of steps) {
      if (step.do === "transact") await transact(store, model, step);
      else if (step.do === "read") await compareAt(store, model, Math.max(1, model.revision - step.back));
      else if (step.do === "compact") await compact(store, model, model.revision - step.back);
      else if (step.do === "watch") {
        const start = Math.max(1, model.revision - step.back, model.compacted);
        watches.push({ start, recorder: await Recorder.open(store, { key: "\0", end: "\0", startRevision: start }) });
      } else {
        await checkWatches(model, watches);
        watches.length = 0;
        await store[Symbol.asyncDispose]();
        store = await open();
        assert.equal(store.revision, model.revision);
      }
    }
    await checkWatches(model, watches);
    for (let revision = Math.max(1, model.compacted); revision <= model.revision; revision++)
      await compareAt(store, model, revision);
  } finally {
    await store[Symbol.asyncDispose]();
  }
}

async function transact(store: Store, model: Model, step: Step & { do: "transact" }): Promise<void> {
  let result: Awaited<ReturnType<Store["transact"]>>;
  try {
    result = await store.transact(step);
  } catch (error) {
    assert.ok(error instanceof StoreError && error.code === "duplicateKey", String(error));
    return;
  }
  const { succeeded, revision } = model.transact(step);
  assert.deepEqual([result.succeeded, result.revision], [succeeded, revision]);
}

async function compact(store: Store, model: Model, revision: number): Promise<void> {
  if (revision <= model.compacted || revision < 1) return;
  await store.compact(revision);
  model.compacted = revision;
}

async function compareAt(store: Store, model: Model, revision: number): Promise<void> {
  if (revision < model.compacted) {
    await assert.rejects(async () => store.range("\0", { end: "\0", revision }), /compacted/);
    return;
  }
  const { kvs, count } = await store.range("\0", { end: "\0", revision });
  const actual = kvs.map((kv) => [
    kv.key,
    { value: kv.value.toString("latin1"), create: kv.createRevision, mod: kv.modRevision, version: kv.version },
  ]);
  const expected: ModelState = model.at(revision);
  assert.deepEqual(
    actual,
    [...expected].sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  assert.equal(count, expected.size);
}

interface Watching {
  readonly start: number;
  readonly recorder: Recorder;
}

async function checkWatches(model: Model, watches: readonly Watching[]): Promise<void> {
  for (const { start, recorder } of watches) {
    await recorder.reached(model.revision);
    const lines = recorder.events.map(({ type, kv }) =>
      type === "put" ? `${kv.modRevision} put ${kv.key} ${kv.value.toString("latin1")}` : `${kv.modRevision} delete ${kv.key}`,
    );
    const expected = model.events(start);
    if (recorder.ended !== undefined) {
      // It was still reading history when that was compacted away: allowed, if it then says so and has told the truth so far.
      assert.ok(start < model.compacted, `a watch ended without need: ${recorder.ended.message}`);
      assert.ok(recorder.ended.compactedRevision !== undefined, recorder.ended.message);
      expected.length = lines.length;
    }
    assert.deepEqual(lines, expected);
  }
}
