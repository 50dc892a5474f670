// The queue on a virtual clock.
import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#base";
import { prioritySort } from "../plugins/priority-sort.ts";
import { aPodInfo } from "../testing/objects.ts";
import { type QueuedPod, SchedulingQueue } from "./queue.ts";

function makeQueue(gated = new Set<string>()) {
  const clock = new VirtualClock();
  const queue = new SchedulingQueue({
    clock,
    less: prioritySort.less,
    gate: (pod) => (gated.has(pod.key) ? "Gate" : undefined),
    helper: ({ resource }) => ({ plugins: [resource], helps: (_pod, rejectedBy) => rejectedBy.has(resource) }),
    onReady: () => {},
    initialBackoffMs: 1000,
    maxBackoffMs: 10_000,
    maxUnschedulableMs: 300_000,
  });
  const popped = (): QueuedPod => {
    const queued = queue.pop();
    assert.ok(queued !== undefined);
    return queued;
  };
  return { clock, queue, popped, gated };
}

test("pods leave by priority, then by the time they came", async () => {
  const { clock, queue, popped } = makeQueue();
  queue.set(aPodInfo({ name: "first" }));
  await clock.advance(5);
  queue.set(aPodInfo({ name: "second" }));
  queue.set(aPodInfo({ name: "urgent", spec: { priority: 9 } }));
  assert.deepEqual([popped().pod.key, popped().pod.key, popped().pod.key], ["default/urgent", "default/first", "default/second"]);
  assert.equal(queue.pop(), undefined);
});

test("a pod that failed waits 1, 2, 4, 8, then 10 seconds", async () => {
  const { clock, queue, popped } = makeQueue();
  queue.set(aPodInfo());
  for (const seconds of [1, 2, 4, 8, 10, 10]) {
    queue.failed(popped());
    await clock.advance(seconds * 1000 - 1);
    assert.equal(queue.pop(), undefined, `before ${seconds} s`);
    await clock.advance(1);
    assert.equal(queue.counts().active, 1, `after ${seconds} s`);
  }
});

test("an unschedulable pod sleeps until an event helps a plugin that refused it", async () => {
  const { clock, queue, popped } = makeQueue();
  queue.set(aPodInfo());
  queue.unschedulable(popped(), new Set(["nodes"]));
  await clock.advance(20_000);
  queue.move({ resource: "pods", action: "Delete" });
  assert.equal(queue.pop(), undefined);
  queue.move({ resource: "nodes", action: "Add" });
  assert.equal(queue.counts().active, 1);
});

test("an idle queue hands out a woken pod before its backoff ends", () => {
  const { queue, popped } = makeQueue();
  queue.set(aPodInfo());
  queue.unschedulable(popped(), new Set(["nodes"]));
  queue.move({ resource: "nodes", action: "Add" });
  assert.equal(queue.counts().backoff, 1);
  assert.equal(popped().pod.key, "default/p");
});

test("an event that comes while the pod is in flight is not lost", () => {
  const { queue, popped } = makeQueue();
  queue.set(aPodInfo());
  const inFlight = popped();
  queue.move({ resource: "nodes", action: "Add" });
  queue.unschedulable(inFlight, new Set(["nodes"]));
  assert.equal(queue.counts().backoff, 1);
});

test("after five minutes a pod is tried again without any event", async () => {
  const { clock, queue, popped } = makeQueue();
  queue.set(aPodInfo());
  queue.unschedulable(popped(), new Set(["nodes"]));
  await clock.advance(299_999);
  assert.equal(queue.counts().unschedulable, 1);
  await clock.advance(30_000);
  assert.equal(queue.counts().active, 1);
});

test("a change of the pod's spec wakes it, a change of its status does not", () => {
  const { queue, popped } = makeQueue();
  queue.set(aPodInfo());
  queue.unschedulable(popped(), new Set(["nodes"]));
  queue.set(aPodInfo({ status: { phase: "Pending", message: "x" } }));
  assert.equal(queue.counts().unschedulable, 1);
  queue.set(aPodInfo({ spec: { nodeSelector: { a: "b" } }, metadata: { generation: 2 } }));
  assert.equal(queue.counts().unschedulable, 0);
});

test("a gated pod enters when its gate opens", () => {
  const { queue, popped, gated } = makeQueue(new Set(["default/p"]));
  queue.set(aPodInfo());
  assert.deepEqual([queue.pop(), queue.counts().gated], [undefined, 1]);
  gated.clear();
  queue.set(aPodInfo());
  assert.equal(popped().pod.key, "default/p");
});

test("a deleted pod is never handed out, wherever it was", async () => {
  const { clock, queue, popped } = makeQueue();
  queue.set(aPodInfo());
  queue.delete("uid-default-p");
  assert.equal(queue.pop(), undefined);
  queue.set(aPodInfo());
  const inFlight = popped();
  queue.delete("uid-default-p");
  queue.failed(inFlight);
  await clock.advance(60_000);
  assert.deepEqual([queue.pop(), queue.size], [undefined, 0]);
});

test("activate() brings a waiting pod out at once", () => {
  const { queue, popped } = makeQueue();
  queue.set(aPodInfo());
  queue.unschedulable(popped(), new Set(["nodes"]));
  queue.activate(["default/p"]);
  assert.equal(queue.counts().active, 1);
});
