// Bootstrap tokens: secrets of kube-system by which a new node is let in for its first request (upstream's --enable-bootstrap-token-auth).
import { timingSafeEqual } from "node:crypto";
import { type BootstrapTokenField, bootstrapToken, secrets } from "#api";
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
    const secret = reader.get(secrets, { namespace: bootstrapToken.namespace, name: bootstrapToken.nameOf(id) });
    if (secret === undefined || secret.metadata.deletionTimestamp !== undefined) return undefined;
    if (secret.type !== bootstrapToken.type) return undefined;
    const field = (name: BootstrapTokenField): string => bootstrapToken.field(secret, name);
    if (!isEqual(field("token-secret"), given) || field("token-id") !== id) return undefined;
    if ((bootstrapToken.endMs(secret) ?? Infinity) <= clock.now()) return undefined;
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
