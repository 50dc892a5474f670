// Time as an argument: the real clock lives in system/, the virtual one in virtual-clock.ts.

export interface Timer {
  /** Stops the timer; harmless when it has fired. */
  cancel(): void;
}

export interface Clock {
  /** Wall time in milliseconds since 1970. Certificates, tokens and timestamps use it. */
  now(): number;
  /** Milliseconds that never go back. Leases, time-outs and durations use it. */
  monotonic(): number;
  /** Calls `fire` once after `delayMs`. The timer does not keep the process alive by itself. */
  after(delayMs: number, fire: () => void): Timer;
}

/** Resolves after `delayMs`, or rejects with the signal's reason. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** Calls `tick` every `periodMs` until cancelled; a tick that is still running is not started again. */
export function every(clock: Clock, periodMs: number, tick: () => void | Promise<void>): Timer {
  let timer: Timer;
  let stopped = false;
  const arm = (): void => {
    timer = clock.after(periodMs, () => {
      void Promise.resolve(tick()).finally(() => {
        if (!stopped) arm();
      });
    });
  };
  arm();
  return {
    cancel: () => {
      stopped = true;
      timer.cancel();
    },
  };
}
