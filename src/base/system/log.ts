// The logs of a running program: JSON, or text for a person at a terminal. Both write at once, so that nothing is lost on exit.
import { writeSync } from "node:fs";
import type { Log, LogFields } from "../log.ts";

export interface LogOptions {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly format: "json" | "text";
  /** File descriptor; 2 (stderr) by default. */
  readonly descriptor?: number;
}

export function createLog(options: LogOptions): Log {
  const write = writerTo(options.descriptor ?? 2);
  return options.format === "json" ? jsonLog(options.level, write, {}) : textLog(options.level, write, {});
}

type Write = (line: string) => void;

const patienceMs = 1000;

/** Waits a little for a reader that is behind; a log that nobody can read must not stop the program. */
function writerTo(descriptor: number): Write {
  const nap = new Int32Array(new SharedArrayBuffer(4));
  return (line) => {
    let rest: Uint8Array = Buffer.from(line);
    let waitedMs = 0;
    while (rest.length > 0 && waitedMs < patienceMs) {
      try {
        rest = rest.subarray(writeSync(descriptor, rest));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
        waitedMs += 10;
        Atomics.wait(nap, 0, 0, 10);
      }
    }
  };
}

/** {"level":30,"time":1767225600000,"component":"scheduler","pod":"default/a","msg":"bound pod"}, the form that pino and its tools know. */
function jsonLog(level: (typeof order)[number], write: Write, context: LogFields): Log {
  const at = (name: (typeof order)[number]) => (message: string, fields?: LogFields) => {
    const severity = order.indexOf(name);
    if (severity < order.indexOf(level)) return;
    const line = { level: 20 + 10 * severity, time: Date.now(), ...context, ...serialise(fields), msg: message };
    write(`${JSON.stringify(line, (_, value) => (typeof value === "bigint" ? String(value) : value))}\n`);
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => jsonLog(level, write, { ...context, ...serialise(fields) }),
  };
}

const order = ["debug", "info", "warn", "error"] as const;

/** "2026-01-01T00:00:00.000Z info  scheduler: bound pod pod=default/a node=n1" */
function textLog(level: (typeof order)[number], write: Write, context: LogFields): Log {
  const at = (name: (typeof order)[number]) => (message: string, fields?: LogFields) => {
    if (order.indexOf(name) < order.indexOf(level)) return;
    const { component, ...rest } = { ...context, ...serialise(fields) } as Record<string, unknown>;
    const tail = Object.entries(rest).map(
      ([key, value]) => ` ${key}=${typeof value === "string" && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)}`,
    );
    write(
      `${new Date().toISOString()} ${name.padEnd(5)} ${component === undefined ? "" : `${String(component)}: `}${message}${tail.join("")}\n`,
    );
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => textLog(level, write, { ...context, ...fields }),
  };
}

/** Errors as their message (and cause), everything else as it is. */
function serialise(fields: LogFields | undefined): LogFields {
  if (fields === undefined) return {};
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? describe(value) : value]),
  );
}

const describe = (error: Error): string =>
  error.cause instanceof Error ? `${error.message}: ${describe(error.cause)}` : error.message;
