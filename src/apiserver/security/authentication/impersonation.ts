// Acting as somebody else: which rights the Impersonate- headers need (KEP-5284 constrained modes first, then the old verb).
import { badRequest } from "#api";
import type { UserInfo } from "#client";
import type { Authorizer, RequestInfo } from "../../contract.ts";
import { refusal } from "../authorization/refusal.ts";
import { serviceAccountGroups } from "./service-account-tokens.ts";

type Check = Pick<RequestInfo, "verb" | "group" | "resource" | "subresource" | "namespace" | "name">;

/** One way to be allowed. `checks` is undefined when the mode does not fit what is wanted. */
interface Mode {
  readonly name: string;
  readonly checks: (user: UserInfo, wanted: UserInfo, request: RequestInfo) => readonly RequestInfo[] | undefined;
}

const authentication = "authentication.k8s.io";

export class Impersonation {
  readonly #authorizer: Authorizer;
  /** The mode that let a user through last is tried first, and its refusal is the one that is told (as upstream). */
  readonly #lastMode = new Map<string, Mode>();

  constructor(authorizer: Authorizer) {
    this.#authorizer = authorizer;
  }

  async become(user: UserInfo, wanted: UserInfo, request: RequestInfo): Promise<UserInfo> {
    if (wanted.name === "") throw badRequest(`requested ${goText(wanted)} without impersonating a user name`);
    const last = this.#lastMode.get(user.name);
    const order = last === undefined ? modes : [last, ...modes.filter((mode) => mode !== last)];
    let refused: { request: RequestInfo; reason: string } | undefined;
    for (const mode of order) {
      const checks = mode.checks(user, wanted, request);
      if (checks === undefined) continue;
      const failed = await this.#firstRefused(user, checks);
      if (failed === undefined) {
        if (this.#lastMode.size > 1024) this.#lastMode.clear();
        this.#lastMode.set(user.name, mode);
        return completed(wanted);
      }
      refused ??= failed;
    }
    if (refused === undefined) throw new Error("Broken invariant: the old mode of impersonation always applies");
    throw refusal(user, refused.request, { allowed: false, reason: refused.reason });
  }

  async #firstRefused(
    user: UserInfo,
    checks: readonly RequestInfo[],
  ): Promise<{ request: RequestInfo; reason: string } | undefined> {
    for (const request of checks) {
      const decision = isOutOfReach(request) ? { allowed: false, reason: "" } : await this.#authorizer.authorize(user, request);
      if (!decision.allowed) return { request, reason: decision.reason };
    }
    return undefined;
  }
}

/** The constrained modes never lead to system:masters, whatever a rule with wildcards says. */
const isOutOfReach = ({ verb, resource, name }: RequestInfo): boolean =>
  verb === "impersonate:user-info" && resource === "groups" && name === "system:masters";

/** The user with the groups that always belong to it. */
function completed(wanted: UserInfo): UserInfo {
  const account = serviceAccountOf(wanted.name);
  const groups =
    wanted.groups.length === 0 && account !== undefined ? [...serviceAccountGroups(account.namespace)] : [...wanted.groups];
  const standing = wanted.name === "system:anonymous" ? "system:unauthenticated" : "system:authenticated";
  const hasStanding = groups.includes("system:authenticated") || groups.includes("system:unauthenticated");
  return { ...wanted, groups: hasStanding ? groups : [...groups, standing] };
}

const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const dnsSubdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

function serviceAccountOf(name: string): { namespace: string; name: string } | undefined {
  const parts = name.split(":");
  if (parts.length !== 4 || parts[0] !== "system" || parts[1] !== "serviceaccount") return undefined;
  const [, , namespace = "", account = ""] = parts;
  return dnsLabel.test(namespace) && dnsSubdomain.test(account) ? { namespace, name: account } : undefined;
}

const nodeOf = (name: string): string | undefined =>
  name.startsWith("system:node:") && name.length > "system:node:".length ? name.slice("system:node:".length) : undefined;

