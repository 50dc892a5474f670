// Decisions and refusals: reasons, messages, escalation, and what a node may read.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ApiError,
  type ConfigMap,
  clusterRoleBindings,
  clusterRoles,
  type PolicyRule,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  type ResourceType,
  roleBindings,
  roles,
} from "#api";
import type { UserInfo } from "#client";
import type { RequestInfo } from "../../contract.ts";
import { admissionContext, FakeObjects } from "../testing/objects.ts";
import { firstOf, mastersAuthorizer } from "./authorizer.ts";
import { checkEscalation } from "./escalation.ts";
import { NodeAuthorizer } from "./node.ts";
import { RbacAuthorizer } from "./rbac.ts";
import { refusal } from "./refusal.ts";
import { reviewAccess, reviewRules } from "./reviews.ts";

const alice: UserInfo = { name: "alice", groups: ["dev", "system:authenticated"] };
const ask = (more: Partial<RequestInfo>): RequestInfo => ({
  verb: "get",
  path: "",
  isResource: true,
  group: "",
  version: "v1",
  resource: "pods",
  subresource: "",
  namespace: "ns",
  name: "",
  ...more,
});
const group = "rbac.authorization.k8s.io";

function world(own: readonly PolicyRule[] = []) {
  const objects = new FakeObjects();
  objects.put(roles, { metadata: { namespace: "ns", name: "own" }, rules: own });
  objects.put(roleBindings, {
    metadata: { namespace: "ns", name: "own" },
    roleRef: { apiGroup: group, kind: "Role", name: "own" },
    subjects: [{ kind: "User", apiGroup: group, name: "alice" }],
  });
  const rbac = new RbacAuthorizer(objects);
  return { objects, rbac, authorizer: firstOf([mastersAuthorizer, rbac]) };
}

test("reasons name binding, role and subject as upstream does", () => {
  const { objects, rbac } = world();
  const rules = [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }];
  objects.put(clusterRoles, { metadata: { name: "reader" }, rules });
  objects.put(clusterRoleBindings, {
    metadata: { name: "b" },
    roleRef: { apiGroup: group, kind: "ClusterRole", name: "reader" },
    subjects: [{ kind: "Group", name: "dev" }],
  });
  assert.equal(
    rbac.authorize(alice, ask({})).reason,
    'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "reader" to Group "dev"',
  );
  objects.put(roleBindings, {
    metadata: { namespace: "ns", name: "c" },
    roleRef: { apiGroup: group, kind: "ClusterRole", name: "reader" },
    subjects: [{ kind: "ServiceAccount", name: "s" }],
  });
  assert.equal(
    rbac.authorize({ name: "system:serviceaccount:ns:s", groups: [] }, ask({})).reason,
    'RBAC: allowed by RoleBinding "c/ns" of ClusterRole "reader" to ServiceAccount "s/ns"',
  );
});

const refusals: readonly (readonly [Partial<RequestInfo>, string])[] = [
  [{ verb: "list" }, 'pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "ns"'],
  [
    { name: "x", subresource: "log" },
    'pods "x" is forbidden: User "alice" cannot get resource "pods/log" in API group "" in the namespace "ns"',
  ],
  [
    { group: "apps", resource: "deployments", namespace: "" },
    'deployments.apps is forbidden: User "alice" cannot get resource "deployments" in API group "apps" at the cluster scope',
  ],
  [{ isResource: false, path: "/metrics" }, 'forbidden: User "alice" cannot get path "/metrics"'],
];
for (const [request, expected] of refusals) {
  test(`refusal() says: ${expected}`, () => {
    const error = refusal(alice, ask(request));
    assert.equal(error.message, expected);
    assert.equal(error.code, 403);
  });
}

test("members of system:masters need no role", () => {
  assert.equal(
    (world().authorizer.authorize({ name: "x", groups: ["system:masters"] }, ask({})) as { allowed: boolean }).allowed,
    true,
  );
});

async function escalation(
  own: readonly PolicyRule[],
  type: ResourceType,
  object: object,
  more: Parameters<typeof admissionContext>[1] = {},
  prepare: (objects: FakeObjects) => void = () => {},
) {
  const { objects, rbac, authorizer } = world(own);
  prepare(objects);
  await checkEscalation(
    rbac,
    authorizer,
    object as ConfigMap,
    admissionContext(type, { namespace: type.namespaced ? "ns" : "", name: "x", user: alice, ...more }),
  );
}
const says = (text: string) => (error: ApiError) => {
  assert.equal(error.message, text);
  return true;
};

