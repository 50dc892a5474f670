// The command line: `tiphys up` and everything else.
import { CommanderError } from "commander";
import { OptionError } from "#base";
import { commandLine } from "./command-line.ts";
import { normaliseArguments } from "./flags.ts";

void main();

async function main(): Promise<void> {
  // timers of ours do not keep the process alive; this one does until the command is done
  const alive = setInterval(() => {}, 1 << 30);
  try {
    await commandLine().parseAsync(normaliseArguments(process.argv.slice(2)), { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode;
    else {
      console.error(`tiphys: ${describe(error)}`);
      process.exitCode = error instanceof OptionError ? 2 : 1;
    }
  } finally {
    clearInterval(alive);
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error && !error.message.includes(error.cause.message) ? `: ${describe(error.cause)}` : "";
  return error.message + cause;
}
