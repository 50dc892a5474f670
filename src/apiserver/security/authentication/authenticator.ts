// Who sends a request: client certificate, static token, service account token, bootstrap token, in this order.
import { createHash } from "node:crypto";
import { unauthorized } from "#api";
import type { UserInfo } from "#client";
import type { Authenticator, Credentials } from "../../contract.ts";
import type { BootstrapTokens } from "./bootstrap-tokens.ts";
import type { ServiceAccountTokens } from "./service-account-tokens.ts";
import { type StaticTokens, tokenHash } from "./static-tokens.ts";

export const anonymousUser: UserInfo = { name: "system:anonymous", groups: ["system:unauthenticated"] };

export interface TokenAuthenticators {
  readonly staticTokens: StaticTokens;
  readonly serviceAccounts: ServiceAccountTokens;
  /** Absent: no such tokens. */
  readonly bootstrapTokens?: BootstrapTokens | undefined;
  /** The audiences of this server. */
  readonly audiences: readonly string[];
}

/** `user` or why not: `errors` is empty when nobody knows the token. */
export type TokenAnswer =
  | { readonly user: UserInfo; readonly audiences: readonly string[] }
  | { readonly errors: readonly string[] };

export function checkToken(
  authenticators: TokenAuthenticators,
  token: string,
  audiences: readonly string[] = authenticators.audiences,
): TokenAnswer {
  // Tokens of a file and of bootstrap secrets carry no audience: they are for this server.
  const withoutAudience = (user: UserInfo): TokenAnswer => {
    const shared = audiences.filter((audience) => authenticators.audiences.includes(audience));
    return shared.length > 0 ? { user, audiences: shared } : { errors: [] };
  };
  const known = authenticators.staticTokens.size === 0 ? undefined : authenticators.staticTokens.get(tokenHash(token));
  if (known !== undefined) return withoutAudience(known);
  const result = authenticators.serviceAccounts.check(token, audiences);
  if (result !== undefined) return "error" in result ? { errors: [result.error] } : result;
  const newcomer = authenticators.bootstrapTokens?.(token);
  return newcomer === undefined ? { errors: [] } : withoutAudience(newcomer);
}

/** The token of an Authorization header; undefined when there is none (also for "Bearer" alone and for other schemes). */
export function bearerToken(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const [scheme = "", token = ""] = header.trim().split(" ");
  return scheme.toLowerCase() === "bearer" && token !== "" ? token : undefined;
}

export function createAuthenticator(authenticators: TokenAuthenticators): Authenticator {
  // A connection presents the same certificate object with each of its requests.
  const byCertificate = new WeakMap<object, UserInfo>();
  return {
    authenticate: ({ certificate, authorization, webSocketToken }: Credentials) => {
      if (certificate !== undefined && certificate.commonName !== "") {
        let user = byCertificate.get(certificate);
        if (user === undefined) {
          user = certificateUser(certificate);
          byCertificate.set(certificate, user);
        }
        return user;
      }
      const token = bearerToken(authorization) ?? webSocketToken;
      if (token === undefined) return undefined;
      const answer = checkToken(authenticators, token);
      if ("errors" in answer) throw unauthorized();
      return answer.user;
    },
  };
}

function certificateUser(certificate: NonNullable<Credentials["certificate"]>): UserInfo {
  const hash = createHash("sha256").update(certificate.der).digest("hex");
  return {
    name: certificate.commonName,
    groups: [...certificate.organizations, "system:authenticated"],
    extra: { "authentication.kubernetes.io/credential-id": [`X509SHA256=${hash}`] },
  };
}
