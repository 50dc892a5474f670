// One stored object, served in two versions.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ApiObject, eventsV1 } from "#api";
import { autoscalers as conversion } from "./autoscaler-conversion.ts";
import { conversionOf } from "./conversions.ts";

test("an autoscaler whose lists are null is served in version 1", () => {
  const stored = {
    metadata: { name: "a" },
    spec: { maxReplicas: 3, metrics: null },
    status: { currentReplicas: 1, currentMetrics: null },
  };
  const served = conversion.toServed(stored as unknown as ApiObject) as unknown as { spec: object; status: object };
  assert.deepEqual(served.spec, { maxReplicas: 3 });
  assert.deepEqual(served.status, { currentReplicas: 1 });
});

// biome-ignore lint/suspicious/noExplicitAny: looked into field by field
type Loose = any;
const autoscalers = conversion as {
  toStored: (object: Loose) => Loose;
  toServed: (object: Loose) => Loose;
};
const prefix = "autoscaling.alpha.kubernetes.io/";
const cpu = { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } } };
const others = [
  { type: "Resource", resource: { name: "memory", target: { type: "AverageValue", averageValue: "100Mi" } } },
  {
    type: "Pods",
    pods: {
      metric: { name: "qps", selector: { matchLabels: { a: "b" } } },
      target: { type: "AverageValue", averageValue: "1k" },
    },
  },
  {
    type: "Object",
    object: {
      describedObject: { kind: "Service", name: "s", apiVersion: "v1" },
      metric: { name: "hits" },
      target: { type: "Value", value: "10" },
    },
  },
  { type: "External", external: { metric: { name: "q" }, target: { type: "AverageValue", averageValue: "30" } } },
  {
    type: "ContainerResource",
    containerResource: { name: "cpu", container: "c", target: { type: "Utilization", averageUtilization: 60 } },
  },
];

test("metrics other than CPU travel in an annotation, in the words of version 1, and come back", () => {
  const served = autoscalers.toServed({ metadata: { name: "a" }, spec: { maxReplicas: 3, metrics: [cpu, ...others] } });
  assert.equal(served.spec.targetCPUUtilizationPercentage, 50);
  assert.equal(
    served.metadata.annotations[`${prefix}metrics`],
    '[{"type":"Resource","resource":{"name":"memory","targetAverageValue":"100Mi"}},{"type":"Pods","pods":{"metricName":"qps","targetAverageValue":"1k","selector":{"matchLabels":{"a":"b"}}}},{"type":"Object","object":{"target":{"kind":"Service","name":"s","apiVersion":"v1"},"metricName":"hits","targetValue":"10"}},{"type":"External","external":{"metricName":"q","targetAverageValue":"30"}},{"type":"ContainerResource","containerResource":{"name":"cpu","targetAverageUtilization":60,"container":"c"}}]',
  );
  const stored = autoscalers.toStored(served);
  assert.deepEqual(stored.spec.metrics, [...others, cpu]);
  assert.equal(stored.metadata.annotations, undefined);
});

test("behavior travels as Go's internal type, and comes back", () => {
  const behavior = {
    scaleDown: { policies: [{ type: "Pods", value: 1, periodSeconds: 30 }], selectPolicy: "Min" },
    scaleUp: { stabilizationWindowSeconds: 0, policies: [] },
  };
  const served = autoscalers.toServed({ metadata: { name: "a" }, spec: { maxReplicas: 3, behavior } });
  assert.equal(
    served.metadata.annotations[`${prefix}behavior`],
    '{"ScaleUp":{"StabilizationWindowSeconds":0,"SelectPolicy":null,"Policies":[],"Tolerance":null},"ScaleDown":{"StabilizationWindowSeconds":null,"SelectPolicy":"Min","Policies":[{"Type":"Pods","Value":1,"PeriodSeconds":30}],"Tolerance":null}}',
  );
  assert.deepEqual(autoscalers.toStored(served).spec.behavior, behavior);
});

test("the status keeps every metric in an annotation, which wins over the CPU field of version 1", () => {
  const currentMetrics = [
    { type: "Resource", resource: { name: "cpu", current: { averageUtilization: 30, averageValue: "10m" } } },
  ];
  const conditions = [{ type: "AbleToScale", status: "True", reason: "r", lastTransitionTime: null }];
  const stored = { metadata: { name: "a" }, spec: { maxReplicas: 3 }, status: { currentMetrics, conditions } };
  const served = autoscalers.toServed(stored);
  assert.deepEqual(served.status, { currentReplicas: 0, currentCPUUtilizationPercentage: 30 });
  assert.deepEqual(served.metadata.annotations, {
    [`${prefix}current-metrics`]:
      '[{"type":"Resource","resource":{"name":"cpu","currentAverageUtilization":30,"currentAverageValue":"10m"}}]',
    [`${prefix}conditions`]: '[{"type":"AbleToScale","status":"True","lastTransitionTime":null,"reason":"r"}]',
  });
  const changed = autoscalers.toStored({
    ...served,
    status: { currentReplicas: 4, currentCPUUtilizationPercentage: 5 },
  });
  assert.deepEqual(changed.status, { currentReplicas: 4, currentMetrics, conditions });
});

test("annotations that cannot be read are dropped", () => {
  const annotations = { [`${prefix}metrics`]: "not json", keep: "me" };
  const stored = autoscalers.toStored({ metadata: { name: "a", annotations }, spec: { maxReplicas: 3 } });
  assert.deepEqual(stored.spec, { maxReplicas: 3 });
  assert.deepEqual(stored.metadata.annotations, { keep: "me" });
});

test("an event without a reporter has no such fields in events.k8s.io", () => {
  const stored = { metadata: { name: "e" }, reportingComponent: "", reportingInstance: "", message: "m" };
  const served = conversionOf(eventsV1)?.conversion.toServed(stored as unknown as ApiObject);
  assert.deepEqual(served, { apiVersion: "events.k8s.io/v1", metadata: { name: "e" }, note: "m" });
});
