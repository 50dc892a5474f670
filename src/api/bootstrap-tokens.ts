// Bootstrap tokens: secrets by which a new node is let in for its first request.
import type { Secret } from "./types/mod.ts";

/** Keys of such a secret's data. */
export type BootstrapTokenField =
  | "token-id"
  | "token-secret"
  | "expiration"
  | "usage-bootstrap-authentication"
  | "usage-bootstrap-signing"
  | "auth-extra-groups";

/** "" where there is no such field. */
const field = (secret: Secret, name: BootstrapTokenField): string => Buffer.from(secret.data?.[name] ?? "", "base64").toString();

/** Where they are, what they are called, and how they are read. */
export const bootstrapToken = {
  namespace: "kube-system",
  type: "bootstrap.kubernetes.io/token",
  nameOf: (id: string): string => `bootstrap-token-${id}`,
  field,
  /** In milliseconds since 1970; undefined: it never ends. What cannot be read as a time is over, as upstream has it. */
  endMs(secret: Secret): number | undefined {
    const text = field(secret, "expiration");
    if (text === "") return undefined;
    const time = Date.parse(text);
    return Number.isNaN(time) ? 0 : time;
  },
} as const;
