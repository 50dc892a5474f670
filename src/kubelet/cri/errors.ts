// gRPC failures of the runtime, as errors that say what could not be done and keep the code (the one place where CRI codes are read).
import { GrpcError } from "#base";

/** A failed runtime call. `code` is gRPC's name: "NOT_FOUND", "UNAVAILABLE", "DEADLINE_EXCEEDED", ... */
export class RuntimeError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "RuntimeError";
    this.code = code;
  }
}

export const isRuntimeNotFound = (error: unknown): boolean =>
  error instanceof RuntimeError &&
  (error.code === "NOT_FOUND" || (error.code === "UNKNOWN" && /not found|does not exist/.test(error.message)));

/** Upstream's text of a failed call: `rpc error: code = NotFound desc = ...`. */
export function runtimeError(error: unknown): Error {
  if (!(error instanceof GrpcError)) return error instanceof Error ? error : new Error(String(error));
  const words = error.code
    .toLowerCase()
    .split("_")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return new RuntimeError(error.code, `rpc error: code = ${words.join("")} desc = ${error.message}`, { cause: error });
}
