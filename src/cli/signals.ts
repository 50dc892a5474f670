// The signals that end a program: the first asks it to stop in order, the second ends it at once.
import type { Log } from "#base";

export function signalled(): Promise<void> {
  return new Promise((resolve) => {
    let seen = false;
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.on(signal, () => {
        if (seen) process.exit(130);
        seen = true;
        resolve();
      });
    }
  });
}

/** Stops what runs, then ends the process: with 1 when something could not be stopped. */
export async function endWith(running: AsyncDisposable, log: Log): Promise<never> {
  let code = 0;
  try {
    await running[Symbol.asyncDispose]();
  } catch (error) {
    log.error("could not stop in order", { error });
    code = 1;
  }
  // a library may hold a handle that we do not know of; everything that matters is closed by now
  process.exit(code);
}
