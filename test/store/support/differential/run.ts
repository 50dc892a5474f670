// Runs a program on two servers of etcd's API side by side and compares every answer, field by field.
import { isDeepStrictEqual } from "node:util";
import { sleep, systemClock } from "#base";
import type { Int } from "../../../../src/store/etcd/wire.ts";
import { Program, type Step } from "./program.ts";
import { type Message, type Outcome, WireClient, type WireStream } from "./wire-client.ts";

/** Two servers with the same history: their revisions are equal, absolutely. */
export interface Pair extends Disposable {
  readonly expected: Side;
  readonly actual: Side;
}

export const openPair = (expectedUrl: string, actualUrl: string): Pair => {
  const expected = new Side(expectedUrl);
  const actual = new Side(actualUrl);
  return {
    expected,
    actual,
    [Symbol.dispose]: () => {
      expected.close();
      actual.close();
    },
  };
};

export interface Difference {
  readonly seed: number;
  readonly index: number;
  readonly step: Step | "watches" | "end";
  readonly expected: unknown;
  readonly actual: unknown;
}

/** The first difference; the pair is of no use after one. */
export async function runProgram(pair: Pair, seed: number, length: number): Promise<Difference | undefined> {
  const { expected, actual } = pair;
  const program = new Program(seed);
  const situation = { revision: await clear(pair), compacted: expected.compacted };
  const both = async (act: (side: Side) => Promise<unknown>): Promise<readonly [unknown, unknown]> =>
    Promise.all([act(expected), act(actual)]);
  const differing = (index: number, step: Difference["step"], answers: readonly [unknown, unknown]): Difference | undefined =>
    isDeepStrictEqual(answers[0], answers[1]) ? undefined : { seed, index, step, expected: answers[0], actual: answers[1] };

  for (let index = 0; index < length; index++) {
    const step = program.step(situation);
    const compacts = step.kind === "call" && step.method === "KV.Compact";
    // What a watch shows of the past depends on when it is asked, in both: it has told everything before history goes or the watch ends.
    if (step.kind === "cancel" || compacts) {
      const difference = differing(index, "watches", await fence(pair));
      if (difference !== undefined) return difference;
    }
    if (compacts) await both((side) => side.cancelSilent());
    const answers = await both((side) => side.take(step));
    const difference = differing(index, step, answers);
    if (difference !== undefined) return difference;
    situation.revision = Math.max(situation.revision, expected.revision);
    situation.compacted = expected.compacted;
  }
  const ending = differing(length, "watches", await fence(pair));
  if (ending !== undefined) return ending;
  return differing(length, "end", await both((side) => side.everything()));
}

/** An empty store for the next program: the revision goes on. */
async function clear({ expected, actual }: Pair): Promise<number> {
  await Promise.all([expected.clear(), actual.clear()]);
  return expected.revision;
}

/** Both sides' events so far: ours knows when it has told all, and etcd gets the time to do so too. */
async function fence({ expected, actual }: Pair): Promise<readonly [unknown, unknown]> {
  await actual.settled();
  const wanted = actual.toldCount;
  for (const end = performance.now() + patienceMs; expected.toldCount < wanted && performance.now() < end; )
    await sleep(systemClock, 5);
  return [expected.takeTold(), actual.takeTold()];
}

export class Side {
  readonly #client: WireClient;
  #watch: WireStream;
  #keepAlive: WireStream;
  #alive: ((response: Message) => void)[] = [];
  #created: ((response: Message) => void)[] = [];
  #progress: (() => void)[] = [];
  /** By watch id: each event and ending, in order. */
  #told = new Map<number, unknown[]>();
  #open = new Set<number>();
  #silent = new Set<number>();
  revision = 1;
  compacted = 0;
  toldCount = 0;

  constructor(url: string) {
    this.#client = new WireClient(url);
    this.#watch = this.#watches();
    this.#keepAlive = this.#client.stream("Lease.LeaseKeepAlive", (response) => this.#alive.shift()?.(response));
  }

