// All checks of a history in one call.
import { checkAnswers } from "./answers.ts";
import type { History, Violation } from "./history.ts";
import { linearizable, settle } from "./key-model.ts";
import { mergeLog } from "./log.ts";
import { checkWatches } from "./watch.ts";

/** Every promise that `history` shows broken; none: it is as it should be. Some watcher of it must have seen every key to the end. */
export function checkHistory(history: History): Violation[] {
  const { log, violations } = mergeLog(history.watches);
  return [
    ...violations,
    ...linearizable(settle(history.operations, log)),
    ...checkWatches(history, log),
    ...checkAnswers(history, log),
  ];
}
