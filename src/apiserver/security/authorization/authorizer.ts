// The authorizers in order: the first that has an opinion decides.
import type { UserInfo } from "#client";
import type { Authorizer, Decision, RequestInfo } from "../../contract.ts";

/** Members of system:masters may do everything, whatever RBAC says. Upstream gives no reason for it. */
export const mastersAuthorizer: Authorizer = {
  authorize: (user) => ({ allowed: user.groups.includes("system:masters"), reason: "" }),
};

export const alwaysAllow: Authorizer = { authorize: () => ({ allowed: true, reason: "" }) };
export const alwaysDeny: Authorizer = { authorize: () => ({ allowed: false, reason: "Everything is forbidden." }) };

/** Asks one after the other; a refusal joins the reasons of all that gave one. Stays synchronous where its members are. */
export function firstOf(authorizers: readonly Authorizer[]): Authorizer {
  const from = (
    index: number,
    reasons: readonly string[],
    user: UserInfo,
    request: RequestInfo,
  ): Decision | Promise<Decision> => {
    const authorizer = authorizers[index];
    if (authorizer === undefined) return { allowed: false, reason: reasons.join("\n") };
    const next = (decision: Decision): Decision | Promise<Decision> =>
      decision.allowed
        ? decision
        : from(index + 1, decision.reason === "" ? reasons : [...reasons, decision.reason], user, request);
    const decision = authorizer.authorize(user, request);
    return decision instanceof Promise ? decision.then(next) : next(decision);
  };
  return { authorize: (user, request) => from(0, [], user, request) };
}
