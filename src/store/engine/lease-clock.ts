// When leases run out: monotonic deadlines and one timer for the nearest.
import type { Clock, Timer } from "#base";
import { firstLeaseId } from "./state.ts";
import { Tree } from "./tree.ts";

export class LeaseClock {
  readonly #clock: Clock;
  readonly #expire: (ids: readonly bigint[]) => void;
  readonly #deadlines: Tree<bigint, number>;
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  /** `expire` is told the leases whose time is over; they are forgotten here. */
  constructor(clock: Clock, expire: (ids: readonly bigint[]) => void, deadlines = new Tree<bigint, number>()) {
    this.#clock = clock;
    this.#expire = expire;
    this.#deadlines = deadlines;
    this.#arm();
  }

  renew(id: bigint, ttlSeconds: number): void {
    const deadline = this.#clock.monotonic() + ttlSeconds * 1000;
    this.#deadlines.set(id, deadline);
    if (deadline < this.#timerAt) this.#setTimer(deadline);
  }

  forget(id: bigint): void {
    this.#deadlines.delete(id);
  }

  /** Whole seconds left, rounded down as etcd does. */
  remainingSeconds(id: bigint): number {
    return Math.max(0, Math.floor(((this.#deadlines.get(id) ?? 0) - this.#clock.monotonic()) / 1000));
  }

  snapshot(): Tree<bigint, number> {
    return this.#deadlines.snapshot();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timerAt = Number.NEGATIVE_INFINITY;
  }

  #arm(): void {
    let nearest = Number.POSITIVE_INFINITY;
    this.#deadlines.scan(firstLeaseId, undefined, (deadline) => {
      if (deadline < nearest) nearest = deadline;
    });
    if (nearest < Number.POSITIVE_INFINITY) this.#setTimer(nearest);
    else this.#timerAt = nearest;
  }

  #setTimer(at: number): void {
    this.#timer?.cancel();
    this.#timerAt = at;
    // A timer may fire a little early; the longest delay a timer takes is 2^31-1 ms.
    const delayMs = Math.min(Math.max(1, Math.ceil(at - this.#clock.monotonic())), 2 ** 31 - 1);
    this.#timer = this.#clock.after(delayMs, () => this.#fire());
  }

  #fire(): void {
    const now = this.#clock.monotonic();
    const due: bigint[] = [];
    this.#deadlines.scan(firstLeaseId, undefined, (deadline, id) => {
      if (deadline <= now) due.push(id);
    });
    for (const id of due) this.#deadlines.delete(id);
    this.#arm();
    if (due.length > 0) this.#expire(due);
  }
}
