// Bootstrap tokens: secrets of kube-system whose life ends by themselves.
import type { Secret } from "#api";

export const tokenType = "bootstrap.kubernetes.io/token";
export const tokenNamespace = "kube-system";

export const fieldOf = (secret: Secret, name: string): string => Buffer.from(secret.data?.[name] ?? "", "base64").toString();

/** Milliseconds since 1970; undefined: never. A time that cannot be read is over. */
export function tokenEndMs(secret: Secret): number | undefined {
  const text = fieldOf(secret, "expiration");
  if (text === "") return undefined;
  const time = Date.parse(text);
  return Number.isNaN(time) ? 0 : time;
}
