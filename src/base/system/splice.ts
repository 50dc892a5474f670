// Joins two connections so that nothing of what one side sent last is lost when it hangs up.
import type { Duplex } from "node:stream";

/** How long the other side may take to hang up after it has been told that the conversation is over, in milliseconds. */
const farewellMs = 10_000;

/** What one sends the other gets. When one ends or breaks, the other first gets all that was said, then the end. */
export function splice(a: Duplex, b: Duplex): void {
  a.pipe(b);
  b.pipe(a);
  const over = (other: Duplex) => (): void => {
    if (other.destroyed) return;
    // destroying it here would throw away what is still on its way out: an exit code is often the last thing said
    other.end();
    other.resume();
    if ("setTimeout" in other)
      (other as Duplex & { setTimeout(ms: number, done: () => void): void }).setTimeout(farewellMs, () => other.destroy());
  };
  a.on("error", over(b)).on("close", over(b));
  b.on("error", over(a)).on("close", over(a));
  // who is gone already says so no more
  if (a.destroyed) over(b)();
  if (b.destroyed) over(a)();
}
