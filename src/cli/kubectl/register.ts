// `tiphys kubectl`: takes the words as they are, and loads what reads them only then.
import { homedir } from "node:os";
import type { Command } from "commander";
import { systemFiles } from "#base";

export function addKubectl(program: Command): void {
  program
    .command("kubectl")
    .description("Ask a cluster as kubectl does, where no kubectl is at hand")
    .argument("[words...]", "a command of kubectl with its flags")
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(run);
}

async function run(words: readonly string[]): Promise<void> {
  const { runKubectl } = await import("./main.ts");
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort(new Error("interrupted")));
  process.once("SIGTERM", () => interrupted.abort(new Error("interrupted")));
  // the reader has seen enough: `| head`
  process.stdout.on("error", () => process.exit(0));
  process.exitCode = await runKubectl(words, {
    out: (text) => void process.stdout.write(text),
    error: (text) => void process.stderr.write(text),
    input: process.stdin,
    output: process.stdout,
    files: systemFiles,
    home: homedir(),
    environment: process.env,
    signal: interrupted.signal,
  });
}
