// Turns the policy data into API objects, and says what an existing role or binding lacks.
import {
  type ApiObject,
  type ClusterRole,
  type ClusterRoleBinding,
  clusterRoleBindings,
  clusterRoles,
  type PolicyRule,
  type ResourceType,
  type Role,
  type RoleBinding,
  roleBindings,
  roles,
  type Subject,
  semanticEqual,
} from "#api";
import { uncovered } from "../authorization/rules.ts";
import {
  defaultClusterRoleBindings,
  defaultClusterRoles,
  defaultRoleBindings,
  defaultRoles,
  type RoleData,
  type RuleData,
} from "./policy-data.ts";

export interface Wanted {
  readonly type: ResourceType;
  readonly object: ApiObject;
}

const group = "rbac.authorization.k8s.io";
const apiVersion = `${group}/v1`;
const autoupdate = "rbac.authorization.kubernetes.io/autoupdate";
const aggregateLabel = (to: string): string => `rbac.authorization.k8s.io/aggregate-to-${to}`;

const words = (text: string): readonly string[] => text.split(" ");

function rule(data: RuleData): PolicyRule {
  if (data.length === 2) return { verbs: words(data[0]), nonResourceURLs: words(data[1]) };
  const [verbs, groups, resources, names] = data;
  return {
    verbs: words(verbs),
    apiGroups: words(groups).map((each) => (each === "core" ? "" : each)),
    resources: words(resources),
    ...(names === undefined ? {} : { resourceNames: words(names) }),
  };
}

/** "Group system:masters", "ServiceAccount kube-system/kube-dns" */
function subject(text: string): Subject {
  const [kind = "", name = ""] = text.split(" ");
  if (kind !== "ServiceAccount") return { kind, apiGroup: group, name };
  const [namespace, account = ""] = name.split("/");
  return { kind, name: account, namespace };
}

const metadata = (name: string, labels: Readonly<Record<string, string>> = {}): ApiObject["metadata"] => ({
  name,
  labels: { "kubernetes.io/bootstrapping": "rbac-defaults", ...labels },
  annotations: { [autoupdate]: "true" },
});

/** "kube-system/x" as metadata. */
function namespaced(key: string): ApiObject["metadata"] {
  const slash = key.indexOf("/");
  return { ...metadata(key.slice(slash + 1)), namespace: key.slice(0, slash) };
}

function clusterRole(name: string, data: RoleData): ClusterRole {
  return {
    apiVersion,
    kind: "ClusterRole",
    metadata: metadata(name, data.aggregateTo === undefined ? {} : { [aggregateLabel(data.aggregateTo)]: "true" }),
    ...(data.aggregateFrom === undefined
      ? {}
      : { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [aggregateLabel(data.aggregateFrom)]: "true" } }] } }),
    rules: (data.rules ?? []).map(rule),
  };
}

/** All default roles and bindings; roles come before the bindings that name them. */
export function defaultPolicy(): readonly Wanted[] {
  const roleRef = (kind: string, name: string): { apiGroup: string; kind: string; name: string } => ({
    apiGroup: group,
    kind,
    name,
  });
  return [
    ...Object.entries(defaultClusterRoles).map(([name, data]) => ({ type: clusterRoles, object: clusterRole(name, data) })),
    ...Object.entries(defaultRoles).map(([key, data]) => ({
      type: roles,
      object: { apiVersion, kind: "Role", metadata: namespaced(key), rules: (data.rules ?? []).map(rule) } satisfies Role,
    })),
    ...Object.entries(defaultClusterRoleBindings).map(([name, subjects]) => ({
      type: clusterRoleBindings,
      object: {
        apiVersion,
        kind: "ClusterRoleBinding",
        metadata: metadata(name),
        roleRef: roleRef("ClusterRole", name),
        ...(subjects.length === 0 ? {} : { subjects: subjects.map(subject) }),
      } satisfies ClusterRoleBinding,
    })),
    ...Object.entries(defaultRoleBindings).map(([key, { role, subjects }]) => ({
      type: roleBindings,
      object: {
        apiVersion,
        kind: "RoleBinding",
        metadata: namespaced(key),
        roleRef: roleRef("Role", role),
        subjects: subjects.map(subject),
      } satisfies RoleBinding,
    })),
  ];
}

/**
 * The object with what a newer version added: missing rules or subjects, labels and annotations. What operators added stays. Undefined: nothing lacks,
 * or the operator has turned updates off with the annotation.
 */
export function reconciled(existing: ApiObject, wanted: ApiObject): ApiObject | undefined {
  if (existing.metadata.annotations?.[autoupdate] === "false") return undefined;
  const labels = { ...wanted.metadata.labels, ...existing.metadata.labels };
  const annotations = { ...wanted.metadata.annotations, ...existing.metadata.annotations };
  const meta = { ...existing.metadata, labels, annotations };
  const sameMeta =
    Object.keys(labels).length === Object.keys(existing.metadata.labels ?? {}).length &&
    Object.keys(annotations).length === Object.keys(existing.metadata.annotations ?? {}).length;
  const [have, want] = [
    existing as Partial<ClusterRole & ClusterRoleBinding>,
    wanted as Partial<ClusterRole & ClusterRoleBinding>,
  ]; // one of the four kinds
  if (want.roleRef !== undefined) {
    const missing = (want.subjects ?? []).filter((each) => !(have.subjects ?? []).some((held) => sameSubject(held, each)));
    return missing.length === 0 && sameMeta
      ? undefined
      : ({ ...existing, metadata: meta, subjects: [...(have.subjects ?? []), ...missing] } as ApiObject); // with subjects
  }
  // the same rules cover each other; on most starts nothing else is asked
  const missing = semanticEqual(have.rules, want.rules) ? [] : uncovered(have.rules ?? [], want.rules ?? []);
  return missing.length === 0 && sameMeta
    ? undefined
    : ({ ...existing, metadata: meta, rules: [...(have.rules ?? []), ...missing] } as ApiObject); // with rules
}

const sameSubject = (a: Subject, b: Subject): boolean =>
  a.kind === b.kind && a.name === b.name && (a.namespace ?? "") === (b.namespace ?? "");
