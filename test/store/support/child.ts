// Processes that are made to die: started quickly, heard line by line, killed and waited for on every path.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const compileCache = join(tmpdir(), "tiphys-test-compile-cache");

/** Types are stripped and scripts compiled once, not in each of a thousand processes. */
export const childEnvironment = (): NodeJS.ProcessEnv => {
  mkdirSync(compileCache, { recursive: true });
  return { ...process.env, NODE_COMPILE_CACHE: compileCache };
};

export interface Child extends AsyncDisposable {
  /** Complete lines so far. */
  readonly lines: readonly string[];
  readonly errors: string;
  /** Resolves when a line says so; rejects when the process ends before. */
  heard(line: string): Promise<void>;
  /** kill -9; resolves when it is dead and everything it said has arrived. */
  kill(): Promise<void>;
  /** Its exit code, 128 when a signal ended it. */
  readonly ended: Promise<number>;
}

/** Starts a module of test/store, under `wrapper` (strace and its options) if given. */
export function startChild(module: string, args: readonly string[], wrapper: readonly string[] = []): Child {
  const [command = "", ...rest] = [
    ...wrapper,
    process.execPath,
    "--disable-warning=ExperimentalWarning",
    join(import.meta.dirname, "..", module),
    ...args,
  ];
  // A process group of its own, so that what strace leaves behind dies with it.
  const child = spawn(command, rest, { stdio: ["ignore", "pipe", "pipe"], env: childEnvironment(), detached: true });
  const lines: string[] = [];
  const waiting = new Map<string, () => void>();
  let errors = "";
  let rest0 = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  child.stdout.setEncoding("latin1").on("data", (text: string) => {
    const parts = (rest0 + text).split("\n");
    rest0 = parts.pop() ?? "";
    for (const part of parts) {
      lines.push(part);
      waiting.get(part)?.();
    }
  });
  const ended = new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? 128)));
  const kill = async (): Promise<void> => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-child.pid, "SIGKILL");
    await ended;
  };
  return {
    lines,
    get errors() {
      return errors;
    },
    ended,
    heard: (line) => {
      if (lines.includes(line)) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.set(line, resolve);
      return Promise.race([promise, ended.then(() => Promise.reject(new Error(`the child ended before "${line}": ${errors}`)))]);
    },
    kill,
    [Symbol.asyncDispose]: kill,
  };
}

/** Why strace cannot be used here, or false: the value of a test's `skip`. */
export const straceMissing = spawnSync("strace", ["-qq", "-o", "/dev/null", "true"]).status === 0 ? false : "needs strace";