test("a role may not grant what its writer lacks; the message joins verbs and sorts", async () => {
  const rules = [
    { apiGroups: ["b", "a"], resources: ["y"], verbs: ["list", "get"] },
    { apiGroups: [""], resources: ["c"], verbs: ["delete"], resourceNames: ["n2", "n1"] },
    { apiGroups: [""], resources: ["held"], verbs: ["get"] },
  ];
  const own = [{ apiGroups: [""], resources: ["held"], verbs: ["*"] }];
  await assert.rejects(
    escalation(own, roles, { metadata: { name: "x" }, rules }),
    says(
      'roles.rbac.authorization.k8s.io "x" is forbidden: user "alice" (groups=["dev" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n' +
        '{APIGroups:[""], Resources:["c"], ResourceNames:["n1"], Verbs:["delete"]}\n{APIGroups:[""], Resources:["c"], ResourceNames:["n2"], Verbs:["delete"]}\n' +
        '{APIGroups:["a"], Resources:["y"], Verbs:["list" "get"]}\n{APIGroups:["b"], Resources:["y"], Verbs:["list" "get"]}',
    ),
  );
  await escalation(own, roles, { metadata: { name: "x" }, rules: rules.slice(2) });
});

test("the verb escalate, or system:masters, lifts the check", async () => {
  const rules = [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }];
  await escalation([{ apiGroups: [group], resources: ["roles"], verbs: ["escalate"] }], roles, {
    metadata: { name: "x" },
    rules,
  });
  await escalation([], roles, { metadata: { name: "x" }, rules }, { user: { name: "root", groups: ["system:masters"] } });
  await assert.rejects(
    escalation([{ apiGroups: [group], resources: ["roles"], verbs: ["escalate"], resourceNames: ["x"] }], roles, {
      metadata: { name: "x" },
      rules,
    }),
  );
});

test("binding a role needs its rules or the verb bind", async () => {
  const binding = { metadata: { name: "x" }, roleRef: { apiGroup: group, kind: "Role", name: "big" }, subjects: [] };
  const big = (objects: FakeObjects): void =>
    void objects.put(roles, {
      metadata: { namespace: "ns", name: "big" },
      rules: [{ apiGroups: [""], resources: ["secrets"], verbs: ["get", "list"] }],
    });
  await assert.rejects(
    escalation([], roleBindings, binding, {}, big),
    /\{APIGroups:\[""\], Resources:\["secrets"\], Verbs:\["get" "list"\]\}$/,
  );
  await assert.rejects(escalation([], roleBindings, binding), says('rolebindings.rbac.authorization.k8s.io "big" not found'));
  await escalation(
    [{ apiGroups: [group], resources: ["roles"], verbs: ["bind"], resourceNames: ["big"] }],
    roleBindings,
    binding,
  );
  await escalation(
    [{ apiGroups: [""], resources: ["secrets"], verbs: ["get", "list", "watch"] }],
    roleBindings,
    binding,
    {},
    big,
  );
});

test("an aggregation rule needs everything, and so does taking one away", async () => {
  const aggregated = { metadata: { name: "x" }, rules: [], aggregationRule: { clusterRoleSelectors: [] } };
  const text =
    'clusterroles.rbac.authorization.k8s.io "x" is forbidden: must have cluster-admin privileges to use the aggregationRule';
  await assert.rejects(escalation([], clusterRoles, aggregated), says(text));
  const old = { metadata: { name: "x", uid: "1", resourceVersion: "1", creationTimestamp: "" }, aggregationRule: {} } as never;
  await assert.rejects(
    escalation([], clusterRoles, { metadata: { name: "x" }, rules: [] }, { operation: "UPDATE", old }),
    says(text),
  );
});

test("the garbage collector may change owner references of a role it could not write", async () => {
  const rules = [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }];
  const old = {
    metadata: {
      name: "x",
      uid: "1",
      resourceVersion: "1",
      creationTimestamp: "",
      ownerReferences: [{ apiVersion: "v1", kind: "A", name: "a", uid: "2" }],
    },
    rules,
  } as never;
  const without = { metadata: { name: "x", uid: "1", resourceVersion: "1", creationTimestamp: "" }, rules };
  await escalation([], roles, without, { operation: "UPDATE", old });
  await escalation([], roles, old, { operation: "UPDATE", old });
  await assert.rejects(
    escalation([], roles, { ...without, metadata: { ...without.metadata, labels: { a: "b" } } }, { operation: "UPDATE", old }),
  );
});

