// Eight clients and a handful of watchers on an etcd API, and everything that they asked and were told.
import { type Random, randomInt, silentLog, sleep, systemClock } from "#base";
import { type EtcdStore, type KeyValue, openEtcdStore, StoreError, type Operation as StoreOperation } from "#store";
import type { Effect, Entry, Get, History, Operation, Write } from "../../checkers/history.ts";
import { WatchingClient } from "./watching-client.ts";

export interface RecordedHistory extends History {
  /** From the first question to the last answer. */
  readonly seconds: number;
}

export interface RecordOptions {
  readonly url: string;
  readonly random: Random;
  /** It goes on for so long, and until so many questions were asked. */
  readonly durationMs: number;
  readonly leastOperations: number;
  /** Called at each answer. */
  readonly answered?: () => void;
  /** Called when clients have stopped writing; the history ends when watchers have seen everything after it resolves. */
  readonly settled?: () => Promise<void>;
}

const clientCount = 8;
const connectionCount = 2;
/** Of each client, between two questions: some hundred questions a second in all. */
const pauseMs = 8;
const keys = Array.from({ length: 10 }, (_, index) => `/k/${index}`);
const shortHistoryRevisions = 150;

/** Seeded: what is asked; when, and in which order it arrives, is the machine's doing. */
export async function recordHistory(options: RecordOptions): Promise<RecordedHistory> {
  const { url, random, durationMs, leastOperations, answered = () => {}, settled } = options;
  const recorder = new Recorder(random, answered);
  const stores = await Promise.all(Array.from({ length: connectionCount }, () => openStore(url)));
  let seconds = 0;
  const watchers = watchersOf(url, recorder);
  const watching = watchers.map((watcher) => watcher.run());
  // Nobody awaits them until the end, but the first that fails must be heard then.
  for (const each of watching) each.catch(() => {});
  try {
    const stop = new AbortController();
    const compacting = recorder.compact(stores[0] as EtcdStore, stop.signal); // there are two
    const began = systemClock.monotonic();
    const until = began + durationMs;
    await Promise.all(
      Array.from({ length: clientCount }, async (_, client) => {
        const store = stores[client % connectionCount] as EtcdStore; // in bounds
        for (let n = 0; systemClock.monotonic() < until || recorder.operations.length < leastOperations; n++) {
          await recorder.ask(store, `client ${client}`, n);
          await sleep(systemClock, random.float() * 2 * pauseMs);
        }
      }),
    );
    seconds = (systemClock.monotonic() - began) / 1000;
    stop.abort();
    await compacting;
    await settled?.();
    const { revision } = await (stores[0] as EtcdStore).range(keys[0] as string);
    for (const watcher of watchers) watcher.finish(revision);
    await Promise.all(watching);
  } finally {
    for (const watcher of watchers) watcher.close();
    for (const store of stores) await store[Symbol.asyncDispose]();
  }
  return {
    seconds,
    operations: recorder.operations,
    compactions: recorder.compactions,
    watches: watchers.flatMap(({ records }) => records),
  };
}

const openStore = (url: string): Promise<EtcdStore> =>
  openEtcdStore({ servers: [url], clock: systemClock, log: silentLog, timeoutMs: 30_000 });

function watchersOf(url: string, recorder: Recorder): WatchingClient[] {
  const { random, tick } = recorder;
  const all = { key: "/k/", end: "/k0", previous: false, filters: [] } as const;
  const common = { url, random, tick, newest: () => recorder.newest };
  return [
    new WatchingClient({
      ...common,
      watches: [{ ...all, client: "everything", key: "\0", end: "\0", previous: true, from: "start" }],
    }),
    new WatchingClient({
      ...common,
      breaksMs: 400,
      watches: [
        { ...all, client: "shared stream, keys", previous: true, from: "now" },
        { ...all, client: "shared stream, one key", key: "/k/3", end: undefined, from: "now" },
        { ...all, client: "shared stream, deletions", previous: true, filters: ["noput"], from: "start" },
      ],
    }),
    new WatchingClient({
      ...common,
      breaksMs: 150,
      watches: [{ ...all, client: "breaking", key: "/k/2", end: "/k/7", filters: ["nodelete"], from: "now" }],
    }),
    new WatchingClient({ ...common, delayMs: 300, watches: [{ ...all, client: "slow", previous: true, from: "start" }] }),
    new WatchingClient({ ...common, breaksMs: 300, watches: [{ ...all, client: "going back", previous: true, from: "before" }] }),
    new WatchingClient({ ...common, breaksMs: 500, watches: [{ ...all, client: "ahead", from: "after" }] }),
  ];
}