const isNameOnly = (wanted: UserInfo): boolean =>
  wanted.groups.length === 0 && (wanted.uid ?? "") === "" && Object.keys(wanted.extra ?? {}).length === 0;

/** What the mode allows on the original request: the verb "impersonate-on:<mode>:<verb>". */
const onRequest = (mode: string, request: RequestInfo): RequestInfo => ({
  ...request,
  verb: `impersonate-on:${mode}:${request.verb}`,
});

const identityCheck = (check: Check): RequestInfo => ({ ...check, path: "", isResource: true, version: "v1" });

/** A check for each of user (or account), groups, extra values and uid, in this order. */
function identityChecks(wanted: UserInfo, verb: string, group: { user: string; extra: string }): readonly RequestInfo[] {
  const base = { verb, subresource: "", namespace: "" };
  const account = serviceAccountOf(wanted.name);
  return [
    account === undefined
      ? { ...base, group: group.user, resource: "users", name: wanted.name }
      : { ...base, group: group.user, resource: "serviceaccounts", namespace: account.namespace, name: account.name },
    ...wanted.groups.map((name) => ({ ...base, group: group.user, resource: "groups", name })),
    ...Object.entries(wanted.extra ?? {}).flatMap(([key, values]) =>
      values.map((name) => ({ ...base, group: group.extra, resource: "userextras", subresource: key, name })),
    ),
    ...((wanted.uid ?? "") === "" ? [] : [{ ...base, group: group.extra, resource: "uids", name: wanted.uid ?? "" }]),
  ].map(identityCheck);
}

function nodeMode(name: "associated-node" | "arbitrary-node"): Mode {
  return {
    name,
    checks: (user, wanted, request) => {
      const node = nodeOf(wanted.name);
      if (node === undefined || !isNameOnly(wanted)) return undefined;
      const own = user.extra?.["authentication.kubernetes.io/node-name"];
      if (name === "associated-node" && !(own?.length === 1 && own[0] === node && serviceAccountOf(user.name) !== undefined))
        return undefined;
      return [
        onRequest(name, request),
        identityCheck({
          verb: `impersonate:${name}`,
          group: authentication,
          resource: "nodes",
          subresource: "",
          namespace: "",
          name: name === "associated-node" ? "*" : node,
        }),
      ];
    },
  };
}

const modes: readonly Mode[] = [
  nodeMode("associated-node"),
  nodeMode("arbitrary-node"),
  {
    name: "serviceaccount",
    checks: (_user, wanted, request) => {
      if (serviceAccountOf(wanted.name) === undefined || !isNameOnly(wanted)) return undefined;
      return [
        onRequest("serviceaccount", request),
        ...identityChecks(wanted, "impersonate:serviceaccount", { user: authentication, extra: authentication }),
      ];
    },
  },
  {
    name: "user-info",
    checks: (_user, wanted, request) => {
      // Nodes and service accounts have modes of their own.
      if (serviceAccountOf(wanted.name) !== undefined || nodeOf(wanted.name) !== undefined) return undefined;
      return [
        onRequest("user-info", request),
        ...identityChecks(wanted, "impersonate:user-info", { user: authentication, extra: authentication }),
      ];
    },
  },
  { name: "legacy", checks: (_user, wanted) => identityChecks(wanted, "impersonate", { user: "", extra: authentication }) },
];

/** The user as Go prints it: part of upstream's message. */
function goText(user: UserInfo): string {
  const list = (values: readonly string[]): string => `[]string{${values.map((value) => JSON.stringify(value)).join(", ")}}`;
  const groups = user.groups.length === 0 ? "[]string(nil)" : list(user.groups);
  const entries = Object.entries(user.extra ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const extra =
    entries.length === 0
      ? "map[string][]string(nil)"
      : `map[string][]string{${entries.map(([key, values]) => `${JSON.stringify(key)}:${list(values)}`).join(", ")}}`;
  return `&user.DefaultInfo{Name:${JSON.stringify(user.name)}, UID:${JSON.stringify(user.uid ?? "")}, Groups:${groups}, Extra:${extra}}`;
}
