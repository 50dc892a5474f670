// The signatures by which somebody who knows only a token trusts what kube-public/cluster-info says.
import { createHmac } from "node:crypto";
import { bootstrapToken, type ConfigMap, type Secret } from "#api";

const signaturePrefix = "jws-kubeconfig-";

export interface SignaturePlan {
  /** The data of the config map; undefined: it stays as it is. */
  readonly data: Readonly<Record<string, string>> | undefined;
  /** When the next token ends. */
  readonly againAtMs: number | undefined;
}

export function planSignatures(info: ConfigMap, tokens: readonly Secret[], nowMs: number): SignaturePlan {
  const before = info.data ?? {};
  const content = before["kubeconfig"];
  if (content === undefined) return { data: undefined, againAtMs: undefined };
  const living = tokens.filter((token) => signs(token) && (bootstrapToken.endMs(token) ?? Infinity) > nowMs);
  const signatures = living.map((token) => {
    const id = bootstrapToken.field(token, "token-id");
    return [`${signaturePrefix}${id}`, signature(content, id, bootstrapToken.field(token, "token-secret"))] as const;
  });
  const others = Object.entries(before).filter(([key]) => !key.startsWith(signaturePrefix));
  const data = Object.fromEntries([...others, ...signatures]);
  const isSame =
    Object.keys(before).length === Object.keys(data).length && Object.entries(data).every(([key, text]) => before[key] === text);
  const ends = living.flatMap((token) => bootstrapToken.endMs(token) ?? []);
  return { data: isSame ? undefined : data, againAtMs: ends.length === 0 ? undefined : Math.min(...ends) };
}

function signs(token: Secret): boolean {
  const id = bootstrapToken.field(token, "token-id");
  return (
    id !== "" &&
    token.metadata.name === bootstrapToken.nameOf(id) &&
    bootstrapToken.field(token, "token-secret") !== "" &&
    bootstrapToken.field(token, "usage-bootstrap-signing") === "true"
  );
}

/** A JSON web signature (RFC 7515, HS256) without the content in its middle. */
function signature(content: string, id: string, secret: string): string {
  const base64 = (text: string): string => Buffer.from(text).toString("base64url");
  const head = base64(JSON.stringify({ alg: "HS256", kid: id }));
  return `${head}..${createHmac("sha256", secret)
    .update(`${head}.${base64(content)}`)
    .digest("base64url")}`;
}
