// One call for many callers: whoever asks while a call is under way shares the next one, which begins after he asked.
export class Shared<T> {
  readonly #call: () => Promise<T>;
  #current: Promise<T> | undefined;
  #next: Promise<T> | undefined;

  constructor(call: () => Promise<T>) {
    this.#call = call;
  }

  /** An answer to a call that began after this one. */
  next(): Promise<T> {
    if (this.#current === undefined) return this.#begin();
    this.#next ??= this.#current.then(
      () => this.#begin(),
      () => this.#begin(),
    );
    return this.#next;
  }

  #begin(): Promise<T> {
    this.#next = undefined;
    const call = this.#call().finally(() => {
      if (this.#current === call) this.#current = undefined;
    });
    this.#current = call;
    return call;
  }
}
