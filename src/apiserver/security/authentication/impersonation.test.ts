// Impersonation: which rights lead to which identity, and whose refusal is told.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApiError } from "#api";
import type { UserInfo } from "#client";
import type { Authorizer, RequestInfo } from "../../contract.ts";
import { Impersonation } from "./impersonation.ts";

const request: RequestInfo = {
  verb: "list",
  path: "/",
  isResource: true,
  group: "",
  version: "v1",
  resource: "pods",
  subresource: "",
  namespace: "ns",
  name: "",
};
const caller: UserInfo = { name: "caller", groups: ["system:authenticated"] };

/** Allows "verb group/resource[/sub] namespace/name" by exact text. */
const allowing = (...rights: readonly string[]): Authorizer => ({
  authorize: (_user, { verb, group, resource, subresource, namespace, name }) => ({
    allowed:
      rights.includes(`${verb} ${group}/${resource}${subresource === "" ? "" : `/${subresource}`} ${namespace}/${name}`) ||
      rights.includes("*"),
    reason: "",
  }),
});

const become = (authorizer: Authorizer, wanted: Partial<UserInfo>): Promise<UserInfo> =>
  new Impersonation(authorizer).become(caller, { name: "", groups: [], ...wanted }, request);
const message = (expected: string) => (error: ApiError) => {
  assert.equal(error.message, expected);
  return true;
};

test("a caller without rights is told about the original request", async () => {
  await assert.rejects(
    become(allowing(), { name: "bob" }),
    message(
      'pods is forbidden: User "caller" cannot impersonate-on:user-info:list resource "pods" in API group "" in the namespace "ns"',
    ),
  );
  await assert.rejects(
    become(allowing(), { name: "system:serviceaccount:a:b" }),
    message(
      'pods is forbidden: User "caller" cannot impersonate-on:serviceaccount:list resource "pods" in API group "" in the namespace "ns"',
    ),
  );
  await assert.rejects(
    become(allowing(), { name: "system:node:n" }),
    message(
      'pods is forbidden: User "caller" cannot impersonate-on:arbitrary-node:list resource "pods" in API group "" in the namespace "ns"',
    ),
  );
});

test("the old verb allows user, groups, uid and extras one by one", async () => {
  const rights = [
    "impersonate /users /bob",
    "impersonate /groups /g",
    "impersonate authentication.k8s.io/uids /u",
    "impersonate authentication.k8s.io/userextras/scopes /view",
  ];
  assert.deepEqual(await become(allowing(...rights), { name: "bob", groups: ["g"], uid: "u", extra: { scopes: ["view"] } }), {
    name: "bob",
    groups: ["g", "system:authenticated"],
    uid: "u",
    extra: { scopes: ["view"] },
  });
  for (const missing of rights) {
    await assert.rejects(
      become(allowing(...rights.filter((each) => each !== missing)), {
        name: "bob",
        groups: ["g"],
        uid: "u",
        extra: { scopes: ["view"] },
      }),
      missing,
    );
  }
});

test("after a success with the old verb its refusals are the ones told", async () => {
  const impersonation = new Impersonation(allowing("impersonate /users /bob"));
  await impersonation.become(caller, { name: "bob", groups: [] }, request);
  await assert.rejects(
    impersonation.become(caller, { name: "bob", groups: ["g"] }, request),
    message('groups "g" is forbidden: User "caller" cannot impersonate resource "groups" in API group "" at the cluster scope'),
  );
});

test("constrained rights need both the identity and the request", async () => {
  const identity = "impersonate:user-info authentication.k8s.io/users /bob";
  assert.equal((await become(allowing(identity, "impersonate-on:user-info:list /pods ns/"), { name: "bob" })).name, "bob");
  await assert.rejects(become(allowing(identity), { name: "bob" }));
  await assert.rejects(
    become(allowing("impersonate-on:user-info:list /pods ns/"), { name: "bob" }),
    message(
      'users.authentication.k8s.io "bob" is forbidden: User "caller" cannot impersonate:user-info resource "users" in API group "authentication.k8s.io" at the cluster scope',
    ),
  );
});

test("constrained rights never lead to system:masters", async () => {
  const everythingConstrained: Authorizer = {
    authorize: (_user, { verb }) => ({
      allowed: verb.startsWith("impersonate:") || verb.startsWith("impersonate-on:"),
      reason: "",
    }),
  };
  await assert.rejects(become(everythingConstrained, { name: "bob", groups: ["system:masters"] }));
  assert.equal((await become(everythingConstrained, { name: "bob", groups: ["other"] })).name, "bob");
});

const identities: readonly { readonly wanted: Partial<UserInfo>; readonly groups: readonly string[] }[] = [
  { wanted: { name: "bob" }, groups: ["system:authenticated"] },
  { wanted: { name: "bob", groups: ["system:authenticated", "z"] }, groups: ["system:authenticated", "z"] },
  { wanted: { name: "bob", groups: ["system:unauthenticated"] }, groups: ["system:unauthenticated"] },
  { wanted: { name: "system:anonymous" }, groups: ["system:unauthenticated"] },
  {
    wanted: { name: "system:serviceaccount:ns:default" },
    groups: ["system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"],
  },
  { wanted: { name: "system:serviceaccount:ns:default", groups: ["g"] }, groups: ["g", "system:authenticated"] },
  { wanted: { name: "system:serviceaccount:UPPER:x" }, groups: ["system:authenticated"] },
  { wanted: { name: "system:node:n", groups: ["system:nodes"] }, groups: ["system:nodes", "system:authenticated"] },
];

for (const { wanted, groups } of identities) {
  test(`impersonating ${JSON.stringify(wanted)} gives the groups ${groups.join(", ")}`, async () => {
    assert.deepEqual((await become(allowing("*"), wanted)).groups, groups);
  });
}

test("groups without a user are a bad request in Go's words", async () => {
  await assert.rejects(
    become(allowing("*"), { name: "", groups: ["a", "b"], uid: "u" }),
    message(
      'requested &user.DefaultInfo{Name:"", UID:"u", Groups:[]string{"a", "b"}, Extra:map[string][]string(nil)} without impersonating a user name',
    ),
  );
});
