// Answers that surprise: recorded from upstream's server, each because it once was different here.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type TestServer, testServer } from "../testing/server.ts";

const merge = { contentType: "application/merge-patch+json" };
const scalers = (version: string): string => `/apis/autoscaling/${version}/namespaces/default/horizontalpodautoscalers`;

describe("odd answers", () => {
  let cluster: TestServer;
  before(async () => {
    cluster = await testServer({ disableAdmission: ["ServiceAccount"] });
  });
  after(() => cluster[Symbol.asyncDispose]());

  const scaler = (version: string, name: string, spec: object, annotations: Record<string, string> = {}): object => ({
    apiVersion: `autoscaling/${version}`,
    kind: "HorizontalPodAutoscaler",
    metadata: { name, annotations },
    spec: { scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "d" }, maxReplicas: 3, ...spec },
  });
  const annotation = (name: string, value: unknown): Record<string, string> => ({
    [`autoscaling.alpha.kubernetes.io/${name}`]: JSON.stringify(value),
  });

  it("an autoscaler of version 1 is checked in the words of version 2", async () => {
    const low = await cluster.call("POST", scalers("v1"), scaler("v1", "low", { targetCPUUtilizationPercentage: 0 }));
    assert.deepEqual(
      [low.code, low.object.message],
      [
        422,
        'HorizontalPodAutoscaler.autoscaling "low" is invalid: spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0',
      ],
    );
    const behavior = annotation("behavior", { ScaleUp: { Policies: [] } });
    const bare = await cluster.call("POST", scalers("v1"), scaler("v1", "bare", {}, behavior));
    assert.match(bare.object.message, /spec\.behavior\.scaleUp\.policies: Required value: must specify at least one Policy/);
  });

  it("an autoscaler of version 1 aims at 80 per cent where it says nothing, and brings no status", async () => {
    const given = { ...annotation("conditions", [{ type: "AbleToScale", status: "True" }]), ...annotation("metrics", "no list") };
    const { object } = await cluster.call("POST", scalers("v1"), scaler("v1", "silent", {}, given));
    assert.deepEqual([object.spec.targetCPUUtilizationPercentage, object.metadata.annotations], [80, undefined]);
    assert.equal(JSON.stringify(object.metadata.managedFields).includes("f:targetCPUUtilizationPercentage"), false);
    const second = await cluster.call("GET", `${scalers("v2")}/silent`);
    assert.deepEqual(second.object.status, { desiredReplicas: 0, currentMetrics: null });
    const changed = await cluster.call("PATCH", `${scalers("v1")}/silent`, { spec: { maxReplicas: 5 } }, merge);
    assert.deepEqual([changed.object.spec.maxReplicas, changed.object.spec.targetCPUUtilizationPercentage], [5, 80]);
  });

  it("an autoscaler with a list of no policies has none by default either", async () => {
    const { code, object } = await cluster.call(
      "POST",
      scalers("v2"),
      scaler("v2", "none", { behavior: { scaleUp: { policies: [] } } }),
    );
    assert.deepEqual([code, object.details.causes[0].field], [422, "spec.behavior.scaleUp.policies"]);
  });
});
