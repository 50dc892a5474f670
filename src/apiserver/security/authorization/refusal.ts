// The answer to a request that is not allowed, in upstream's words.
import { type ApiError, forbidden } from "#api";
import type { UserInfo } from "#client";
import type { Decision, RequestInfo } from "../../contract.ts";
import { resourceWord } from "./rules.ts";

/** `pods is forbidden: User "u" cannot list resource "pods" in API group "" in the namespace "default"` */
export function refusal(user: UserInfo, request: RequestInfo, decision?: Decision): ApiError {
  const why = decision === undefined || decision.reason === "" ? "" : `: ${decision.reason}`;
  if (!request.isResource) {
    return forbidden(
      { group: "", plural: "" },
      "",
      `User ${quote(user.name)} cannot ${request.verb} path ${quote(request.path)}${why}`,
    );
  }
  const scope = request.namespace === "" ? "at the cluster scope" : `in the namespace ${quote(request.namespace)}`;
  const what = `resource ${quote(resourceWord(request))} in API group ${quote(request.group)} ${scope}`;
  return forbidden(
    { group: request.group, plural: request.resource },
    request.name,
    `User ${quote(user.name)} cannot ${request.verb} ${what}${why}`,
  );
}

const quote = (text: string): string => JSON.stringify(text);