class Recorder {
  readonly random: Random;
  readonly operations: Operation[] = [];
  readonly compactions: History["compactions"][number][] = [];
  /** Of the answers so far. */
  newest = 1;
  #ticks = 0;
  readonly #lastSeen = new Map<string, number>();
  readonly #answered: () => void;

  constructor(random: Random, answered: () => void) {
    this.random = random;
    this.#answered = answered;
  }

  readonly tick = (): number => ++this.#ticks;

  async ask(store: EtcdStore, client: string, n: number): Promise<void> {
    const kind = randomInt(this.random, 100);
    const key = this.#key();
    if (kind < 25) return this.#get(store, client, { kind: "get", key });
    if (kind < 32)
      return this.#get(store, client, { kind: "get", key, revision: Math.max(1, this.newest - randomInt(this.random, 40)) });
    const value = `${client}, ${n} ${"x".repeat(this.random.float() < 0.03 ? 60_000 : 0)}`;
    const write = (effects: readonly Effect[], condition?: Write["condition"]): Promise<void> =>
      this.#write(store, client, { kind: "write", effects, ...(condition === undefined ? {} : { condition }) });
    if (kind < 50) return write([{ key, value }]);
    if (kind < 60) return write([{ key, value: undefined }]);
    if (kind < 70) {
      const others = new Set([key, this.#key(), this.#key()]);
      return write([...others].map((each, index) => ({ key: each, value: index === 1 ? undefined : value })));
    }
    const modRevision = this.random.float() < 0.9 ? (this.#lastSeen.get(key) ?? 0) : 0;
    return write([{ key, value: kind < 95 ? value : undefined }], { key, modRevision });
  }

  /** Keeps the history short, so that watchers that come late meet its end. */
  async compact(store: EtcdStore, stop: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await sleep(systemClock, 200 + this.random.float() * 300, stop);
        const revision = this.newest - shortHistoryRevisions;
        if (revision < 2) continue;
        this.compactions.push({ call: this.tick(), revision });
        await store.compact(revision);
      } catch (error) {
        if (stop.aborted) return;
        if (!(error instanceof StoreError)) throw error; // an interrupted compaction is asked for again, further on
      }
    }
  }

  #key(): string {
    return keys[randomInt(this.random, keys.length)] as string; // in bounds
  }

  async #get(store: EtcdStore, client: string, get: Get): Promise<void> {
    const call = this.tick();
    try {
      const { kvs, revision } = await store.range(get.key, get.revision === undefined ? {} : { revision: get.revision });
      const entry = entryOf(kvs[0]);
      this.operations.push({ ...get, client, call, return: this.tick(), answer: { revision, entry } });
      this.#saw(revision);
      if (get.revision === undefined) this.#lastSeen.set(get.key, entry?.modRevision ?? 0);
    } catch (error) {
      // A read that nobody answered has no effect.
      if (!(error instanceof StoreError)) throw error;
    }
  }

  async #write(store: EtcdStore, client: string, write: Write): Promise<void> {
    const { effects, condition } = write;
    const call = this.tick();
    try {
      const { succeeded, revision, results } = await store.transact({
        if: condition === undefined ? [] : [{ key: condition.key, target: "mod", op: "=", value: condition.modRevision }],
        then: effects.map(
          ({ key, value }): StoreOperation =>
            value === undefined ? { kind: "delete", key } : { kind: "put", key, value: Buffer.from(value) },
        ),
        else: condition === undefined ? [] : [{ kind: "range", key: condition.key }],
      });
      const changed = succeeded ? results.map((result) => result.kind !== "delete" || result.deleted > 0) : [];
      const [first] = results;
      const current = !succeeded && first?.kind === "range" ? entryOf(first.kvs[0]) : undefined;
      const answer = { succeeded, revision, changed, ...(current === undefined ? {} : { current }) };
      this.operations.push({ ...write, client, call, return: this.tick(), answer });
      this.#saw(revision);
      if (condition !== undefined && !succeeded) this.#lastSeen.set(condition.key, current?.modRevision ?? 0);
      else for (const { key, value } of effects) this.#lastSeen.set(key, value === undefined ? 0 : revision);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      // Anything but "unknown outcome" says that it has not happened: then its value must not be seen.
      if (error.code === "unknownOutcome")
        this.operations.push({
          ...write,
          client: `${client}, ${call}`,
          call,
          return: Number.POSITIVE_INFINITY,
          answer: undefined,
        });
    }
  }

  #saw(revision: number): void {
    this.newest = Math.max(this.newest, revision);
    this.#answered();
  }
}

const entryOf = (kv: KeyValue | undefined): Entry | undefined =>
  kv && { value: kv.value.toString(), createRevision: kv.createRevision, modRevision: kv.modRevision, version: kv.version };
