// A client of etcd's Watch service, at the level of its messages: some watches on one stream that breaks now and then and goes on.
import { type GrpcChannel, GrpcError, type Random, randomInt, sleep, systemClock } from "#base";
import { keyOf, type WireEvent, type WireKeyValue, type WireWatchResponse } from "../../../src/store/etcd/wire.ts";
import type { Entry, WatchedEvent, WatchRecord, WatchResponse } from "../../checkers/history.ts";
import { openWatchChannel, openWatchStream, type WatchStreamClient, type WatchWanted } from "./watch-stream.ts";

export interface WatchSpec {
  readonly client: string;
  readonly key: string;
  readonly end: string | undefined;
  readonly previous: boolean;
  readonly filters: WatchRecord["filters"];
  /** "before", "after": of the newest revision, at random, in each of its lives; the others go on where they were. */
  readonly from: "start" | "now" | "before" | "after";
}

export interface WatchingClientOptions {
  readonly url: string;
  readonly random: Random;
  readonly tick: () => number;
  /** A revision that the store has reached. */
  readonly newest: () => number;
  /** Breaks off after about so long, again and again. Absent: only when the server does. */
  readonly breaksMs?: number;
  /** Takes up to so long for each answer. */
  readonly delayMs?: number;
  readonly watches: readonly WatchSpec[];
}

interface Following {
  readonly spec: WatchSpec;
  /** Counts what must be told apart: lives that do not go on where the one before ended. */
  epoch: number;
  /** 0: from now on. */
  next: number;
  responses: WatchResponse[] | undefined;
  fragments: WireEvent[];
}

/** Longer than any outage that a history has. */
const patienceMs = 60_000;

export class WatchingClient {
  readonly records: WatchRecord[] = [];
  readonly #options: WatchingClientOptions;
  readonly #following: readonly Following[];
  readonly #end = new AbortController();
  /** A watch of the stream is over: the next life opens it again. */
  #cancelledOne = false;
  #goal: number | undefined;
  #deadline = Number.POSITIVE_INFINITY;

