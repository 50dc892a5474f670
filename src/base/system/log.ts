// The logs of a running program: JSON by pino, or text for a person at a terminal. Both write at once, so that nothing is lost on exit.
import pino from "pino";
import type { Log, LogFields } from "../log.ts";

export interface LogOptions {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly format: "json" | "text";
  /** File descriptor; 2 (stderr) by default. */
  readonly descriptor?: number;
}

export function createLog(options: LogOptions): Log {
  const descriptor = options.descriptor ?? 2;
  if (options.format === "json")
    return overPino(pino({ level: options.level, base: null }, pino.destination({ fd: descriptor, sync: true })));
  const destination = pino.destination({ fd: descriptor, sync: true });
  return textLog(options.level, (line) => destination.write(line), {});
}

function overPino(logger: pino.Logger): Log {
  const at = (level: "debug" | "info" | "warn" | "error") => (message: string, fields?: LogFields) =>
    logger[level](serialise(fields), message);
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => overPino(logger.child(fields)),
  };
}

const order = ["debug", "info", "warn", "error"] as const;

/** "2026-01-01T00:00:00.000Z info  scheduler: bound pod pod=default/a node=n1" */
function textLog(level: (typeof order)[number], write: (line: string) => void, context: LogFields): Log {
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
