// Sends a log to an HTTP client, no faster than it reads, and lets go of the log when the client is gone.
import type { Writable } from "node:stream";
import { drained } from "#base";

/** `read` is told by its signal that nobody listens any more; it is always read to its end or closed. Rejects with what it throws. */
export async function sendLog(response: Writable, read: (gone: AbortSignal) => AsyncIterable<Buffer>): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  if (response.destroyed) return; // "close" may have been said already
  for await (const piece of read(gone.signal)) {
    if (!response.write(piece)) await drained(response);
    if (response.destroyed) return;
  }
}