  constructor(options: WatchingClientOptions) {
    this.#options = options;
    this.#following = options.watches.map((spec) => ({
      spec,
      epoch: 0,
      next: spec.from === "start" ? 2 : 0,
      responses: undefined,
      fragments: [],
    }));
  }

  /** Resolves when all watches have been served up to the revision of `finish`; rejects when they are not in time. */
  async run(): Promise<void> {
    const channel = await openWatchChannel(this.#options.url);
    try {
      while (!this.#done && !this.#end.signal.aborted) {
        await this.#live(channel);
        await sleep(systemClock, 10);
        if (systemClock.monotonic() > this.#deadline) throw new Error(`${this.#late} did not reach revision ${this.#goal}`);
      }
    } finally {
      channel.close();
    }
  }

  /** No more breaks; the end is when everything up to `revision` has been seen. */
  finish(revision: number): void {
    this.#goal = revision;
    this.#deadline = systemClock.monotonic() + patienceMs;
  }

  close(): void {
    this.#end.abort();
  }

  get #late(): string {
    return this.#following
      .filter(({ next }) => next <= (this.#goal ?? 0))
      .map(({ spec, next }) => `"${spec.client}" (at ${next})`)
      .join();
  }

  get #done(): boolean {
    return this.#goal !== undefined && this.#late === "";
  }

  async #live(channel: GrpcChannel): Promise<void> {
    const stop = new AbortController();
    this.#cancelledOne = false;
    const wanted = this.#following.map((following) => this.#wanted(following));
    const stream = openWatchStream(channel, wanted, AbortSignal.any([stop.signal, this.#end.signal]));
    const disturbing = this.#disturb(stream, stop.signal);
    try {
      for await (const response of stream.responses) {
        this.#take(response);
        if (this.#done || this.#cancelledOne || stop.signal.aborted) break;
        const { delayMs = 0, random } = this.#options;
        if (delayMs > 0 && this.#goal === undefined) await sleep(systemClock, random.float() * delayMs);
      }
    } catch (error) {
      if (!(error instanceof GrpcError)) throw error; // the server is gone for now
    } finally {
      stop.abort();
      stream.cancel();
      await disturbing;
    }
  }

  #wanted(following: Following): WatchWanted {
    const { spec } = following;
    const { random, newest } = this.#options;
    if (spec.from === "before" || spec.from === "after") {
      following.epoch++;
      const distance = randomInt(random, 100);
      // Once it ends everybody must get there.
      following.next =
        spec.from === "after" && this.#goal === undefined ? newest() + 1 + (distance >> 2) : Math.max(2, newest() - distance);
    }
    following.responses = undefined;
    following.fragments = [];
    return { ...spec, startRevision: following.next, fragment: random.float() < 0.5 };
  }

  /** Asks for progress now and then, and breaks off in the end. */
  async #disturb(stream: WatchStreamClient, stop: AbortSignal): Promise<void> {
    const { random, breaksMs } = this.#options;
    const end = systemClock.monotonic() + (breaksMs === undefined ? Number.POSITIVE_INFINITY : breaksMs * 2 * random.float());
    while (!stop.aborted) {
      await sleep(systemClock, 20 + 60 * random.float(), stop).catch(() => {});
      if (stop.aborted) return;
      if (systemClock.monotonic() > (this.#goal === undefined ? end : this.#deadline)) return stream.cancel();
      stream.requestProgress();
    }
  }

  #take(response: WireWatchResponse): void {
    const id = Number(response.watch_id);
    const revision = Number(response.header?.revision ?? 0);
    const at = this.#options.tick();
    // Id -1: of all watches of the stream. Those that the server has not made yet are not meant.
    const meant =
      id === -1 ? this.#following.filter(({ responses }) => responses !== undefined) : this.#following.slice(id - 1, id);
    for (const following of meant) {
      if (response.canceled) this.#cancelled(following, Number(response.compact_revision ?? 0), response.cancel_reason ?? "");
      else if (response.created) this.#begin(following, revision);
      else this.#receive(following, response, revision, at);
    }
  }

  #begin(following: Following, revision: number): void {
    const { spec } = following;
    following.responses = [];
    if (following.next === 0) following.next = revision + 1;
    this.records.push({
      client: following.epoch === 0 ? spec.client : `${spec.client} ${following.epoch}`,
      key: spec.key,
      ...(spec.end === undefined ? {} : { end: spec.end }),
      startRevision: following.next,
      previous: spec.previous,
      filters: spec.filters,
      responses: following.responses,
    });
  }

  #cancelled(following: Following, compactRevision: number, reason: string): void {
    if (compactRevision === 0) throw new Error(`"${following.spec.client}" was cancelled: ${reason}`);
    if (following.next >= compactRevision)
      throw new Error(`"${following.spec.client}" at ${following.next} was cancelled by a compaction at ${compactRevision}`);
    following.epoch++;
    following.next = compactRevision;
    following.responses = undefined;
    this.#cancelledOne = true;
  }

  #receive(following: Following, { events, fragment }: WireWatchResponse, revision: number, at: number): void {
    following.fragments.push(...events);
    if (fragment) return;
    const whole = following.fragments.map(eventOf);
    following.fragments = [];
    following.responses?.push({ at, revision, events: whole });
    following.next = Math.max(following.next, (whole.at(-1)?.modRevision ?? revision) + 1);
  }
}

function eventOf({ type, kv, prev_kv }: WireEvent): WatchedEvent {
  const event = { type: type === "DELETE" ? "delete" : "put", key: keyOf(kv.key), ...entryOf(kv) } as const;
  return prev_kv === undefined ? event : { ...event, previous: entryOf(prev_kv) };
}

const entryOf = (kv: WireKeyValue): Entry => ({
  value: kv.value.toString(),
  createRevision: Number(kv.create_revision),
  modRevision: Number(kv.mod_revision),
  version: Number(kv.version),
});
