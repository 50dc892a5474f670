// One stored object, served in two versions.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ApiObject, horizontalPodAutoscalersV1 } from "#api";
import { conversionOf } from "./conversions.ts";

test("an autoscaler whose lists are null is served in version 1", () => {
  const conversion = conversionOf(horizontalPodAutoscalersV1)?.conversion;
  assert.ok(conversion);
  const stored = {
    metadata: { name: "a" },
    spec: { maxReplicas: 3, metrics: null },
    status: { currentReplicas: 1, currentMetrics: null },
  };
  const served = conversion.toServed(stored as unknown as ApiObject) as unknown as { spec: object; status: object };
  assert.deepEqual(served.spec, { maxReplicas: 3 });
  assert.deepEqual(served.status, { currentReplicas: 1 });
});
