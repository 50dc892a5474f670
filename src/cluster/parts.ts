// What was started, to be stopped in the opposite order; a part that takes long to stop is named in the log.
import type { Clock, Log } from "#base";

const slowMs = 5000;

export class Parts implements AsyncDisposable {
  readonly #parts: { readonly name: string; readonly part: AsyncDisposable }[] = [];
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(deps: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  add<T extends AsyncDisposable>(name: string, part: T): T {
    this.#parts.push({ name, part });
    return part;
  }

  /** To be stopped after everything else. */
  addFirst<T extends AsyncDisposable>(name: string, part: T): T {
    this.#parts.unshift({ name, part });
    return part;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    let failure: unknown;
    for (const { name, part } of this.#parts.splice(0).reverse()) {
      const slow = this.#clock.after(slowMs, () => this.#log.warn("still stopping", { part: name }));
      try {
        await part[Symbol.asyncDispose]();
        this.#log.debug("stopped", { part: name });
      } catch (error) {
        this.#log.error("cannot stop", { part: name, error });
        failure ??= error;
      } finally {
        slow.cancel();
      }
    }
    if (failure !== undefined) throw failure;
  }
}

/** What `build` returns, which disposed of stops all parts; or its error, and then what was started before it is stopped again. */
export async function assemble<T extends object | void>(
  deps: { readonly clock: Clock; readonly log: Log },
  build: (parts: Parts) => Promise<T>,
): Promise<T & AsyncDisposable> {
  const parts = new Parts(deps);
  try {
    const built = await build(parts);
    return Object.assign(built ?? {}, { [Symbol.asyncDispose]: () => parts[Symbol.asyncDispose]() }) as T & AsyncDisposable;
  } catch (error) {
    await parts[Symbol.asyncDispose]();
    throw error;
  }
}
