// What single kinds do beyond the generic registry, seen from outside.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type TestServer, testServer } from "../testing/server.ts";

const merge = { contentType: "application/merge-patch+json" };

describe("kinds", () => {
  let cluster: TestServer;
  before(async () => {
    cluster = await testServer({ disableAdmission: ["ServiceAccount"] });
  });
  after(() => cluster[Symbol.asyncDispose]());

  it("the first deletion of a namespace only marks it, also when no finalizer holds it", async () => {
    const path = "/api/v1/namespaces";
    await cluster.call("POST", path, { apiVersion: "v1", kind: "Namespace", metadata: { name: "free" } });
    const free = { apiVersion: "v1", kind: "Namespace", metadata: { name: "free" }, spec: { finalizers: [] as string[] } };
    await cluster.call("PUT", `${path}/free/finalize`, free);
    const marked = await cluster.call("DELETE", `${path}/free`);
    assert.deepEqual([marked.code, marked.object.status], [200, { phase: "Terminating" }]);
    assert.equal((await cluster.call("GET", `${path}/free`)).code, 200);
    await cluster.call("DELETE", `${path}/free`);
    assert.equal((await cluster.call("GET", `${path}/free`)).code, 404);
  });

  it("who writes a field that the server takes back owns it all the same", async () => {
    const path = "/api/v1/namespaces";
    await cluster.call("POST", path, { apiVersion: "v1", kind: "Namespace", metadata: { name: "kept" } });
    const change = { spec: { finalizers: ["a.b/c"] }, status: { phase: "Terminating" } };
    const { object } = await cluster.call("PATCH", `${path}/kept`, change, { ...merge, query: { fieldManager: "me" } });
    assert.deepEqual([object.spec, object.status], [{ finalizers: ["kubernetes"] }, { phase: "Active" }]);
    const [mine] = object.metadata.managedFields.filter(({ manager }: { manager: string }) => manager === "me");
    assert.deepEqual(mine?.fieldsV1, { "f:spec": { "f:finalizers": {} } });
  });

  it("an empty list is its writer's, is checked as it came, and reads null once it is stored", async () => {
    const limits = { apiVersion: "v1", kind: "LimitRange", metadata: { name: "none" }, spec: { limits: [] } };
    const path = "/api/v1/namespaces/default/limitranges";
    const dry = await cluster.call("POST", path, limits, { query: { dryRun: "All" } });
    assert.deepEqual(dry.object.spec, { limits: [] });
    const { object } = await cluster.call("POST", path, limits);
    assert.deepEqual(object.spec, { limits: null });
    assert.deepEqual(object.metadata.managedFields[0].fieldsV1, { "f:spec": { "f:limits": {} } });
    const definition = { apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", metadata: { name: "x" } };
    const refused = await cluster.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
      ...definition,
      spec: { versions: [] },
    });
    assert.match(refused.object.message, /spec\.versions: Invalid value: \[\]: must have exactly one version/);
  });

  it("namespaces/finalize refuses what is no finalizer's name", async () => {
    const path = "/api/v1/namespaces";
    const named = { apiVersion: "v1", kind: "Namespace", metadata: { name: "odd" } };
    await cluster.call("POST", path, named);
    const { code, object } = await cluster.call("PUT", `${path}/odd/finalize`, { ...named, spec: { finalizers: ["short"] } });
    assert.deepEqual(
      [code, object.message],
      [
        422,
        'Namespace "odd" is invalid: spec.finalizers[0]: Invalid value: "short": name is neither a standard finalizer name nor is it fully qualified',
      ],
    );
  });

  it("a service that is no load balancer any more loses what balanced it", async () => {
    const path = "/api/v1/namespaces/default/services";
    const spec = { type: "LoadBalancer", ports: [{ port: 80 }] };
    await cluster.call("POST", path, { apiVersion: "v1", kind: "Service", metadata: { name: "s" }, spec });
    await cluster.call("PATCH", `${path}/s/status`, { status: { loadBalancer: { ingress: [{ ip: "1.1.1.1" }] } } }, merge);
    const { object } = await cluster.call("PATCH", `${path}/s`, { spec: { type: "ClusterIP" } }, merge);
    assert.deepEqual(object.status, { loadBalancer: {} });
  });

  it("generations of a CSI driver begin with its first change", async () => {
    const path = "/apis/storage.k8s.io/v1/csidrivers";
    const driver = { apiVersion: "storage.k8s.io/v1", kind: "CSIDriver", metadata: { name: "d" }, spec: {} };
    const generations = [
      await cluster.call("POST", path, driver),
      await cluster.call("PATCH", `${path}/d`, { spec: { requiresRepublish: true } }, merge),
      await cluster.call("PATCH", `${path}/d`, { metadata: { labels: { a: "b" } } }, merge),
    ].map(({ object }) => object.metadata.generation);
    assert.deepEqual(generations, [undefined, 1, 1]);
  });

  it("a status of a resource claim brings no labels", async () => {
    const path = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims";
    const spec = { devices: { requests: [{ name: "r", exactly: { deviceClassName: "c" } }] } };
    await cluster.call("POST", path, { apiVersion: "resource.k8s.io/v1", kind: "ResourceClaim", metadata: { name: "c" }, spec });
    const { object } = await cluster.call("PATCH", `${path}/c/status`, { metadata: { labels: { a: "b" } } }, merge);
    assert.equal(object.metadata.labels, undefined);
  });

  it("a failed precondition names the kind that is stored", async () => {
    const event = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: "e" },
      involvedObject: { kind: "Pod", name: "p", namespace: "default" },
    };
    await cluster.call("POST", "/api/v1/namespaces/default/events", event);
    const path = "/apis/events.k8s.io/v1/namespaces/default/events/e";
    const { object } = await cluster.call("DELETE", path, { preconditions: { uid: "other" } });
    assert.deepEqual(object.details, { name: "e", kind: "Event" });
  });
});
