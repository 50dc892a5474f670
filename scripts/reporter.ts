// A short test report: failures in full, skips with their reason, and one line that scripts/lanes.ts reads.
import type { TestEvent } from "node:test/reporters";

export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for await (const event of source) {
    if (event.type === "test:pass" && event.data.skip !== undefined) {
      skipped++; // a suite counts as one: nobody looks at what is in it
      yield `skipped: ${event.data.name}: ${event.data.skip === true ? "no reason given" : event.data.skip}\n`;
    } else if (event.type === "test:pass") {
      if (event.data.details.type !== "suite") passed++;
    } else if (event.type === "test:fail" && event.data.details.type === "suite") {
      // a suite fails because a test in it did, which was said already, or because of its own hooks
      const error = event.data.details.error as (Error & { failureType?: string }) | undefined;
      const cause = error?.cause as { stack?: string } | undefined;
      if (error?.failureType === "hookFailed")
        yield `FAILED: ${event.data.name}: before or after (${event.data.file ?? ""})\n${cause?.stack ?? error.stack ?? String(error)}\n`;
    } else if (
      event.type === "test:fail" &&
      (event.data.details.error as { failureType?: string } | undefined)?.failureType === "cancelledByParent"
    ) {
      failed++; // the reason is the parent's
    } else if (event.type === "test:fail") {
      failed++;
      const error = event.data.details.error;
      const cause = error?.cause as { stack?: string } | undefined;
      yield `FAILED: ${event.data.name} (${event.data.file ?? ""}:${event.data.line ?? ""})\n${cause?.stack ?? error?.stack ?? String(error)}\n`;
    } else if (event.type === "test:stderr" || event.type === "test:stdout") {
      yield event.data.message;
    }
  }
  yield `lane-result ${passed} ${failed} ${skipped}\n`;
}
