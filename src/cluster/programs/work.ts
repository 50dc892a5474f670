// The work of a program as its port sees it: there only while it is done, which with leader election may be again and again.

export interface Work<T> {
  start(): Promise<AsyncDisposable>;
  /** Undefined before the start, and from the moment that what was started is told to stop. */
  running(): T | undefined;
}

export function workOf<T extends AsyncDisposable>(begin: () => Promise<T>): Work<T> {
  let running: T | undefined;
  return {
    running: () => running,
    start: async () => {
      const begun = await begin();
      running = begun;
      return {
        [Symbol.asyncDispose]: () => {
          running = undefined;
          return begun[Symbol.asyncDispose]();
        },
      };
    },
  };
}
