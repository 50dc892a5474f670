// The real clock.
import type { Clock } from "../clock.ts";

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (delayMs, fire) => {
    // setTimeout counts in 32 bits; a longer delay fires early there, so it is cut into pieces.
    const longest = 2_147_483_647;
    let timer: NodeJS.Timeout;
    const arm = (left: number): void => {
      timer = setTimeout(() => (left > longest ? arm(left - longest) : fire()), Math.min(left, longest));
      timer.unref();
    };
    arm(Math.max(0, delayMs));
    return { cancel: () => clearTimeout(timer) };
  },
};
