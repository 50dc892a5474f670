import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import { controllerMetrics } from "./metrics.ts";

test("each controller's queue is measured under upstream's names", async () => {
  const registry = new Registry();
  const metrics = controllerMetrics(registry)("replicaset-controller");
  metrics.added();
  metrics.depth(3);
  metrics.waited(250);
  metrics.worked(5);
  metrics.retried();
  const text = await registry.metrics();
  for (const line of [
    'workqueue_adds_total{name="replicaset"} 1',
    'workqueue_depth{name="replicaset"} 3',
    'workqueue_retries_total{name="replicaset"} 1',
    'workqueue_queue_duration_seconds_sum{name="replicaset"} 0.25',
    'workqueue_work_duration_seconds_bucket{le="0.01",name="replicaset"} 1',
  ])
    assert.ok(text.includes(line), `${line} is missing in:\n${text}`);
});
