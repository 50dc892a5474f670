// How a component that serves HTTPS itself knows who calls and what they may do: it asks the API server (TokenReview, SubjectAccessReview).
import { type SubjectAccessReview, subjectAccessReviews, type TokenReview, tokenReviews } from "#api";
import type { PresentedCredentials } from "#base";
import type { Client } from "./client.ts";
import type { UserInfo } from "./transport.ts";

/** Undefined: nobody that we know (401). */
export async function authenticate(client: Client, presented: PresentedCredentials): Promise<UserInfo | undefined> {
  if (presented.certificate !== undefined) {
    return { name: presented.certificate.commonName, groups: [...presented.certificate.organizations, "system:authenticated"] };
  }
  const token = /^Bearer (\S+)$/i.exec(presented.authorization ?? "")?.[1];
  if (token === undefined) return undefined;
  const review: TokenReview = { metadata: {}, spec: { token } };
  const { status } = (await client.create(tokenReviews, review)) as TokenReview;
  if (status?.authenticated !== true || status.user?.username === undefined) return undefined;
  return { name: status.user.username, groups: status.user.groups ?? [], uid: status.user.uid, extra: status.user.extra };
}

/** `what`: `resourceAttributes` or `nonResourceAttributes` of the review. */
export async function authorize(
  client: Client,
  user: UserInfo,
  what: Pick<SubjectAccessReview["spec"], "resourceAttributes" | "nonResourceAttributes">,
): Promise<boolean> {
  const { name, uid, groups, extra } = user;
  const review: SubjectAccessReview = { metadata: {}, spec: { user: name, uid, groups, extra, ...what } };
  const { status } = (await client.create(subjectAccessReviews, review)) as SubjectAccessReview;
  return status?.allowed === true;
}

const verbs: Readonly<Record<string, string>> = {
  POST: "create",
  GET: "get",
  HEAD: "get",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};

/** The verb of authorization that an HTTP method stands for; "" for methods that stand for none. */
export const verbOf = (method: string | undefined): string => verbs[method ?? "GET"] ?? "";
