// One component of a cluster in a process of its own: ours by its subcommand, or somebody else's program.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

const main = join(import.meta.dirname, "../../src/cli/main.ts");

export interface Component {
  readonly child: ChildProcess;
  /** What it has written so far. */
  output(): string;
  /** Resolves when it has said that it is started; rejects with its words when it ends first. Ours only. */
  started(): Promise<void>;
  /** SIGTERM, and its exit code. */
  stop(): Promise<number | null>;
}

export const startOurs = (...args: readonly string[]): Component =>
  startProgram(process.execPath, "--disable-warning=ExperimentalWarning", main, ...args);

export function startProgram(command: string, ...args: readonly string[]): Component {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  return {
    child,
    output: () => output,
    started: () =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (/ started$/m.test(output)) resolve();
        };
        child.stderr.on("data", look);
        void ended.then(() => reject(new Error(output)));
        look();
      }),
    stop: () => {
      child.kill("SIGTERM");
      return ended;
    },
  };
}
