// Starts `tiphys up` as a user would, in a process of its own, and runs kubectl against it.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

export interface ReadyInfo {
  readonly pid: number;
  readonly server: string;
  readonly kubeconfig: string;
  readonly dataDir: string;
  readonly readyMs: number;
  readonly nodes: readonly string[];
}

export interface Tiphys extends AsyncDisposable {
  readonly info: ReadyInfo;
  readonly child: ChildProcess;
  /** What it has written to stdout and stderr so far. */
  output(): string;
  kubectl(...args: string[]): Promise<CommandResult>;
  /** Sends the signal and waits for the end; returns the exit code (128 + n for a signal). */
  stop(signal?: NodeJS.Signals): Promise<number>;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartOptions {
  /** Kept when given, otherwise a fresh one that disposal removes. */
  readonly dataDir?: string;
  readonly timeoutMs?: number;
  /** What to run instead of the sources. */
  readonly program?: string;
  /** The subcommand and its flags come after; default "up". */
  readonly env?: Readonly<Record<string, string>>;
}

/** Resolves when the ready file is there; throws with the output when the process ends first. */
export async function startTiphys(args: readonly string[], options: StartOptions = {}): Promise<Tiphys> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "tiphys-"));
  const readyFile = join(mkdtempSync(join(tmpdir(), "tiphys-ready-")), "ready.json");
  const child = spawn(
    process.execPath,
    [
      "--disable-warning=ExperimentalWarning",
      options.program ?? join(root, "src/cli/main.ts"),
      "up",
      "--data-dir",
      dataDir,
      "--api-port",
      "0",
      "--kubelet-port",
      "0",
      "--ready-file",
      readyFile,
      ...args,
    ],
    {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
    },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const exited = new Promise<number>((resolve) =>
    child.on("exit", (code, signal) => resolve(code ?? (signal === null ? 1 : 128))),
  );
  const ready = whenExists(readyFile, options.timeoutMs ?? 60_000);
  const winner = await Promise.race([ready.promise.then(() => "ready" as const), exited.then((code) => code)]);
  if (winner !== "ready") {
    ready.cancel();
    throw new Error(`tiphys up ended with ${winner} before it was ready:\n${output}`);
  }
  const info = JSON.parse(readFileSync(readyFile, "utf8")) as ReadyInfo;
  const stop = async (signal: NodeJS.Signals = "SIGTERM"): Promise<number> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    return exited;
  };
  return {
    info,
    child,
    output: () => output,
    kubectl: (...words) => kubectl(info.kubeconfig, words),
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
      rmSync(join(readyFile, ".."), { recursive: true, force: true });
      if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function whenExists(path: string, timeoutMs: number): { promise: Promise<void>; cancel(): void } {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const watcher = watch(join(path, ".."), () => existsSync(path) && done());
  const timer = setTimeout(() => {
    watcher.close();
    reject(new Error(`"${path}" was not written within ${timeoutMs} ms`));
  }, timeoutMs);
  const cancel = (): void => {
    watcher.close();
    clearTimeout(timer);
  };
  const done = (): void => {
    cancel();
    resolve();
  };
  if (existsSync(path)) done();
  return { promise, cancel };
}

/** Runs kubectl to its end. `input` goes to its standard input. */
export function kubectl(
  kubeconfig: string,
  args: readonly string[],
  options: { input?: string; timeoutMs?: number; env?: Record<string, string> } = {},
): Promise<CommandResult> {
  return run("kubectl", ["--kubeconfig", kubeconfig, ...args], options);
}

export function run(
  command: string,
  args: readonly string[],
  options: { input?: string; timeoutMs?: number; env?: Record<string, string> } = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = execFile(
      command,
      [...args],
      {
        timeout: options.timeoutMs ?? 60_000,
        killSignal: "SIGKILL",
        maxBuffer: 64 << 20,
        env: { ...process.env, ...options.env },
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 128;
        resolve({
          code,
          stdout,
          stderr: error !== null && typeof error.code !== "number" ? `${stderr}${error.message}` : stderr,
        });
      },
    );
    child.stdin?.on("error", () => {});
    child.stdin?.end(options.input ?? "");
  });
}

const has = (command: string): boolean =>
  (process.env.PATH ?? "").split(":").some((directory) => existsSync(join(directory, command)));

/** A reason to skip, or false. */
export const needs = (...commands: readonly string[]): string | false => {
  const missing = commands.filter((command) => !has(command));
  return missing.length > 0 ? `${missing.join(", ")} not installed` : false;
};

export const needsRoot = (...commands: readonly string[]): string | false =>
  process.platform !== "linux" ? "needs Linux" : process.getuid?.() !== 0 ? "needs root" : needs(...commands);
