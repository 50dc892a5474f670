// pods/eviction, seen from outside.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type TestServer, testServer } from "../testing/server.ts";

const merge = { contentType: "application/merge-patch+json" };
const pods = "/api/v1/namespaces/default/pods";
const budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";

describe("pods/eviction", () => {
  let cluster: TestServer;
  before(async () => {
    cluster = await testServer({ disableAdmission: ["ServiceAccount"] });
  });
  after(() => cluster[Symbol.asyncDispose]());

  const runPod = async (name: string): Promise<void> => {
    const spec = { containers: [{ name: "c", image: "i" }] };
    await cluster.call("POST", pods, { apiVersion: "v1", kind: "Pod", metadata: { name, labels: { app: "a" } }, spec });
    const conditions = [{ type: "Ready", status: "True" }];
    await cluster.call("PATCH", `${pods}/${name}/status`, { status: { phase: "Running", conditions } }, merge);
  };
  const evict = async (name: string, apiVersion: string): Promise<number> =>
    (await cluster.call("POST", `${pods}/${name}/eviction`, { apiVersion, kind: "Eviction", metadata: { name } })).code;

  it("takes an eviction of policy/v1beta1, with which clients began", async () => {
    await runPod("old");
    assert.equal(await evict("old", "policy/v1beta1"), 201);
    assert.equal((await cluster.call("GET", `${pods}/old`)).code, 404);
    await runPod("odd");
    assert.equal(await evict("odd", "policy/v2"), 400);
  });

  it("the last disruption that a budget allows turns its condition, once", async () => {
    await cluster.call("POST", budgets, {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: "b" },
      spec: { minAvailable: 1, selector: { matchLabels: { app: "a" } } },
    });
    const status = { observedGeneration: 1, disruptionsAllowed: 2, currentHealthy: 3, desiredHealthy: 1, expectedPods: 3 };
    await cluster.call("PATCH", `${budgets}/b/status`, { status }, merge);
    const conditions = async (): Promise<readonly Record<string, unknown>[] | undefined> =>
      (await cluster.call("GET", `${budgets}/b`)).object.status.conditions;
    for (const name of ["one", "two", "three"]) await runPod(name);
    assert.equal(await evict("one", "policy/v1"), 201);
    assert.equal(await conditions(), undefined);
    assert.equal(await evict("two", "policy/v1"), 201);
    const [condition, ...others] = (await conditions()) ?? [];
    const { lastTransitionTime: _, ...rest } = condition ?? {};
    assert.deepEqual(rest, {
      type: "DisruptionAllowed",
      status: "False",
      observedGeneration: 1,
      reason: "InsufficientPods",
      message: "",
    });
    assert.deepEqual(others, []);
    assert.equal(await evict("three", "policy/v1"), 429);
  });
});
