// What clients of an etcd-like store asked and saw, as plain data that every checker reads.

/**
 * Moments are ticks of one counter that all clients of a history share: what has the smaller tick came first. Values are text; a history in
 * which each write has a value of its own says most.
 */
export type Tick = number;

export interface Entry {
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
}

/** `value` undefined: the key is deleted. */
export interface Effect {
  readonly key: string;
  readonly value: string | undefined;
}

export interface Get {
  readonly kind: "get";
  readonly key: string;
  /** 0 or absent: the latest. */
  readonly revision?: number;
}

/** Put, deletion and transaction are one thing: effects, under a condition or none. */
export interface Write {
  readonly kind: "write";
  /** The effects come about only if the key's modRevision is this; 0: only if it is absent. */
  readonly condition?: { readonly key: string; readonly modRevision: number };
  /** At most one for each key. */
  readonly effects: readonly Effect[];
}

export interface GetAnswer {
  /** Of the store when it answered. */
  readonly revision: number;
  readonly entry: Entry | undefined;
}

export interface WriteAnswer {
  /** Of the write if it changed something, otherwise of the store when it answered. */
  readonly revision: number;
  readonly succeeded: boolean;
  /** For each effect whether it changed something (deletions of what is not there do not); empty when not succeeded. */
  readonly changed: readonly boolean[];
  /** When not succeeded: the condition's key as it was. */
  readonly current?: Entry;
}

interface Asked {
  readonly client: string;
  readonly call: Tick;
  /** Infinity when no answer came: it may have happened, at any later time, or not. */
  readonly return: Tick;
}

export type Operation =
  | (Asked & Get & { readonly answer: GetAnswer })
  | (Asked & Write & { readonly answer: WriteAnswer | undefined });

export interface WatchedEvent {
  readonly type: "put" | "delete";
  readonly key: string;
  /** Empty in a deletion. */
  readonly value: string;
  readonly modRevision: number;
  readonly createRevision: number;
  readonly version: number;
  readonly previous?: Entry;
}

export interface WatchResponse {
  readonly at: Tick;
  /** The header's. */
  readonly revision: number;
  /** Empty: a progress notification, "you have everything up to `revision`". */
  readonly events: readonly WatchedEvent[];
}

/** One life of a watch. A client that resumes after a break has several, in order; together they must be as good as one. */
export interface WatchRecord {
  readonly client: string;
  readonly key: string;
  /** Exclusive; absent: this key only; "\0": no end. */
  readonly end?: string;
  /** First revision wanted; of a watch "from now on" the one after the revision that its creation was answered with. */
  readonly startRevision: number;
  readonly previous: boolean;
  readonly filters: readonly ("noput" | "nodelete")[];
  readonly responses: readonly WatchResponse[];
}

export interface History {
  readonly operations: readonly Operation[];
  readonly watches: readonly WatchRecord[];
  /** Asked for; from `call` on what came before `revision` may be gone. */
  readonly compactions: readonly { readonly call: Tick; readonly revision: number }[];
}

/** A promise that was broken: the check that says so, and how. */
export interface Violation {
  readonly check: string;
  readonly message: string;
}

export const wants = (watch: WatchRecord, event: WatchedEvent): boolean =>
  event.key >= watch.key &&
  (watch.end === "\0" || event.key < (watch.end ?? `${watch.key}\0`)) &&
  !watch.filters.includes(event.type === "put" ? "noput" : "nodelete");

export const eventsOf = (watch: WatchRecord): WatchedEvent[] => watch.responses.flatMap(({ events }) => events);

/** The lives of each client's watch, in order. */
export function byClient(watches: readonly WatchRecord[]): ReadonlyMap<string, readonly WatchRecord[]> {
  const clients = new Map<string, WatchRecord[]>();
  for (const watch of watches) {
    const known = clients.get(watch.client);
    if (known === undefined) clients.set(watch.client, [watch]);
    else known.push(watch);
  }
  return clients;
}
