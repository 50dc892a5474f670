// Nobody grants through RBAC what they do not hold: the checks on writes of roles and bindings (verbs "escalate" and "bind").
import {
  type ApiError,
  type ApiObject,
  type ClusterRole,
  type ClusterRoleBinding,
  forbidden,
  notFound,
  type PolicyRule,
  type Role,
  type RoleBinding,
  type RoleRef,
} from "#api";
import type { UserInfo } from "#client";
import type { AdmissionContext, Authorizer, RequestInfo } from "../../contract.ts";
import type { RbacAuthorizer } from "./rbac.ts";
import { quotedList, ruleLines, uncovered } from "./rules.ts";

const group = "rbac.authorization.k8s.io";
const fullAuthority: readonly PolicyRule[] = [
  { apiGroups: ["*"], resources: ["*"], verbs: ["*"] },
  { nonResourceURLs: ["*"], verbs: ["*"] },
];

/** Throws Forbidden (or NotFound for a binding to a role that is not there) when the write would grant more than the writer holds. */
export async function checkEscalation(
  rbac: RbacAuthorizer,
  authorizer: Authorizer,
  object: ApiObject,
  context: AdmissionContext,
): Promise<void> {
  if (context.type.group !== group || (context.operation !== "CREATE" && context.operation !== "UPDATE")) return;
  if (context.user.groups.includes("system:masters")) return;
  if (context.old !== undefined && differsAtMostForGarbageCollection(object, context.old)) return;
  switch (context.type.plural) {
    case "roles":
    case "clusterroles":
      return checkRole(rbac, authorizer, object as Role | ClusterRole, context); // the type's objects
    case "rolebindings":
    case "clusterrolebindings":
      return checkBinding(rbac, authorizer, object as RoleBinding | ClusterRoleBinding, context); // the type's objects
  }
}

async function checkRole(
  rbac: RbacAuthorizer,
  authorizer: Authorizer,
  role: Role | ClusterRole,
  context: AdmissionContext,
): Promise<void> {
  const { user, namespace, type } = context;
  // The request's name: a create has none, so "escalate" on one named role does not allow creating it.
  const name = context.operation === "CREATE" ? "" : context.name;
  if (await allowed(authorizer, user, { verb: "escalate", resource: type.plural, namespace, name })) return;
  const held = rbac.rulesFor(user, namespace).map(({ rule }) => rule);
  const refused = missing(user, held, role.rules ?? []);
  if (refused !== undefined) throw forbidden({ group, plural: type.plural }, context.name, refused);
  const aggregates = isAggregated(role) || (context.old !== undefined && isAggregated(context.old));
  if (aggregates && uncovered(held, fullAuthority).length > 0) {
    throw forbidden(
      { group, plural: type.plural },
      context.name,
      "must have cluster-admin privileges to use the aggregationRule",
    );
  }
}

const isAggregated = (role: ApiObject): boolean => {
  const rule = (role as ClusterRole).aggregationRule; // absent in a Role
  return rule !== undefined && rule !== null;
};

async function checkBinding(
  rbac: RbacAuthorizer,
  authorizer: Authorizer,
  binding: RoleBinding | ClusterRoleBinding,
  context: AdmissionContext,
): Promise<void> {
  const { user, namespace, type } = context;
  const role: RoleRef | undefined = binding.roleRef;
  if (role === undefined) return; // validation says that it is required
  const resource = role.kind === "ClusterRole" ? "clusterroles" : role.kind === "Role" ? "roles" : "";
  if (resource !== "" && (await allowed(authorizer, user, { verb: "bind", resource, namespace, name: role.name }))) return;
  const wanted = rbac.rulesOfRole(role, namespace);
  if (wanted === undefined)
    throw resource === "" ? unknownRole(context, role) : notFound({ group, plural: type.plural }, role.name);
  const held = rbac.rulesFor(user, namespace).map(({ rule }) => rule);
  const refused = missing(user, held, wanted);
  if (refused !== undefined) throw forbidden({ group, plural: type.plural }, context.name, refused);
}

const unknownRole = (context: AdmissionContext, role: RoleRef): ApiError =>
  forbidden(
    { group, plural: context.type.plural },
    context.name,
    `unsupported role reference kind: ${JSON.stringify(role.kind)}`,
  );

function missing(user: UserInfo, held: readonly PolicyRule[], wanted: readonly PolicyRule[]): string | undefined {
  const parts = uncovered(held, wanted);
  if (parts.length === 0) return undefined;
  const who = `user ${JSON.stringify(user.name)} (groups=${quotedList(user.groups)})`;
  return `${who} is attempting to grant RBAC permissions not currently held:\n${ruleLines(parts).join("\n")}`;
}

async function allowed(
  authorizer: Authorizer,
  user: UserInfo,
  ask: Pick<RequestInfo, "verb" | "resource" | "namespace" | "name">,
): Promise<boolean> {
  const decision = await authorizer.authorize(user, {
    ...ask,
    path: "",
    isResource: true,
    group,
    version: "v1",
    subresource: "",
  });
  return decision.allowed;
}

/** The garbage collector changes owner references and finalizers of roles without holding what they grant. */
function differsAtMostForGarbageCollection(object: ApiObject, old: ApiObject): boolean {
  const strip = (each: ApiObject): string => {
    const {
      ownerReferences: _owners,
      finalizers: _finalizers,
      managedFields: _managed,
      resourceVersion: _version,
      ...metadata
    } = each.metadata;
    return canonical({ ...each, metadata });
  };
  return strip(object) === strip(old);
}

/** JSON with sorted keys and without undefined members. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value).filter(([, member]) => member !== undefined);
    return `{${entries
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`)
      .join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}
