import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, apiError, clusterRoles, configMaps, isConflict, isNotFound, pods } from "#api";
import { VirtualClock } from "#base";
import { forceWire, freezeShared, inProcessTransport } from "./in-process.ts";
import { createClient } from "./rest-client.ts";
import { createFakeApi } from "./testing/fake-api.ts";
import type { ApiRequest } from "./transport.ts";

function recording(reply: unknown = {}, code = 200) {
  const sent: ApiRequest[] = [];
  const client = createClient(
    {
      send: async (request) => {
        sent.push(request);
        return { code, object: reply };
      },
      [Symbol.asyncDispose]: async () => {},
    },
    { fieldManager: "me" },
  );
  return { sent, client };
}

const shape = ({ method, path, query, contentType, body }: ApiRequest) => ({ method, path, query, contentType, body });
const web = { namespace: "shop", name: "web" };

const rows: readonly {
  name: string;
  call: (client: ReturnType<typeof recording>["client"]) => Promise<unknown>;
  want: Partial<ApiRequest>;
}[] = [
  { name: "get", call: (c) => c.get(pods, web), want: { method: "GET", path: "/api/v1/namespaces/shop/pods/web", query: {} } },
  {
    name: "a name with a colon travels as it is, a space is escaped",
    call: (c) => c.get(clusterRoles, { name: "system:a b" }),
    want: { method: "GET", path: "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:a%20b", query: {} },
  },
  {
    name: "list of all namespaces with selectors",
    call: (c) => c.list(pods, { labelSelector: "a=b", fieldSelector: "spec.nodeName=n", limit: 5 }),
    want: { method: "GET", path: "/api/v1/pods", query: { labelSelector: "a=b", fieldSelector: "spec.nodeName=n", limit: "5" } },
  },
  {
    name: "create fills in kind and apiVersion and names the field manager",
    call: (c) => c.create(configMaps, { metadata: web }),
    want: {
      method: "POST",
      path: "/api/v1/namespaces/shop/configmaps",
      query: { fieldManager: "me" },
      body: { metadata: web, apiVersion: "v1", kind: "ConfigMap" },
    },
  },
  {
    name: "update of a subresource",
    call: (c) =>
      c.update(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: web }, { subresource: "status", dryRun: true }),
    want: {
      method: "PUT",
      path: "/api/v1/namespaces/shop/configmaps/web/status",
      query: { fieldManager: "me", dryRun: "All" },
      body: { apiVersion: "v1", kind: "ConfigMap", metadata: web },
    },
  },
  {
    name: "patch",
    call: (c) => c.patch(pods, web, { type: "strategic", body: { a: 1 } }),
    want: {
      method: "PATCH",
      path: "/api/v1/namespaces/shop/pods/web",
      contentType: "application/strategic-merge-patch+json",
      query: { fieldManager: "me" },
      body: { a: 1 },
    },
  },
  {
    name: "apply",
    call: (c) =>
      c.apply(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: web }, { fieldManager: "other", force: true }),
    want: {
      method: "PATCH",
      path: "/api/v1/namespaces/shop/configmaps/web",
      contentType: "application/apply-patch+yaml",
      query: { fieldManager: "other", force: "true" },
      body: { apiVersion: "v1", kind: "ConfigMap", metadata: web },
    },
  },
  {
    name: "delete with preconditions",
    call: (c) => c.delete(pods, web, { preconditions: { uid: "u" } }),
    want: {
      method: "DELETE",
      path: "/api/v1/namespaces/shop/pods/web",
      query: {},
      body: { kind: "DeleteOptions", apiVersion: "v1", preconditions: { uid: "u" } },
    },
  },
  {
    name: "a binding",
    call: (c) => c.createSubresource(pods, web, "binding", { target: { name: "n" } }),
    want: {
      method: "POST",
      path: "/api/v1/namespaces/shop/pods/web/binding",
      query: { fieldManager: "me" },
      body: { target: { name: "n" } },
    },
  },
];

for (const { name, call, want } of rows)
  test(`the client asks as the API conventions say: ${name}`, async () => {
    const { sent, client } = recording();
    await call(client);
    assert.deepEqual(sent.map(shape), [{ contentType: undefined, body: undefined, ...want }]);
  });

test("a refusal is an ApiError with the server's reason", async () => {
  const { client } = recording(apiError("NotFound", 'pods "web" not found').status, 404);
  await assert.rejects(
    client.get(pods, web),
    (error) => isNotFound(error) && (error as Error).message === 'pods "web" not found',
  );
});

test("a refusal without a Status keeps its code and text", async () => {
  const { client } = recording("upstream connect error\n", 503);
  await assert.rejects(
    client.get(pods, web),
    (error) => error instanceof ApiError && error.code === 503 && error.message === "upstream connect error",
  );
});

test("an ERROR frame of a watch is thrown, an aborted watch just ends", async () => {
  const clock = new VirtualClock();
  const api = createFakeApi({ clock });
  const client = createClient(api);
  api.put(configMaps, { metadata: { namespace: "a", name: "b" } });
  api.compact();
  await assert.rejects(
    Array.fromAsync(client.watch(configMaps, { resourceVersion: "0" })),
    (error) => error instanceof ApiError && error.reason === "Expired",
  );
  const abort = new AbortController();
  const watching = Array.fromAsync(client.watch(configMaps, { resourceVersion: "1", signal: abort.signal }));
  await clock.advance(0);
  abort.abort();
  assert.deepEqual(await watching, []);
});

test("in process the caller's identity goes with every request", async () => {
  const seen: string[] = [];
  const transport = inProcessTransport(
    async ({ user, userAgent, path }) => {
      seen.push(`${user.name} ${userAgent} ${path}`);
      return { code: 200, object: {} };
    },
    { user: { name: "system:kube-scheduler", groups: [] }, userAgent: "kube-scheduler/v1.36.2" },
  );
  await createClient(transport).get(pods, web);
  assert.deepEqual(seen, ["system:kube-scheduler kube-scheduler/v1.36.2 /api/v1/namespaces/shop/pods/web"]);
});

test("forceWire shares no object between the two sides, in requests, answers and watch frames", async () => {
  const api = createFakeApi({ clock: new VirtualClock() });
  const client = createClient(forceWire(api));
  const mine = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "a", name: "b" }, data: { x: "1" } };
  const created = await client.create(configMaps, mine);
  const held = api.peek(configMaps, { namespace: "a", name: "b" });
  assert.notEqual(created, held);
  const [request] = api.requests;
  assert.ok(request !== undefined);
  assert.notEqual((request.body as typeof mine).data, mine.data);
  for await (const event of client.watch(configMaps, { resourceVersion: "0" })) {
    assert.ok(event.type === "ADDED");
    assert.deepEqual(event.object, held);
    assert.notEqual(event.object, held);
    break;
  }
});

test("freezeShared makes a change to a shared object throw", async () => {
  const api = createFakeApi({ clock: new VirtualClock() });
  const client = createClient(freezeShared(api));
  const created = await client.create(configMaps, { metadata: { namespace: "a", name: "b" }, data: { x: "1" } });
  assert.throws(() => {
    (created.data as Record<string, string>)["x"] = "2";
  }, TypeError);
  assert.ok(
    isConflict(
      await client
        .update(configMaps, { ...created, metadata: { ...created.metadata, resourceVersion: "99" } })
        .catch((error: unknown) => error),
    ),
  );
});
