// Bootstrap tokens: secrets of kube-system by which a new node is let in for its first request (upstream's --enable-bootstrap-token-auth).
import { timingSafeEqual } from "node:crypto";
import { secrets } from "#api";
import type { Clock } from "#base";
import type { UserInfo } from "#client";
import type { ObjectReader } from "../../contract.ts";

export type BootstrapTokens = (token: string) => UserInfo | undefined;

const tokenForm = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const groupForm = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;
const baseGroup = "system:bootstrappers";

/** The user of a token "id.secret" whose secret `bootstrap-token-<id>` is there, meant for this, and not expired. */
export const bootstrapTokens =
  (reader: ObjectReader, clock: Clock): BootstrapTokens =>
  (token) => {
    const [, id, given] = tokenForm.exec(token) ?? [];
    if (id === undefined || given === undefined) return undefined;
    const secret = reader.get(secrets, { namespace: "kube-system", name: `bootstrap-token-${id}` });
    if (secret === undefined || secret.metadata.deletionTimestamp !== undefined) return undefined;
    if (secret.type !== "bootstrap.kubernetes.io/token") return undefined;
    const field = (name: string): string => Buffer.from(secret.data?.[name] ?? "", "base64").toString();
    if (!isEqual(field("token-secret"), given) || field("token-id") !== id) return undefined;
    const expiration = field("expiration");
    // what cannot be read as a time is over, as upstream has it
    if (expiration !== "" && !(Date.parse(expiration) > clock.now())) return undefined;
    if (field("usage-bootstrap-authentication") !== "true") return undefined;
    const extra = field("auth-extra-groups");
    const more = extra === "" ? [] : extra.split(",");
    if (!more.every((group) => groupForm.test(group))) return undefined;
    return { name: `system:bootstrap:${id}`, groups: [...new Set([baseGroup, ...more])].sort().concat("system:authenticated") };
  };

function isEqual(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
