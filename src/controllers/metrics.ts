// Work queues in numbers, under upstream's names and with its buckets.
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { WorkQueueMetrics } from "#client";

// Upstream: 10 ns to 10 s, by tens.
const buckets = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10];

/** Pass the result as `metrics` of startControllers; one call per registry. */
export function controllerMetrics(registry: Registry): (controller: string) => WorkQueueMetrics {
  const common = { labelNames: ["name"], registers: [registry] };
  const depth = new Gauge({ ...common, name: "workqueue_depth", help: "Current depth of workqueue" });
  const adds = new Counter({ ...common, name: "workqueue_adds_total", help: "Total number of adds handled by workqueue" });
  const retries = new Counter({
    ...common,
    name: "workqueue_retries_total",
    help: "Total number of retries handled by workqueue",
  });
  const waited = new Histogram({
    ...common,
    name: "workqueue_queue_duration_seconds",
    help: "How long in seconds an item stays in workqueue before being requested.",
    buckets,
  });
  const worked = new Histogram({
    ...common,
    name: "workqueue_work_duration_seconds",
    help: "How long in seconds processing an item from workqueue takes.",
    buckets,
  });
  return (controller) => {
    // Upstream names the queue by what it holds: "replicaset", "deployment".
    const name = controller.replace(/-controller$/, "");
    const own = {
      depth: depth.labels(name),
      adds: adds.labels(name),
      retries: retries.labels(name),
      waited: waited.labels(name),
      worked: worked.labels(name),
    };
    own.depth.set(0);
    return {
      depth: (keys) => own.depth.set(keys),
      added: () => own.adds.inc(),
      retried: () => own.retries.inc(),
      waited: (milliseconds) => own.waited.observe(milliseconds / 1000),
      worked: (milliseconds) => own.worked.observe(milliseconds / 1000),
    };
  };
}