  /** What the watches have told since it was asked last. */
  takeTold(): unknown {
    const told = [...this.#told].sort(([a], [b]) => a - b);
    this.#told.clear();
    return told;
  }

  async take(step: Step): Promise<unknown> {
    switch (step.kind) {
      case "call":
        return this.call(step.method, step.request);
      case "keepAlive": {
        const answer = await this.#next(this.#alive, () => this.#keepAlive.write({ ID: step.id }));
        return withoutIds(answer);
      }
      case "watch": {
        const answer = await this.#next(this.#created, () => this.#watch.write({ create_request: step.request }));
        const id = Number(answer["watch_id"]);
        if (!answer["canceled"]) this.#open.add(id);
        if (!answer["canceled"] && Number(step.request["start_revision"]) > 0) this.#silent.add(id);
        return withoutIds(answer);
      }
      case "cancel":
        await this.#cancel(step.watch);
        return undefined;
      default:
        return step satisfies never;
    }
  }

  /**
   * Ends the watches that began in the past and have told nothing: nobody can know whether etcd has brought them up to the present already, or
   * would end them when it compacts.
   */
  async cancelSilent(): Promise<void> {
    for (const id of [...this.#silent].sort((a, b) => a - b)) await this.#cancel(id);
    this.#silent.clear();
  }

  /** etcd has no answer for a watch that it does not know; the ending of one that it knows comes in the sequence of its events. */
  async #cancel(id: number): Promise<void> {
    const before = this.toldCount;
    const known = this.#open.has(id);
    this.#watch.write({ cancel_request: { watch_id: id } });
    for (const end = performance.now() + patienceMs; known && this.toldCount === before && performance.now() < end; )
      await sleep(systemClock, 1);
  }

  async call(method: string, request: Message): Promise<unknown> {
    const outcome = await this.#client.unary(method, request);
    if ("response" in outcome) this.#learn(method, request, outcome.response);
    return comparable(method, outcome);
  }

  /** Every key with everything about it, and every kept revision's count. */
  async everything(): Promise<unknown> {
    return this.call("KV.Range", all);
  }

  /** Of a server that tells its progress only after its events (ours): everything so far has been told. */
  async settled(): Promise<void> {
    await soon<void>("progress", (resolve) => {
      this.#progress.push(resolve);
      this.#watch.write({ progress_request: {} });
    });
  }

  async clear(): Promise<void> {
    this.#watch.close();
    this.#told = new Map();
    this.#open = new Set();
    this.#silent = new Set();
    this.toldCount = 0;
    await this.call("KV.DeleteRange", all);
    const { response } = (await this.#client.unary("Lease.LeaseLeases", {})) as { readonly response: Message };
    for (const { ID } of response["leases"] as readonly { readonly ID: Int }[]) await this.call("Lease.LeaseRevoke", { ID });
    this.#watch = this.#watches();
  }

  close(): void {
    this.#client.close();
  }

  #watches(): WireStream {
    return this.#client.stream("Watch.Watch", (response) => this.#tell(response));
  }

  #tell(response: Message): void {
    const id = Number(response["watch_id"]);
    if (response["created"]) {
      this.#created.shift()?.(response);
      return;
    }
    const events = response["events"] as readonly Message[];
    const told = this.#told.get(id) ?? [];
    if (response["canceled"]) {
      told.push(["canceled", response["cancel_reason"], Number(response["compact_revision"])]);
      this.#open.delete(id);
    } else if (events.length === 0) {
      for (const resolve of this.#progress.splice(0)) resolve();
      return;
    } else told.push(...events);
    this.#told.set(id, told);
    this.#silent.delete(id);
    this.toldCount += response["canceled"] ? 1 : events.length;
  }

  #next(queue: ((response: Message) => void)[], ask: () => void): Promise<Message> {
    return soon<Message>("an answer", (resolve) => {
      queue.push(resolve);
      ask();
    });
  }

  #learn(method: string, request: Message, response: Message): void {
    const header = response["header"] as Message | undefined;
    this.revision = Math.max(this.revision, Number(header?.["revision"] ?? 0));
    if (method === "KV.Compact") this.compacted = Number(request["revision"]);
  }
}

/** An answer on a stream, or an error: a stream that broke must not hold the program up. */
function soon<T>(what: string, ask: (resolve: (value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = systemClock.after(patienceMs, () =>
      reject(new Error(`waited ${patienceMs} ms in vain for ${what} on a stream`)),
    );
    ask((value) => {
      timer.cancel();
      resolve(value);
    });
  });
}

const patienceMs = 5_000;
const slowestProgramSeconds = 80;
const all = { key: Buffer.from("\0"), range_end: Buffer.from("\0") };

/** Everything but what names the server and its clock. */
function comparable(method: string, outcome: Outcome): unknown {
  if (!("response" in outcome)) return outcome;
  const response = withoutIds(outcome.response) as Record<string, unknown>;
  if (method === "Lease.LeaseLeases") {
    // In the order of their ends.
    const ids = (response["leases"] as readonly { readonly ID: Int }[]).map(({ ID }) => BigInt(ID));
    return { ...response, leases: ids.sort((a, b) => (a < b ? -1 : 1)) };
  }
  if (method === "Lease.LeaseTimeToLive") {
    // In no order; and the seconds that are left go on while we look.
    const names = (response["keys"] as readonly Buffer[]).map((key) => key.toString("latin1")).sort();
    const [left, granted] = [Number(response["TTL"]), Number(response["grantedTTL"])];
    const running = left <= granted && left > granted - slowestProgramSeconds;
    return { ...response, keys: names, TTL: running ? "running" : left };
  }
  return response;
}

function withoutIds(response: Message): unknown {
  const { header, ...rest } = response;
  return { revision: Number((header as Message | undefined)?.["revision"] ?? 0), ...rest };
}
