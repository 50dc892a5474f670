// Values that many objects have in common (the spec of a Deployment's pods) are kept once, and what follows from such a value alone is found once.

/** What has been found out about shared values, by the function that found it. A cache of what follows from immutable values. */
const answers = new WeakMap<object, Map<unknown, unknown>>();

function share<Value>(value: Value): Value {
  if (typeof value === "object" && value !== null && !answers.has(value)) answers.set(value, new Map());
  return value;
}

/** What `find` says of a value. Of a shared value it is asked once, so it must depend on nothing else. */
export function known<Value, Answer>(value: Value, find: (value: Value) => Answer): Answer {
  const found = answers.get(value as object); // nothing is found for what is no object
  if (found === undefined) return find(value);
  if (!found.has(find)) found.set(find, find(value));
  return found.get(find) as Answer; // set above
}

/** What `make` makes of a value; what it makes of a shared value is shared as well. */
export function derived<Value, Result>(value: Value, make: (value: Value) => Result): Result {
  const found = answers.get(value as object); // as above
  if (found === undefined) return make(value);
  if (!found.has(make)) found.set(make, share(make(value)));
  return found.get(make) as Result; // as above
}

const maxValues = 1_000;
const maxTextLength = 16 * 1024;

/** Shared values by the text they were read from: the latest thousand, large ones left out. */
export class SharedValues {
  readonly #byText = new Map<string, object>();

  get(text: string): object | undefined {
    return this.#byText.get(text);
  }

  /** From now on `value` is shared: nobody changes it. */
  add(text: string, value: object): void {
    if (text.length > maxTextLength) return;
    if (this.#byText.size >= maxValues) this.#byText.delete(this.#byText.keys().next().value as string); // not empty
    this.#byText.set(text, share(value));
  }
}
