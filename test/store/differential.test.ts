// Random programs through gRPC against our etcd API and a real etcd: every answer must be the same, field by field.
// DIFFERENTIAL_PROGRAMS=5000 node --test test/store/differential.test.ts
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect, isDeepStrictEqual } from "node:util";
import { type Random, randomInt, seededRandom, silentLog, systemClock } from "#base";
import {
  type Compare,
  type KeyValue,
  type Operation,
  type OperationResult,
  openEtcdStore,
  openMemoryStore,
  type RangeOptions,
  type Revision,
  type Store,
  StoreError,
  type StoreEvent,
  startEtcdServer,
} from "#store";
import { etcdMissing, startRealEtcd } from "./support/real-etcd.ts";

const programs = Number(process.env["DIFFERENTIAL_PROGRAMS"] ?? 40);
const length = Number(process.env["DIFFERENTIAL_OPERATIONS"] ?? 100);
const firstSeed = Number(process.env["DIFFERENTIAL_SEED"] ?? 1);

const keys = ["a", "aa", "ab", "b", "b\xff", "c", "d/1", "d/2"];

/** Makes the steps of one program; revisions are counted from the program's start. */
class Writer {
  readonly #random: Random;
  /** etcd 3.4 panics when a put with ignoreValue meets a deletion "to the end" in its transaction: a program has one or the other. */
  readonly #ignoring: boolean;
  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#ignoring = seed % 2 === 0;
  }

  below(n: number): number {
    return randomInt(this.#random, n);
  }
  chance(share: number): boolean {
    return this.#random.float() < share;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T; // not empty
  }
  end(ends = ["aa", "b", "c", "e", "\0"]): { readonly end?: string } {
    return this.chance(0.5) ? {} : { end: this.pick(ends) };
  }

  range(revision: (back: number) => Revision): RangeOptions {
    const options: Record<string, unknown> = { ...this.end() };
    if (this.chance(0.3)) options["revision"] = revision(this.below(12) - 1);
    if (this.chance(0.3)) options["limit"] = 1 + this.below(4);
    if (this.chance(0.2)) options["keysOnly"] = true;
    if (this.chance(0.1)) options["countOnly"] = true;
    // Equal versions or revisions come in any order in etcd: only keys are compared in order.
    if (this.chance(0.3)) options["sort"] = { by: "key", order: this.pick(["ascend", "descend"]) };
    for (const bound of ["minModRevision", "maxModRevision", "minCreateRevision", "maxCreateRevision"]) {
      if (this.chance(0.07)) options[bound] = revision(this.below(10));
    }
    return options;
  }

  compare(revision: (back: number) => Revision): Compare {
    const common = {
      key: this.pick(keys),
      ...(this.chance(0.3) ? this.end() : {}),
      op: this.pick(["=", "!=", "<", ">"] as const),
    };
    const target = this.pick(["version", "create", "mod", "value", "lease"] as const);
    if (target === "value") return { ...common, target, value: Buffer.from(String(this.below(5))) };
    if (target === "lease") return { ...common, target, value: BigInt(this.below(2)) };
    return { ...common, target, value: target === "version" ? this.below(4) : this.chance(0.2) ? 0 : revision(this.below(8)) };
  }

  operations(revision: (back: number) => Revision, depth = 0): Operation[] {
    return Array.from({ length: this.below(depth === 0 ? 4 : 3) }, (): Operation => {
      const kind = this.below(depth < 2 ? 10 : 9);
      const key = this.pick(keys);
      if (kind < 4) {
        const ignoreValue = this.#ignoring && this.chance(0.1);
        const value = Buffer.from(ignoreValue ? "" : String(this.below(5)));
        return {
          kind: "put",
          key,
          value,
          previous: this.chance(0.3),
          ignoreValue,
          ignoreLease: this.#ignoring && this.chance(0.1),
        };
      }
      if (kind < 6)
        return {
          kind: "delete",
          key,
          ...this.end(this.#ignoring ? ["aa", "b", "c", "e"] : undefined),
          previous: this.chance(0.4),
        };
      if (kind < 9) return { kind: "range", key, ...this.range(revision) };
      return { kind: "txn", ...this.transaction(revision, depth + 1) };
    });
  }

  transaction(revision: (back: number) => Revision, depth = 0) {
    return {
      if: Array.from({ length: this.below(3) }, () => this.compare(revision)),
      then: this.operations(revision, depth),
      else: this.operations(revision, depth),
    };
  }
}

/** One store with its program: the same seed gives the same steps. */
async function follow(store: Store, seed: number): Promise<{ readonly answers: unknown[]; readonly steps: unknown[] }> {
  const writer = new Writer(seed);
  const { revision: base } = await store.range("a", { countOnly: true });
  let current = base;
  const events: string[] = [];
  const watch = await store.watch({ key: "\0", end: "\0", startRevision: base + 1, previous: true }, (batch) => {
    for (const event of batch.events) events.push(describe(event, base));
  });
  const answers: unknown[] = [];
  const steps: unknown[] = [];
  const revision = (back: number): Revision => Math.max(base, current - back);
  for (let i = 0; i < length; i++) {
    try {
      if (writer.chance(0.05)) {
        const at = revision(writer.below(8) - 1);
        await store.compact(at);
        answers.push(["compacted", at - base]);
      } else {
        const transaction = writer.transaction(revision);
        steps[i] = transaction;
        const result = await store.transact(transaction);
        current = result.revision;
        answers.push([result.succeeded, result.revision - base, result.results.map((each) => plain(each, base))]);
      }
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      answers.push([error.code, error.message]);
    }
  }
  for (let i = 0; i < 2000 && !events.some((line) => line.startsWith(`${current - base} `)) && current > base; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    watch.requestProgress();
    if (i % 50 === 49) await store.range("a", { countOnly: true });
  }
  await watch[Symbol.asyncDispose]();
  answers.push(events);
  const end = await store.range("\0", { end: "\0" });
  answers.push(end.kvs.map((kv) => describeKv(kv, base)));
  return { answers, steps };
}

const describeKv = (kv: KeyValue, base: Revision): string =>
  `${kv.key}=${kv.value.toString()} ${kv.createRevision === 0 ? 0 : kv.createRevision - base} ${kv.modRevision - base} ${kv.version} ${kv.lease}`;

// Events of a live watch carry the previous value whether or not it is compacted by then; which is a race in both.
const describe = ({ type, kv }: StoreEvent, base: Revision): string => `${kv.modRevision - base} ${type} ${describeKv(kv, base)}`;

function plain(result: OperationResult, base: Revision): unknown {
  switch (result.kind) {
    case "range":
      return ["range", result.revision - base, result.kvs.map((kv) => describeKv(kv, base)), result.more, result.count];
    case "put":
      return ["put", result.previous === undefined ? null : describeKv(result.previous, base)];
    case "delete":
      return ["delete", result.deleted, result.previous.map((kv) => describeKv(kv, base))];
    case "txn":
      return ["txn", result.succeeded, result.results.map((each) => plain(each, base))];
    default:
      return result satisfies never;
  }
}

test(`${programs} random programs of ${length} steps: our etcd API answers as etcd does`, {
  skip: etcdMissing ?? false,
  timeout: 3_600_000,
}, async () => {
  using etcd = await startRealEtcd();
  const backend = openMemoryStore({ clock: systemClock });
  await using server = await startEtcdServer({ store: backend, clock: systemClock, log: silentLog, listen: "127.0.0.1:0" });
  for (let seed = firstSeed; seed < firstSeed + programs; seed++) {
    await using theirs = await etcd.open();
    await using ours = await openEtcdStore({ servers: [server.url], clock: systemClock, log: silentLog });
    await ours.transact({ if: [], then: [{ kind: "delete", key: "\0", end: "\0" }] });
    const [expected, actual] = await Promise.all([follow(theirs, seed), follow(ours, seed)]);
    for (const [index, answer] of expected.answers.entries()) {
      const step = (): string => `seed ${seed}, step ${index}: ${inspect(actual.steps[index], { depth: 12 })}`;
      if (!isDeepStrictEqual(actual.answers[index], answer)) assert.deepEqual(actual.answers[index], answer, step());
    }
  }
});
