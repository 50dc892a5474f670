// Who may use the kubelet's server: client certificates of the cluster CA and bearer tokens, then the API server's own authorization.
import type { SubjectAccessReview, TokenReview } from "#api";
import { subjectAccessReviews, tokenReviews } from "#api";
import type { Client, UserInfo } from "#client";

export interface Presented {
  /** Of a verified client certificate. */
  readonly certificate?: { readonly commonName: string; readonly organizations: readonly string[] };
  readonly authorization?: string;
}

/** Undefined: nobody that we know (401). */
export async function authenticate(client: Client, presented: Presented): Promise<UserInfo | undefined> {
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

/** The subresource of `nodes` that a path stands for (kubernetes.io: kubelet authentication/authorization). */
export function nodeSubresource(path: string): string {
  if (path.startsWith("/stats")) return "stats";
  if (path.startsWith("/metrics")) return "metrics";
  if (path.startsWith("/logs")) return "log";
  if (path.startsWith("/spec")) return "spec";
  if (path === "/healthz") return "healthz";
  if (path === "/pods" || path === "/runningpods") return "pods";
  return "proxy";
}

const verbs: Readonly<Record<string, string>> = {
  POST: "create",
  GET: "get",
  HEAD: "get",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};

export async function authorize(
  client: Client,
  user: UserInfo,
  nodeName: string,
  method: string,
  path: string,
): Promise<boolean> {
  const review: SubjectAccessReview = {
    metadata: {},
    spec: {
      user: user.name,
      uid: user.uid,
      groups: user.groups,
      extra: user.extra,
      resourceAttributes: {
        verb: verbs[method] ?? "get",
        group: "",
        version: "v1",
        resource: "nodes",
        name: nodeName,
        subresource: nodeSubresource(path),
      },
    },
  };
  const { status } = (await client.create(subjectAccessReviews, review)) as SubjectAccessReview;
  return status?.allowed === true;
}
