// The compiled authorizer decides as a plain loop over all bindings and rules would, also while roles and bindings come and go.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type ClusterRole,
  type ClusterRoleBinding,
  clusterRoleBindings,
  clusterRoles,
  type Role,
  type RoleBinding,
  roleBindings,
  roles,
} from "#api";
import type { UserInfo } from "#client";
import type { RequestInfo } from "../../contract.ts";
import { FakeObjects } from "../testing/objects.ts";
import { RbacAuthorizer } from "./rbac.ts";
import { allowsRequest } from "./rules.ts";

const few = <T>(values: readonly T[], max = 2): fc.Arbitrary<T[]> => fc.subarray([...values], { maxLength: max });
const rule = fc.oneof(
  fc.record({
    verbs: few(["get", "list", "*"]),
    apiGroups: few(["", "apps", "*"]),
    resources: few(["pods", "pods/log", "*/log", "*"]),
    resourceNames: few(["a", "b"]),
  }),
  fc.record({ verbs: few(["get", "*"]), nonResourceURLs: few(["/x", "/x/*", "*"]) }),
);
const subject = fc.oneof(
  fc.constantFrom(
    { kind: "User", name: "u" },
    { kind: "Group", name: "g" },
    { kind: "User", name: "system:serviceaccount:n1:s" },
  ),
  fc.constantFrom({ kind: "ServiceAccount", name: "s" }, { kind: "ServiceAccount", name: "s", namespace: "n2" }),
);
const change = fc.oneof(
  fc.record({
    what: fc.constant("clusterRole" as const),
    name: fc.constantFrom("r1", "r2"),
    rules: fc.array(rule, { maxLength: 3 }),
  }),
  fc.record({
    what: fc.constant("role" as const),
    name: fc.constantFrom("r1", "r2"),
    namespace: fc.constantFrom("n1", "n2"),
    rules: fc.array(rule, { maxLength: 3 }),
  }),
  fc.record({
    what: fc.constant("clusterBinding" as const),
    name: fc.constantFrom("b1", "b2"),
    role: fc.constantFrom("r1", "r2"),
    subjects: fc.array(subject, { maxLength: 3 }),
  }),
  fc.record({
    what: fc.constant("binding" as const),
    name: fc.constantFrom("b1", "b2"),
    namespace: fc.constantFrom("n1", "n2"),
    kind: fc.constantFrom("Role", "ClusterRole"),
    role: fc.constantFrom("r1", "r2"),
    subjects: fc.array(subject, { maxLength: 3 }),
  }),
  fc.record({
    what: fc.constant("remove" as const),
    from: fc.constantFrom("clusterRole", "clusterBinding", "binding"),
    name: fc.constantFrom("r1", "b1"),
    namespace: fc.constantFrom("n1", "n2"),
  }),
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;
const users: readonly UserInfo[] = [
  { name: "u", groups: [] },
  { name: "v", groups: ["g"] },
  { name: "system:serviceaccount:n1:s", groups: ["g"] },
  { name: "system:serviceaccount:n2:s", groups: [] },
];
const request = (more: Partial<RequestInfo>): RequestInfo => ({
  verb: "get",
  path: "",
  isResource: true,
  group: "",
  version: "v1",
  resource: "pods",
  subresource: "",
  namespace: "n1",
  name: "",
  ...more,
});
const requests: readonly RequestInfo[] = [
  request({}),
  request({ name: "a" }),
  request({ namespace: "", verb: "list" }),
  request({ group: "apps", resource: "deployments", namespace: "n2", name: "b" }),
  request({ subresource: "log", name: "a" }),
  request({ isResource: false, path: "/x/y", resource: "", namespace: "" }),
];

/** The specification, read off the documentation: any rule of any role of any binding that names the user. */
function naive(objects: FakeObjects, user: UserInfo, asked: RequestInfo): boolean {
  const isSubject = (each: { kind: string; name: string; namespace?: string }, namespace: string): boolean =>
    (each.kind === "User" && each.name === user.name) ||
    (each.kind === "Group" && user.groups.includes(each.name)) ||
    (each.kind === "ServiceAccount" && `system:serviceaccount:${each.namespace ?? namespace}:${each.name}` === user.name);
  const allows = (binding: ClusterRoleBinding | RoleBinding, namespace: string): boolean =>
    (binding.subjects ?? []).some((each) => isSubject(each, namespace)) &&
    (
      (binding.roleRef.kind === "ClusterRole"
        ? objects.get<ClusterRole>(clusterRoles, { name: binding.roleRef.name })
        : objects.get<Role>(roles, { namespace, name: binding.roleRef.name })
      )?.rules ?? []
    ).some((each) => allowsRequest(each, asked));
  if (objects.list<ClusterRoleBinding>(clusterRoleBindings).some((binding) => allows(binding, ""))) return true;
  return (
    asked.isResource &&
    asked.namespace !== "" &&
    objects.list<RoleBinding>(roleBindings, asked.namespace).some((binding) => allows(binding, asked.namespace))
  );
}

test("RbacAuthorizer decides as the plain loop does, whatever changes came before", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 12 }), async (changes) => {
      const objects = new FakeObjects();
      using rbac = new RbacAuthorizer(objects);
      for (const each of changes) {
        await apply(objects, each);
        for (const user of users) {
          for (const asked of requests) {
            assert.equal(rbac.authorize(user, asked).allowed, naive(objects, user, asked), JSON.stringify({ user, asked, each }));
            // The same user as another object: what is remembered must not depend on identity.
            assert.equal(rbac.authorize({ ...user }, asked).allowed, naive(objects, user, asked));
          }
        }
      }
    }),
    { numRuns: 60 },
  );
});

async function apply(objects: FakeObjects, each: Change): Promise<void> {
  const ref = (kind: string, name: string): { apiGroup: string; kind: string; name: string } => ({
    apiGroup: "rbac.authorization.k8s.io",
    kind,
    name,
  });
  switch (each.what) {
    case "clusterRole":
      objects.put(clusterRoles, { metadata: { name: each.name }, rules: each.rules });
      return;
    case "role":
      objects.put(roles, { metadata: { name: each.name, namespace: each.namespace }, rules: each.rules });
      return;
    case "clusterBinding":
      objects.put(clusterRoleBindings, {
        metadata: { name: each.name },
        roleRef: ref("ClusterRole", each.role),
        subjects: each.subjects,
      });
      return;
    case "binding":
      objects.put(roleBindings, {
        metadata: { name: each.name, namespace: each.namespace },
        roleRef: ref(each.kind, each.role),
        subjects: each.subjects,
      });
      return;
    case "remove":
      if (each.from === "clusterRole") return objects.remove(clusterRoles, { name: each.name });
      if (each.from === "clusterBinding") return objects.remove(clusterRoleBindings, { name: each.name });
      return objects.remove(roleBindings, { name: each.name, namespace: each.namespace });
  }
}
