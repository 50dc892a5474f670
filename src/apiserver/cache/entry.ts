// One version of one object in the watch cache: its bytes, what selectors need, and the parsed object while it is in use.
import type { ApiObject, Stored } from "#api";
import { parseStored } from "./stored-bytes.ts";

/** What selectors, deletion and authorization ask without looking into the body. */
export interface Sidecar {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>> | undefined;
  /** Values of the resource's selectable fields beyond metadata.name and metadata.namespace. */
  readonly fields: Readonly<Record<string, string>>;
}

export class Entry {
  readonly key: string;
  readonly bytes: Buffer;
  readonly revision: number;
  readonly sidecar: Sidecar;
  readonly #parsed: ParsedCache;
  /** Set by ParsedCache only. */
  object: Stored<ApiObject> | undefined;

  constructor(key: string, bytes: Buffer, revision: number, sidecar: Sidecar, parsed: ParsedCache, object?: Stored<ApiObject>) {
    this.key = key;
    this.bytes = bytes;
    this.revision = revision;
    this.sidecar = sidecar;
    this.#parsed = parsed;
    if (object !== undefined) parsed.keep(this, object);
  }

  /** The parsed object, shared with everybody: never change it. */
  parse(): Stored<ApiObject> {
    return this.object ?? this.#parsed.keep(this, parseStored(this.bytes));
  }
}

/** Bounds how many parsed objects are held at once: the oldest one forgets its object first. */
export class ParsedCache {
  readonly #slots: (Entry | undefined)[];
  readonly #freeze: boolean;
  #next = 0;

  constructor(options: { capacity?: number; freeze?: boolean } = {}) {
    this.#slots = new Array<Entry | undefined>(options.capacity ?? 20_000).fill(undefined);
    this.#freeze = options.freeze ?? false;
  }

  keep(entry: Entry, object: Stored<ApiObject>): Stored<ApiObject> {
    const evicted = this.#slots[this.#next];
    if (evicted !== undefined) evicted.object = undefined;
    this.#slots[this.#next] = entry;
    this.#next = (this.#next + 1) % this.#slots.length;
    entry.object = this.#freeze ? deepFreeze(object) : object;
    return entry.object;
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
