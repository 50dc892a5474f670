// A store so simple that it is surely right: a full copy of everything at every revision. Backends are held against it.
import type { Operation, Revision, Transaction } from "../store.ts";

export interface ModelValue {
  readonly value: string;
  readonly create: Revision;
  readonly mod: Revision;
  readonly version: number;
}

export type ModelState = ReadonlyMap<string, ModelValue>;

export class Model {
  /** Index: revision. Revision 0 does not exist. */
  readonly states: ModelState[] = [new Map(), new Map()];
  compacted: Revision = 0;
  readonly #events: { readonly revision: Revision; readonly line: string }[] = [];

  get revision(): Revision {
    return this.states.length - 1;
  }

  at(revision: Revision): ModelState {
    return this.states[revision] as ModelState; // callers ask for existing revisions
  }

  /** Single-level transactions of puts and deletions with compares of version; enough to find mistakes. */
  transact(transaction: Transaction): { readonly succeeded: boolean; readonly revision: Revision } {
    const before = this.at(this.revision);
    const succeeded = transaction.if.every((compare) => {
      const actual = before.get(compare.key)?.version ?? 0;
      return (
        compare.target === "version" &&
        (compare.op === "=" ? actual === compare.value : compare.op === "<" ? actual < compare.value : actual > compare.value)
      );
    });
    const after = new Map(before);
    let wrote = false;
    for (const operation of succeeded ? transaction.then : (transaction.else ?? []))
      wrote = this.#apply(after, operation) || wrote;
    if (wrote) this.states.push(after);
    return { succeeded, revision: this.revision };
  }

  #apply(state: Map<string, ModelValue>, operation: Operation): boolean {
    if (operation.kind === "put") {
      const previous = state.get(operation.key);
      const next = this.revision + 1;
      const value = operation.value.toString("latin1");
      state.set(operation.key, { value, create: previous?.create ?? next, mod: next, version: (previous?.version ?? 0) + 1 });
      this.#events.push({ revision: next, line: `${next} put ${operation.key} ${value}` });
      return true;
    }
    if (operation.kind !== "delete") return false;
    const end = operation.end ?? `${operation.key}\0`;
    const gone = [...state.keys()].filter((key) => key >= operation.key && (end === "\0" || key < end));
    for (const key of gone.sort()) {
      state.delete(key);
      this.#events.push({ revision: this.revision + 1, line: `${this.revision + 1} delete ${key}` });
    }
    return gone.length > 0;
  }

  /** What a watch of everything from `start` on must have said by now, one line an event. */
  events(start: Revision): string[] {
    return this.#events.filter(({ revision }) => revision >= start).map(({ line }) => line);
  }
}
