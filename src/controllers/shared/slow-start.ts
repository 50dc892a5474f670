// Many writes at once, carefully: 1, then 2, 4, 8 ... so that a quota or a broken template is met by one refusal, not by hundreds.

export interface BatchResult {
  readonly succeeded: number;
  readonly error?: unknown;
}

/** Calls `write` `count` times in doubling batches; after a batch with a failure no other begins. Never throws. */
export async function slowStart(count: number, write: (index: number) => Promise<void>): Promise<BatchResult> {
  let succeeded = 0;
  for (let done = 0, size = 1; done < count; size *= 2) {
    const batch = Math.min(size, count - done);
    const first = done;
    const results = await Promise.allSettled(Array.from({ length: batch }, (_, index) => write(first + index)));
    done += batch;
    succeeded += results.filter(({ status }) => status === "fulfilled").length;
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) return { succeeded, error: failed.reason };
  }
  return { succeeded };
}
