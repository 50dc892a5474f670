// Runs `tiphys kubectl` inside the test's process, with what it reads and writes as texts.
import { PassThrough, Readable } from "node:stream";
import { systemFiles } from "#base";
import { runKubectl } from "../../src/cli/kubectl/main.ts";
import type { CommandResult } from "./tiphys.ts";

export async function ownKubectl(
  kubeconfig: string,
  args: readonly string[],
  options: { input?: string; signal?: AbortSignal; onOutput?: (all: string) => void } = {},
): Promise<CommandResult> {
  let stdout = "";
  let stderr = "";
  const write = (text: string): void => {
    stdout += text;
    options.onOutput?.(stdout);
  };
  const output = new PassThrough();
  output.on("data", (bytes: Buffer) => write(bytes.toString()));
  const code = await runKubectl(["--kubeconfig", kubeconfig, ...args], {
    out: write,
    error: (text) => {
      stderr += text;
    },
    input: Readable.from(options.input === undefined ? [] : [Buffer.from(options.input)]),
    output,
    files: systemFiles,
    home: "/nonexistent",
    environment: {},
    signal: options.signal ?? new AbortController().signal,
  });
  return { code, stdout, stderr };
}
