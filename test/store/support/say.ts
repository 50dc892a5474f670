// What a child of a test says, at once: it may be killed in the next moment.
import { writeSync } from "node:fs";

/** One line on standard output. A pipe whose reader is slow takes no more for a moment, which is no reason to die. */
export function say(text: string): void {
  for (;;) {
    try {
      writeSync(1, `${text}\n`);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
  }
}
