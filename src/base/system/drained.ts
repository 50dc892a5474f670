// Waits until a stream takes more.
import type { Writable } from "node:stream";

/** Resolves when the stream takes more, or never will: one that is destroyed says nothing any more, and who waited for it would wait for ever. */
export function drained(stream: Pick<Writable, "destroyed" | "on" | "off">): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) return resolve();
    const done = (): void => {
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.on("drain", done);
    stream.on("close", done);
  });
}
