// What a failed call to etcd means: which ones may be made again, and the store's words for the rest.
import { GrpcError } from "#base";
import { StoreError, type StoreErrorCode } from "../store.ts";

/** Whether asking again can do harm. */
export type Kind = "read" | "write";

/** The request did not leave this process, or etcd refused it before it could count. */
export const neverSent = (error: unknown): boolean =>
  error instanceof GrpcError &&
  /ECONNREFUSED|No connection established|Name resolution failed|etcdserver: too many requests|etcdserver: rpc not supported for learner/.test(
    error.message,
  );

/** It may go better a moment later, or with another member: elections, lost connections, a member that is silent. */
export const passing = (error: unknown): boolean =>
  error instanceof GrpcError &&
  (error.code === "UNAVAILABLE" || error.code === "DEADLINE_EXCEEDED" || error.message === deadline || neverSent(error));

/** What etcd says, with the code "unknown", when it notices the end of a call's time before the client does. */
const deadline = "context deadline exceeded";

const codes: readonly (readonly [string, StoreErrorCode])[] = [
  ["required revision has been compacted", "compacted"],
  ["required revision is a future revision", "futureRevision"],
  ["database space exceeded", "noSpace"],
  ["corrupt cluster", "corrupt"],
  ["requested lease not found", "leaseNotFound"],
  ["lease already exists", "leaseExists"],
  ["duplicate key given", "duplicateKey"],
  ["etcdserver: key not found", "keyNotFound"],
  ["key is not provided", "emptyKey"],
  ["request is too large", "tooLarge"],
  ["too large lease TTL", "tooLarge"],
];

/** Messages are etcd's own and those of Kubernetes' etcd client: they reach users of the API, who search for them. */
export function storeError(error: unknown, kind: Kind): StoreError {
  if (error instanceof StoreError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const known = codes.find(([text]) => message.includes(text));
  if (known !== undefined) return new StoreError(known[1], message, { cause: error });
  return new StoreError(kind === "write" && !neverSent(error) ? "unknownOutcome" : "unavailable", textOf(error, message), {
    cause: error,
  });
}

function textOf(error: unknown, message: string): string {
  if (!(error instanceof GrpcError) || message.startsWith("etcdserver:")) return message;
  if (error.code === "DEADLINE_EXCEEDED" || message === deadline) return deadline;
  const words = error.code.split("_").map((word) => word[0] + word.slice(1).toLowerCase());
  return `rpc error: code = ${words.join("")} desc = ${message}`;
}
