// A store of twenty lines whose histories are right by construction: what the checkers are tried on.
import { type Random, randomInt } from "#base";
import {
  type Entry,
  type History,
  type Operation,
  type WatchedEvent,
  type WatchRecord,
  type WatchResponse,
  type Write,
  wants,
} from "./history.ts";

const keys = ["a", "b", "c"];

class ToyStore {
  revision = 1;
  readonly live = new Map<string, Entry>();
  readonly events: WatchedEvent[] = [];

  write({ condition, effects }: Write): NonNullable<(Operation & Write)["answer"]> {
    const current = condition && this.live.get(condition.key);
    if (condition !== undefined && (current?.modRevision ?? 0) !== condition.modRevision)
      return { revision: this.revision, succeeded: false, changed: [], ...(current === undefined ? {} : { current }) };
    const modRevision = this.revision + 1;
    const changed = effects.map(({ key, value }) => {
      const previous = this.live.get(key);
      if (value === undefined && previous === undefined) return false;
      const before = previous === undefined ? {} : { previous };
      if (value === undefined) {
        this.live.delete(key);
        this.events.push({ type: "delete", key, value: "", modRevision, createRevision: 0, version: 0, ...before });
        return true;
      }
      const createRevision = previous?.createRevision ?? modRevision;
      const entry = { value, modRevision, createRevision, version: (previous?.version ?? 0) + 1 };
      this.live.set(key, entry);
      this.events.push({ type: "put", key, ...entry, ...before });
      return true;
    });
    if (changed.includes(true)) this.revision++;
    return { revision: this.revision, succeeded: true, changed };
  }
}

/** A watcher that is served now and then, told of its progress, and loses its connection. */
class ToyWatcher {
  readonly lives: (WatchRecord & { readonly responses: WatchResponse[] })[] = [];
  readonly #settings: Omit<WatchRecord, "startRevision" | "responses">;
  #next: number;

  constructor(settings: Omit<WatchRecord, "startRevision" | "responses">, startRevision: number) {
    this.#settings = settings;
    this.#next = startRevision;
    this.resume();
  }

  resume(): void {
    this.lives.push({ ...this.#settings, startRevision: this.#next, responses: [] });
  }

  serve(store: ToyStore, until: number, at: number, progress: boolean): void {
    const life = this.lives.at(-1) as (typeof this.lives)[number]; // the constructor has made one
    const events = store.events
      .filter((event) => event.modRevision >= this.#next && event.modRevision <= until && wants(life, event))
      .map(({ previous, ...event }) => (life.previous && previous !== undefined ? { ...event, previous } : event));
    if (until < this.#next - 1) return;
    if (events.length > 0) life.responses.push({ at, revision: until, events });
    if (progress) life.responses.push({ at, revision: until, events: [] });
    if (events.length > 0 || progress) this.#next = until + 1;
  }
}

type Pending = {
  readonly client: number;
  readonly call: number;
  readonly ask: Record<string, unknown>;
  answer?: object;
  taken?: boolean;
};

/** `losses`: the share of answers that get lost, of steps taken or not. */
export function toyHistory(random: Random, count = 120, losses = 0.05): History {
  const store = new ToyStore();
  const operations: Operation[] = [];
  const pending = new Map<number, Pending>();
  const all = { previous: true, filters: [] } as const;
  const watchers = [
    new ToyWatcher({ client: "everything", key: "\0", end: "\0", ...all }, 2),
    new ToyWatcher({ client: "puts", key: "a", end: "c", previous: false, filters: ["nodelete"] }, 2),
    new ToyWatcher({ client: "deletions", key: "a", end: "\0", previous: true, filters: ["noput"] }, 2),
    new ToyWatcher({ client: "one key", key: "b", ...all }, 5),
  ];
  let tick = 0;
  const chance = (share: number): boolean => random.float() < share;
  const key = (): string => keys[randomInt(random, keys.length)] as string; // in bounds
  const ask = (): Record<string, unknown> => {
    const kind = randomInt(random, 10);
    const effect = { key: key(), value: kind === 4 ? undefined : `v${tick}` };
    if (kind < 4) return { kind: "get", key: key() };
    if (kind < 7) return { kind: "write", effects: [effect] };
    if (kind === 7) return { kind: "write", effects: keys.map((each) => ({ key: each, value: `v${tick}` })) };
    const guess = chance(0.7) ? (store.live.get(effect.key)?.modRevision ?? 0) : randomInt(random, store.revision + 1);
    return { kind: "write", condition: { key: effect.key, modRevision: guess }, effects: [effect] };
  };
  // A client whose answer got lost goes on under another name. Reads that nobody heard are no part of history.
  const forget = ({ client, call, ask: asked }: Pending): void => {
    if (asked["kind"] === "write")
      operations.push({
        client: `${client}-${tick}`,
        call,
        return: Number.POSITIVE_INFINITY,
        ...asked,
        answer: undefined,
      } as Operation);
  };
  while (operations.length < count) {
    tick++;
    const client = randomInt(random, 6);
    const asked = pending.get(client);
    if (asked === undefined) pending.set(client, { client, call: tick, ask: ask() });
    else if (!asked.taken) {
      asked.taken = true;
      const lost = chance(losses);
      if (!lost || chance(0.5)) {
        const action = asked.ask as unknown as Operation;
        asked.answer =
          action.kind === "get" ? { revision: store.revision, entry: store.live.get(action.key) } : store.write(action);
      }
      if (lost) {
        pending.delete(client);
        // The client goes on under another name.
        if (asked.ask["kind"] === "write")
          operations.push({
            client: `${client}-${tick}`,
            call: asked.call,
            return: Number.POSITIVE_INFINITY,
            ...asked.ask,
            answer: undefined,
          } as Operation);
      }
    } else {
      pending.delete(client);
      operations.push({ client: `${client}`, call: asked.call, return: tick, ...asked.ask, answer: asked.answer } as Operation);
    }
    const watcher = watchers[randomInt(random, watchers.length * 3)];
    if (chance(0.1)) watcher?.resume();
    watcher?.serve(store, store.revision - randomInt(random, 2), ++tick, chance(0.2));
  }
  for (const asked of pending.values()) forget(asked);
  for (const watcher of watchers) watcher.serve(store, store.revision, ++tick, true);
  return { operations, watches: watchers.flatMap(({ lives }) => lives), compactions: [] };
}
