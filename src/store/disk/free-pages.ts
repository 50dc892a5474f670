// Gives the pages that deleted rows have left back to the file system.
import type { Sizes } from "./protocol.ts";
import type { Thread } from "./thread.ts";

/** Others wait behind each step, and a full disk must have room for its pages in the log. */
const pagesAStep = 64;

/** Rejects with ThreadFailure. */
export async function giveBackFreePages(thread: Thread): Promise<void> {
  await thread.request({ kind: "checkpoint", mode: "TRUNCATE" });
  for (let before = Number.POSITIVE_INFINITY; ; ) {
    const { bytes, bytesInUse } = await thread.request<Sizes>({ kind: "sizes" });
    const free = bytes - bytesInUse;
    if (free === 0 || free >= before) break;
    before = free;
    await thread.request({ kind: "vacuum", pages: pagesAStep });
    // The file shrinks when the log is copied into it, and the log makes room for the next step.
    await thread.request({ kind: "checkpoint", mode: "TRUNCATE" });
  }
}
