// Answers TokenReview (who holds this token?) and SelfSubjectReview (who am I?).
import { type ApiObject, badRequest } from "#api";
import type { Clock } from "#base";
import { rfc3339, type UserInfo } from "#client";
import { anonymousUser, bearerToken, checkToken, type TokenAuthenticators } from "./authenticator.ts";

const group = "authentication.k8s.io";

export function reviewToken(authenticators: TokenAuthenticators, review: ApiObject): ApiObject {
  const spec = (review as { spec?: { token?: string; audiences?: readonly string[] | null } }).spec ?? {}; // decoded by the review's schema
  const token = spec.token ?? "";
  if (token === "") throw badRequest("token is required for TokenReview in authentication");
  const wanted = (spec.audiences ?? []).length === 0 ? authenticators.audiences : (spec.audiences ?? []);
  return {
    ...review,
    kind: "TokenReview",
    apiVersion: `${group}/v1`,
    spec,
    status: statusOf(authenticators, token, wanted),
  } as ApiObject; // with spec and status
}

function statusOf(authenticators: TokenAuthenticators, token: string, audiences: readonly string[]): object {
  // Upstream puts the token into a header and authenticates that: a leading space means anonymous.
  const read = bearerToken(`Bearer ${token}`);
  if (read === undefined) return { authenticated: true, user: userOf(anonymousUser), audiences: authenticators.audiences };
  const answer = checkToken(authenticators, read, audiences);
  if (!("errors" in answer)) return { authenticated: true, user: userOf(answer.user), audiences: answer.audiences };
  const errors = ["invalid bearer token", ...answer.errors];
  return { user: {}, error: errors.length === 1 ? errors[0] : `[${errors.join(", ")}]` };
}

export function reviewSelf(clock: Clock, user: UserInfo): ApiObject {
  return {
    kind: "SelfSubjectReview",
    apiVersion: `${group}/v1`,
    metadata: { creationTimestamp: rfc3339(clock.now()) },
    status: { userInfo: userOf(user) },
  } as ApiObject; // with status
}

/** authentication.k8s.io/v1 UserInfo. */
export function userOf(user: UserInfo): object {
  return {
    username: user.name,
    ...(user.uid === undefined || user.uid === "" ? {} : { uid: user.uid }),
    ...(user.groups.length === 0 ? {} : { groups: user.groups }),
    ...(user.extra === undefined || Object.keys(user.extra).length === 0 ? {} : { extra: user.extra }),
  };
}
