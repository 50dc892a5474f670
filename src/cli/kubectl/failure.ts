// How a command ends that did not do what was asked: kubectl's texts and exit codes.
import { ApiError, type StatusCause } from "#api";

/** `message` is printed as it is. */
export class Failure extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Several that did not keep each other from being tried. */
export class Failures extends Error {
  readonly errors: readonly unknown[];

  constructor(errors: readonly unknown[]) {
    super(`${errors.length} errors`);
    this.errors = errors;
  }
}

/** Does `work` with each, also after one has failed; throws what failed. */
export async function eachOf<T>(items: Iterable<T> | AsyncIterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const errors: unknown[] = [];
  for await (const item of items) {
    try {
      await work(item);
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new Failures(errors);
}

/** An API error that says what it was about: `error when creating "a.yaml": ...`. */
export function about(context: string, error: unknown): unknown {
  return error instanceof ApiError
    ? new ApiError({ ...error.status, message: `${context}: ${error.status.message ?? ""}` }, { cause: error })
    : error;
}

/** What kubectl prints for an error, without the last line break. */
export function describeError(error: unknown, server: string | undefined): string {
  if (error instanceof Failures) return error.errors.map((one) => describeError(one, server)).join("\n");
  if (error instanceof Failure) return error.message;
  if (error instanceof ApiError) return describeStatus(error);
  const text = error instanceof Error ? error.message : String(error);
  if (server !== undefined && codesOf(error).includes("ECONNREFUSED"))
    return `The connection to the server ${new URL(server).host} was refused - did you specify the right host or port?`;
  if (server !== undefined && text.startsWith("Cannot reach ")) return `Unable to connect to the server: ${text}`;
  return `error: ${text}`;
}

function describeStatus({ status, reason, message }: ApiError): string {
  if (reason === "Invalid") {
    const { kind, name = "", causes: all = [] } = status.details ?? {};
    const head = kind === undefined || kind === "" ? "The request is invalid" : `The ${kind} "${name}" is invalid`;
    const causes = [...new Set(all.map(causeText))];
    if (causes.length > 1) return `${head}: \n${causes.map((text) => `* ${text}\n`).join("")}`;
    return causes.length === 1 || kind === undefined ? `${head}: ${causes[0] ?? message}` : head;
  }
  if (reason === "Unauthorized") return `error: You must be logged in to the server (${message})`;
  return `Error from server${reason === "" ? "" : ` (${reason})`}: ${message}`;
}

const causeText = ({ field, message }: StatusCause): string => `${field ?? ""}: ${message ?? ""}`;

function codesOf(error: unknown): unknown[] {
  if (!(error instanceof Error)) return [];
  const inner = error instanceof AggregateError ? error.errors : [];
  return [(error as NodeJS.ErrnoException).code, ...[error.cause, ...inner].flatMap(codesOf)];
}