test("a node reads what its pods refer to, as long as they are bound to it", async () => {
  const objects = new FakeObjects();
  objects.put(persistentVolumes, { metadata: { name: "pv" }, spec: { claimRef: { namespace: "ns", name: "claim" } } });
  objects.put(persistentVolumeClaims, { metadata: { namespace: "ns", name: "claim" }, spec: { volumeName: "pv" } });
  using node = new NodeAuthorizer(objects);
  const n1: UserInfo = { name: "system:node:n1", groups: ["system:nodes"] };
  const may = (request: Partial<RequestInfo>, user = n1): boolean => node.authorize(user, ask(request)).allowed;
  const reads: readonly Partial<RequestInfo>[] = [
    { resource: "secrets", name: "env" },
    { resource: "configmaps", name: "from" },
    { resource: "secrets", name: "pull" },
    { resource: "configmaps", name: "vol" },
    { resource: "persistentvolumeclaims", name: "claim" },
    { resource: "persistentvolumes", namespace: "", name: "pv" },
    { resource: "serviceaccounts", subresource: "token", verb: "create", name: "sa" },
  ];
  for (const request of reads) assert.equal(may(request), false, JSON.stringify(request));
  const spec = {
    nodeName: "n1",
    serviceAccountName: "sa",
    imagePullSecrets: [{ name: "pull" }],
    containers: [
      {
        name: "c",
        env: [{ name: "E", valueFrom: { secretKeyRef: { name: "env", key: "k" } } }],
        envFrom: [{ configMapRef: { name: "from" } }],
      },
    ],
    volumes: [
      { name: "v", projected: { sources: [{ configMap: { name: "vol" } }] } },
      { name: "p", persistentVolumeClaim: { claimName: "claim" } },
    ],
  };
  objects.put(pods, { metadata: { namespace: "ns", name: "p" }, spec: { ...spec, nodeName: "" } });
  for (const request of reads) assert.equal(may(request), false, "not bound yet");
  objects.put(pods, { metadata: { namespace: "ns", name: "p" }, spec });
  objects.put(pods, { metadata: { namespace: "ns", name: "q" }, spec });
  for (const request of reads) assert.equal(may(request), true, JSON.stringify(request));
  for (const request of reads) assert.equal(may(request, { ...n1, name: "system:node:n2" }), false, "another node");
  assert.equal(may({ resource: "secrets", verb: "list" }), false, "no name");
  assert.equal(may({ resource: "secrets", name: "env", namespace: "other" }), false);
  assert.equal(may({ resource: "nodes", namespace: "", name: "n1" }), true);
  assert.equal(may({ resource: "nodes", namespace: "", name: "n2" }), false);
  assert.equal(may({ resource: "nodes", namespace: "", name: "n1", verb: "delete" }), false);
  assert.equal(
    may({ group: "coordination.k8s.io", resource: "leases", namespace: "kube-node-lease", name: "n1", verb: "update" }),
    true,
  );
  assert.equal(
    may({ group: "coordination.k8s.io", resource: "leases", namespace: "kube-node-lease", name: "n2", verb: "update" }),
    false,
  );
  await objects.remove(pods, { namespace: "ns", name: "p" });
  for (const request of reads) assert.equal(may(request), true, "q still refers to it");
  await objects.remove(pods, { namespace: "ns", name: "q" });
  for (const request of reads) assert.equal(may(request), false, "nothing refers to it any more");
  assert.equal(
    node.authorize(n1, ask({ resource: "secrets", name: "env" })).reason,
    "no relationship found between node 'n1' and this object",
  );
});

test("reviewAccess() answers for users and refuses what makes no sense", async () => {
  const { authorizer } = world([{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }]);
  const review = (kind: Parameters<typeof reviewAccess>[0], spec: object, metadata: object = {}) =>
    reviewAccess(kind, authorizer, { metadata, spec } as never, alice, "ns") as Promise<unknown> as Promise<{ status: object }>;
  const resourceAttributes = { verb: "get", resource: "pods", namespace: "ns" };
  assert.deepEqual((await review("SubjectAccessReview", { user: "alice", resourceAttributes })).status, {
    allowed: true,
    reason: 'RBAC: allowed by RoleBinding "own/ns" of Role "own" to User "alice"',
  });
  assert.deepEqual((await review("SubjectAccessReview", { user: "bob", resourceAttributes })).status, { allowed: false });
  assert.deepEqual(
    (
      await review("SelfSubjectAccessReview", {
        resourceAttributes: { ...resourceAttributes, fieldSelector: { rawSelector: "!!!" } },
      })
    ).status,
    {
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "own/ns" of Role "own" to User "alice"',
      evaluationError: "spec.resourceAttributes.fieldSelector ignored due to parse error",
    },
  );
  await assert.rejects(
    review("SubjectAccessReview", {}),
    says(
      '.authorization.k8s.io "" is invalid: [spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified, spec.user: Invalid value: "": at least one of user or group must be specified]',
    ),
  );
  await assert.rejects(
    review("LocalSubjectAccessReview", { user: "u", resourceAttributes: { ...resourceAttributes, namespace: "other" } }),
    says(
      '.authorization.k8s.io "" is invalid: spec.resourceAttributes.namespace: Invalid value: "other": must match metadata.namespace',
    ),
  );
});

test("reviewRules() lists what the caller holds in a namespace", () => {
  const { rbac } = world([{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }]);
  const status = (
    reviewRules(rbac, { metadata: {}, spec: { namespace: "ns" } } as never, alice, true) as unknown as { status: object }
  ).status;
  assert.deepEqual(status, {
    resourceRules: [{ verbs: ["get"], apiGroups: [""], resources: ["pods"] }],
    nonResourceRules: [],
    incomplete: false,
  });
});
