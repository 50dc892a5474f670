// Decides what becomes of one more event: a new Event object, a higher count on an old one, or nothing (client-go tools/record semantics).
import type { ObjectReference } from "#api";
import type { Clock } from "#base";

export interface EventNote {
  readonly type: "Normal" | "Warning";
  /** CamelCase, one word: "FailedScheduling". */
  readonly reason: string;
  readonly message: string;
  /** What was being done: "Binding". */
  readonly action?: string;
  readonly related?: ObjectReference;
}

export interface EventSource {
  /** "default-scheduler", "kubelet". */
  readonly component: string;
  readonly host?: string;
}

export interface Occurrence {
  readonly source: EventSource;
  readonly about: ObjectReference;
  readonly note: EventNote;
}

export type Verdict =
  | { readonly kind: "new"; readonly key: string; readonly message: string }
  | {
      readonly kind: "repeat";
      readonly key: string;
      readonly message: string;
      readonly name: string;
      readonly count: number;
      readonly firstMs: number;
    }
  | { readonly kind: "drop" };

interface Seen {
  name: string;
  count: number;
  firstMs: number;
}

/** Ten different messages of one kind within ten minutes become one Event; 25 Events at once per object and source, then one in five minutes. */
const similarLimit = 10;
const similarWindowMs = 600_000;
const burst = 25;
const refillMs = 300_000;
const remembered = 4096;

export class EventCorrelator {
  readonly #clock: Clock;
  readonly #seen = new Map<string, Seen>();
  readonly #similar = new Map<string, { messages: Set<string>; atMs: number }>();
  readonly #budget = new Map<string, { tokens: number; atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  judge({ source, about, note }: Occurrence): Verdict {
    const subject = [about.kind, about.namespace, about.name, about.uid, about.apiVersion, about.fieldPath];
    const from = [source.component, source.host];
    if (!this.#spend(JSON.stringify([from, subject]))) return { kind: "drop" };

    const kindKey = JSON.stringify([from, subject, note.type, note.reason]);
    const combined = this.#tooMany(kindKey, note.message);
    const message = combined ? `(combined from similar events): ${note.message}` : note.message;
    const key = combined ? kindKey : JSON.stringify([from, subject, note.type, note.reason, note.message]);
    const seen = this.#seen.get(key);
    if (seen === undefined) return { kind: "new", key, message };
    seen.count++;
    return { kind: "repeat", key, message, ...seen };
  }

  /** The Event object of `key` was stored: what repeats counts on it. */
  stored(key: string, name: string, firstMs: number): void {
    remember(this.#seen, key, { name, count: 1, firstMs });
  }

  #spend(key: string): boolean {
    const now = this.#clock.monotonic();
    const budget = this.#budget.get(key) ?? { tokens: burst, atMs: now };
    budget.tokens = Math.min(burst, budget.tokens + (now - budget.atMs) / refillMs);
    budget.atMs = now;
    remember(this.#budget, key, budget);
    if (budget.tokens < 1) return false;
    budget.tokens -= 1;
    return true;
  }

  #tooMany(key: string, message: string): boolean {
    const now = this.#clock.monotonic();
    let similar = this.#similar.get(key);
    if (similar === undefined || now - similar.atMs > similarWindowMs) similar = { messages: new Set(), atMs: now };
    similar.atMs = now;
    similar.messages.add(message);
    remember(this.#similar, key, similar);
    if (similar.messages.size < similarLimit) return false;
    // The set must not grow with each further message.
    const [oldest] = similar.messages;
    if (oldest !== undefined) similar.messages.delete(oldest);
    return true;
  }
}

function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= remembered) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
