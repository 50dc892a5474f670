// Bound service account tokens: who holds one, and whether what it is bound to still exists.
import { createHash } from "node:crypto";
import { type ApiObject, nodes, type ObjectMeta, pods, type ResourceType, secrets, serviceAccounts } from "#api";
import type { Clock } from "#base";
import type { ObjectRef, UserInfo } from "#client";
import type { ObjectReader } from "../../contract.ts";
import { type Claims, isSignedBy, readClaims, type TokenKey } from "./jwt.ts";

export interface TokenCheckOptions {
  readonly reader: ObjectReader;
  readonly clock: Clock;
  readonly keys: readonly TokenKey[];
  readonly issuer: string;
  /** The audiences of this server. */
  readonly audiences: readonly string[];
}

/** Undefined: not one of our tokens (others may know it). `error` is upstream's text, for TokenReview. */
export type TokenResult =
  | { readonly user: UserInfo; readonly audiences: readonly string[] }
  | { readonly error: string }
  | undefined;

interface Bound {
  readonly name: string;
  readonly uid: string;
}

interface KubernetesClaims {
  readonly namespace?: string;
  readonly serviceaccount?: Bound;
  readonly pod?: Bound;
  readonly secret?: Bound;
  readonly node?: Bound;
}

export const serviceAccountUserName = (namespace: string, name: string): string => `system:serviceaccount:${namespace}:${name}`;
export const serviceAccountGroups = (namespace: string): readonly string[] => [
  "system:serviceaccounts",
  `system:serviceaccounts:${namespace}`,
];

// One signature check costs 60 microseconds; a client sends the same token with every request.
const maxChecked = 4096;

export class ServiceAccountTokens {
  readonly #options: TokenCheckOptions;
  /** Tokens whose signature and issuer hold, by hash; oldest first. */
  readonly #checked = new Map<string, Claims>();

  constructor(options: TokenCheckOptions) {
    this.#options = options;
  }

  /** `audiences`: those that the caller accepts. */
  check(token: string, audiences: readonly string[] = this.#options.audiences): TokenResult {
    const claims = this.#signedClaims(token);
    if (claims === undefined) return undefined;
    const given = audiencesOf(claims);
    const shared = audiences.filter((audience) => given.includes(audience));
    if (shared.length === 0) {
      return { error: `token audiences ${quoted(given)} is invalid for the target audiences ${quoted(audiences)}` };
    }
    const error = this.#timeError(claims) ?? this.#bindingError(claims);
    if (error !== undefined) return { error };
    return { user: userOf(claims), audiences: shared };
  }

  #signedClaims(token: string): Claims | undefined {
    const hash = createHash("sha256").update(token).digest("base64");
    const known = this.#checked.get(hash);
    if (known !== undefined) return known;
    const claims = readClaims(token);
    if (claims === undefined || claims.iss !== this.#options.issuer) return undefined;
    if (!this.#options.keys.some((key) => isSignedBy(key, token))) return undefined;
    if (this.#checked.size >= maxChecked) {
      const oldest = this.#checked.keys().next();
      if (!oldest.done) this.#checked.delete(oldest.value);
    }
    this.#checked.set(hash, claims);
    return claims;
  }

  #timeError(claims: Claims): string | undefined {
    const now = this.#options.clock.now() / 1000;
    const leeway = 1; // clocks of issuer and checker may differ by the second that rounding costs
    if (typeof claims.exp !== "number" || claims.exp + leeway < now) return "service account token has expired";
    if (typeof claims.nbf === "number" && claims.nbf - leeway > now) return "service account token is not valid yet";
    return undefined;
  }

  #bindingError(claims: Claims): string | undefined {
    const kubernetes = kubernetesClaims(claims);
    const namespace = kubernetes.namespace ?? "";
    const account = kubernetes.serviceaccount;
    if (account === undefined) return "Could not retrieve service account claims";
    if (claims.sub !== serviceAccountUserName(namespace, account.name)) return "service account token has a wrong subject";
    const found = this.#metadata(serviceAccounts, { namespace, name: account.name });
    if (found === undefined) return `serviceaccounts ${JSON.stringify(account.name)} not found`;
    if (this.#isGone(found)) return "service account has been deleted";
    if (found.uid !== account.uid) return `service account UID (${found.uid}) does not match claim (${account.uid})`;
    const stillThere =
      this.#lives(secrets, kubernetes.secret, namespace) &&
      this.#lives(pods, kubernetes.pod, namespace) &&
      this.#nodeLives(kubernetes);
    return stillThere ? undefined : "service account token has been invalidated";
  }

  #nodeLives(claims: KubernetesClaims): boolean {
    // A pod-bound token names the pod's node for information only: the pod decides.
    return claims.pod !== undefined || this.#lives(nodes, claims.node, "");
  }

  #lives(type: ResourceType, bound: Bound | undefined, namespace: string): boolean {
    if (bound === undefined) return true;
    const found = this.#metadata(type, namespace === "" ? { name: bound.name } : { namespace, name: bound.name });
    return found !== undefined && found.uid === bound.uid && !this.#isGone(found);
  }

  /** A deletion counts after 60 s of grace (as upstream), so that a pod that shuts down can still talk. */
  #isGone(metadata: ObjectMeta): boolean {
    return (
      metadata.deletionTimestamp !== undefined && this.#options.clock.now() >= Date.parse(metadata.deletionTimestamp) + 60_000
    );
  }

  #metadata(type: ResourceType, ref: ObjectRef): ObjectMeta | undefined {
    return this.#options.reader.get<ApiObject>(type, ref)?.metadata;
  }
}

const quoted = (values: readonly string[]): string => `[${values.map((value) => JSON.stringify(value)).join(" ")}]`;

function audiencesOf(claims: Claims): readonly string[] {
  if (typeof claims.aud === "string") return [claims.aud];
  return Array.isArray(claims.aud) ? claims.aud.filter((each): each is string => typeof each === "string") : [];
}

const kubernetesClaims = (claims: Claims): KubernetesClaims => {
  const found = claims["kubernetes.io"];
  return found !== null && typeof found === "object" ? (found as KubernetesClaims) : {}; // we signed it, so it has our shape
};

function userOf(claims: Claims): UserInfo {
  const { namespace = "", serviceaccount, pod, node } = kubernetesClaims(claims);
  const extra: Record<string, readonly string[]> = {};
  if (typeof claims.jti === "string") extra["authentication.kubernetes.io/credential-id"] = [`JTI=${claims.jti}`];
  if (node !== undefined) {
    extra["authentication.kubernetes.io/node-name"] = [node.name];
    extra["authentication.kubernetes.io/node-uid"] = [node.uid];
  }
  if (pod !== undefined) {
    extra["authentication.kubernetes.io/pod-name"] = [pod.name];
    extra["authentication.kubernetes.io/pod-uid"] = [pod.uid];
  }
  return {
    name: serviceAccountUserName(namespace, serviceaccount?.name ?? ""),
    uid: serviceaccount?.uid,
    groups: [...serviceAccountGroups(namespace), "system:authenticated"],
    extra,
  };
}
