// Child processes as an argument: the real ones live in system/processes.ts.

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ChildProcess {
  readonly pid: number;
  /** Resolves when the process has ended. */
  readonly exited: Promise<{ code: number | undefined; signal: string | undefined }>;
  /** Lines of stdout and stderr, while it runs. */
  onLine(listener: (line: string) => void): void;
  kill(signal: NodeJS.Signals): void;
}

export interface Processes {
  /** Runs a command to its end; a code other than 0 is a result, not an exception. Kills it after `timeoutMs` (default 30 s) and throws. */
  run(
    command: string,
    args: readonly string[],
    options?: { input?: string; timeoutMs?: number; env?: Readonly<Record<string, string>> },
  ): Promise<CommandResult>;
  /** Starts a long-running child. With `outputFile` its output is appended there (not to `onLine`) and it survives this process. */
  start(
    command: string,
    args: readonly string[],
    options?: { env?: Readonly<Record<string, string>>; directory?: string; outputFile?: string },
  ): ChildProcess;
  /** Sends a signal to any process; false when there is no such process. Signal 0 only asks. */
  signal(pid: number, signal: NodeJS.Signals | 0): boolean;
}
