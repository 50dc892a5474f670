// What every cluster has: created once, kept, and brought up to date without losing what operators added.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ClusterRole,
  type ClusterRoleBinding,
  clusterRoleBindings,
  clusterRoles,
  type Endpoints,
  endpoints,
  type IPAddress,
  ipAddresses,
  namespaces,
  type Role,
  roleBindings,
  roles,
  type Service,
  services,
} from "#api";
import { VirtualClock } from "#base";
import { RbacAuthorizer } from "../authorization/rbac.ts";
import { FakeObjects } from "../testing/objects.ts";
import { bootstrap } from "./bootstrap.ts";
import { publishMasterService } from "./master-service.ts";
import { defaultPolicy } from "./policy.ts";

async function world() {
  const objects = new FakeObjects();
  const again = (): Promise<void> =>
    bootstrap({ reader: objects, writer: objects, clock: new VirtualClock(), serviceRanges: ["10.96.0.0/16"] });
  await again();
  return { objects, again };
}

test("bootstrap() makes the four namespaces and the whole policy, and a second time writes nothing", async () => {
  const { objects, again } = await world();
  assert.deepEqual(
    objects
      .list(namespaces)
      .map((each) => each.metadata.name)
      .sort(),
    ["default", "kube-node-lease", "kube-public", "kube-system"],
  );
  const before = objects.writes;
  await again();
  assert.equal(objects.writes, before);
});

test("every default binding names a role that exists", async () => {
  const { objects } = await world();
  for (const binding of objects.list<ClusterRoleBinding>(clusterRoleBindings))
    assert.ok(objects.get(clusterRoles, { name: binding.roleRef.name }), binding.metadata.name);
  for (const binding of objects.list(roleBindings)) {
    const { namespace = "", name } = {
      namespace: binding.metadata.namespace,
      name: (binding as unknown as { roleRef: { name: string } }).roleRef.name,
    };
    assert.ok(objects.get<Role>(roles, { namespace, name }), binding.metadata.name);
  }
});

test("bootstrap() restores what was removed from a default role and keeps what was added", async () => {
  const { objects, again } = await world();
  const role = objects.get<ClusterRole>(clusterRoles, { name: "system:kube-scheduler" }) as ClusterRole;
  const extra = { apiGroups: ["example.com"], resources: ["x"], verbs: ["get"] };
  objects.put<ClusterRole>(clusterRoles, { ...role, rules: [extra, ...(role.rules ?? []).slice(1)] });
  const binding = objects.get<ClusterRoleBinding>(clusterRoleBindings, { name: "cluster-admin" }) as ClusterRoleBinding;
  const mine = { kind: "User", apiGroup: "rbac.authorization.k8s.io", name: "me" };
  objects.put<ClusterRoleBinding>(clusterRoleBindings, { ...binding, subjects: [mine] });
  await again();
  const after = objects.get<ClusterRole>(clusterRoles, { name: "system:kube-scheduler" });
  assert.ok(after?.rules?.some((rule) => rule.apiGroups?.includes("example.com")));
  assert.ok(after?.rules?.some((rule) => rule.resources?.includes("events")));
  assert.deepEqual(
    objects.get<ClusterRoleBinding>(clusterRoleBindings, { name: "cluster-admin" })?.subjects?.map(({ name }) => name),
    ["me", "system:masters"],
  );
});

test("bootstrap() leaves a role alone whose updates are turned off", async () => {
  const { objects, again } = await world();
  const role = objects.get<ClusterRole>(clusterRoles, { name: "system:discovery" }) as ClusterRole;
  objects.put<ClusterRole>(clusterRoles, {
    ...role,
    metadata: { ...role.metadata, annotations: { "rbac.authorization.kubernetes.io/autoupdate": "false" } },
    rules: [],
  });
  await again();
  assert.deepEqual(objects.get<ClusterRole>(clusterRoles, { name: "system:discovery" })?.rules, []);
});

test("the default policy lets everybody see the health paths, and the scheduler bind pods", async () => {
  const { objects } = await world();
  using rbac = new RbacAuthorizer(objects);
  const path = {
    verb: "get",
    path: "/readyz",
    isResource: false,
    group: "",
    version: "",
    resource: "",
    subresource: "",
    namespace: "",
    name: "",
  };
  assert.equal(rbac.authorize({ name: "system:anonymous", groups: ["system:unauthenticated"] }, path).allowed, true);
  assert.equal(
    rbac.authorize({ name: "system:anonymous", groups: ["system:unauthenticated"] }, { ...path, path: "/metrics" }).allowed,
    false,
  );
  const bind = { ...path, verb: "create", isResource: true, resource: "pods", subresource: "binding", namespace: "x", path: "" };
  assert.equal(rbac.authorize({ name: "system:kube-scheduler", groups: ["system:authenticated"] }, bind).allowed, true);
});

test("the default policy names nothing twice", () => {
  const keys = defaultPolicy().map(
    ({ type, object }) => `${type.plural}/${object.metadata.namespace ?? ""}/${object.metadata.name}`,
  );
  assert.equal(new Set(keys).size, keys.length);
});

test("publishMasterService() makes the Service kubernetes and follows a new address", async () => {
  const { objects } = await world();
  const publish = (address: string): Promise<void> =>
    publishMasterService({ reader: objects, writer: objects, ranges: ["10.96.0.0/16"] }, { address, port: 6443 });
  await publish("192.0.2.1");
  const ref = { namespace: "default", name: "kubernetes" };
  assert.equal(objects.get<Service>(services, ref)?.spec?.clusterIP, "10.96.0.1");
  assert.equal(objects.get<IPAddress>(ipAddresses, { name: "10.96.0.1" })?.spec?.parentRef?.name, "kubernetes");
  await publish("192.0.2.2");
  assert.deepEqual(objects.get<Endpoints>(endpoints, ref)?.subsets?.[0]?.addresses, [{ ip: "192.0.2.2" }]);
  const before = objects.writes;
  await publish("192.0.2.2");
  assert.equal(objects.writes, before);
});
