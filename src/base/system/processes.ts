// Real child processes.
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { createInterface } from "node:readline";
import type { CommandResult, Processes } from "../processes.ts";

export const systemProcesses: Processes = {
  run: (command, args, options = {}) =>
    new Promise<CommandResult>((resolve, reject) => {
      const child = spawn(command, [...args], { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...options.env } });
      const stdout: Buffer[] = [];
      const stderr: Buffer[] = [];
      child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
      child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
      const timeoutMs = options.timeoutMs ?? 30_000;
      let timedOut = false;
      const timer = setTimeout(() => {
        timedOut = true;
        child.kill("SIGKILL");
      }, timeoutMs);
      child.on("error", (error) => {
        clearTimeout(timer);
        reject(new Error(`Cannot run "${command}": ${error.message}`, { cause: error }));
      });
      child.on("close", (code) => {
        clearTimeout(timer);
        if (timedOut) reject(new Error(`"${command} ${args.join(" ")}" did not end within ${timeoutMs} ms`));
        else resolve({ code: code ?? 128, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() });
      });
      child.stdin.on("error", () => {}); // a child that ends before it has read its input says so by its exit code
      child.stdin.end(options.input ?? "");
    }),

  start: (command, args, options = {}) => {
    const output = options.outputFile === undefined ? undefined : openSync(options.outputFile, "a", 0o600);
    const child = spawn(command, [...args], {
      stdio: output === undefined ? ["ignore", "pipe", "pipe"] : ["ignore", output, output],
      env: { ...process.env, ...options.env },
      cwd: options.directory,
      detached: output !== undefined,
    });
    if (output !== undefined) {
      closeSync(output);
      child.unref();
    }
    const exited = new Promise<{ code: number | undefined; signal: string | undefined }>((resolve) => {
      child.on("exit", (code, signal) => resolve({ code: code ?? undefined, signal: signal ?? undefined }));
      child.on("error", () => resolve({ code: 127, signal: undefined }));
    });
    const listeners: ((line: string) => void)[] = [];
    for (const stream of [child.stdout, child.stderr].filter((stream) => stream !== null)) {
      createInterface({ input: stream }).on("line", (line) => {
        for (const listener of listeners) listener(line);
      });
    }
    return {
      pid: child.pid ?? -1,
      exited,
      onLine: (listener) => void listeners.push(listener),
      kill: (signal) => void child.kill(signal),
    };
  },

  signal: (pid, signal) => {
    try {
      return process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
      throw error;
    }
  },
};
