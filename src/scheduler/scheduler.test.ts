// The scheduler against a fake API: what a user of the room can see.
import assert from "node:assert/strict";
import { test } from "node:test";
import { nodes, persistentVolumeClaims, pods, replicaSets } from "#api";
import type { SchedulerConfiguration } from "./framework/config.ts";
import { startHarness } from "./testing/harness.ts";

test("a pod is bound to the node that fits and gets a Scheduled event", async () => {
  await using h = await startHarness();
  h.node("n1", { cpu: "1" });
  h.node("n2", { cpu: "4" });
  await h.settle();
  h.pod({ name: "p", cpu: "2" });
  await h.settle();
  assert.deepEqual(h.bound, ["default/p -> n2"]);
  assert.deepEqual(h.events, ["Normal Scheduled Successfully assigned default/p to n2"]);
});

test("without nodes the message is upstream's, and the first node takes the pod", async () => {
  await using h = await startHarness();
  h.pod({ name: "p" });
  await h.settle();
  assert.deepEqual(h.events, ["Warning FailedScheduling no nodes available to schedule pods"]);
  h.node("n1");
  await h.settle();
  assert.deepEqual(h.bound, ["default/p -> n1"]);
});

test("a pod that fits nowhere says why, in its condition and in an event", async () => {
  await using h = await startHarness();
  h.node("n1", { cpu: "1" });
  h.node("n2", { cpu: "4", taints: [{ key: "k", value: "v", effect: "NoSchedule" }] });
  h.node("n3", { cpu: "4", unschedulable: true });
  await h.settle();
  h.pod({ name: "p", cpu: "2" });
  await h.settle();
  const message =
    "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable. " +
    "no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.";
  assert.deepEqual(h.events, [`Warning FailedScheduling ${message}`]);
  const condition = h.get("p")?.status?.conditions?.find(({ type }) => type === "PodScheduled");
  assert.deepEqual(
    [condition?.status, condition?.reason, condition?.message, condition?.observedGeneration],
    ["False", "Unschedulable", message, 1],
  );
});

test("a pod waiting for room is bound when another pod goes, without any time passing", async () => {
  await using h = await startHarness();
  h.node("n1", { cpu: "2" });
  h.pod({ name: "a", cpu: "1500m" });
  await h.settle();
  h.pod({ name: "b", cpu: "600m" });
  await h.settle();
  assert.deepEqual(h.bound, ["default/a -> n1"]);
  h.api.remove(pods, { namespace: "default", name: "a" });
  await h.settle();
  assert.deepEqual(h.bound, ["default/a -> n1", "default/b -> n1"]);
});

test("pods with a node already and pods of other schedulers are left alone", async () => {
  await using h = await startHarness();
  h.node("n1");
  h.pod({ name: "placed", spec: { nodeName: "n1" } });
  h.pod({ name: "foreign", spec: { schedulerName: "mine" } });
  await h.settle();
  assert.deepEqual(h.bound, []);
  assert.deepEqual(h.events, []);
});

test("a refused binding is undone and tried again after the backoff", async () => {
  await using h = await startHarness();
  h.node("n1");
  await h.settle();
  let refusals = 1;
  h.beforeBinding = () => {
    if (refusals-- > 0) throw new Error("the API server is on strike");
  };
  h.pod({ name: "p" });
  await h.settle();
  assert.deepEqual(h.bound, []);
  assert.match(h.events[0] ?? "", /^Warning FailedScheduling binding rejected: running Bind plugin "DefaultBinder": .*on strike/);
  assert.equal(h.get("p")?.status?.conditions?.[0]?.reason, "SchedulerError");
  await h.clock.advance(999);
  await h.settle();
  assert.deepEqual(h.bound, []);
  await h.clock.advance(1);
  await h.settle();
  assert.deepEqual(h.bound, ["default/p -> n1"]);
});

test("a pod with scheduling gates waits until they are gone", async () => {
  await using h = await startHarness();
  h.node("n1");
  await h.settle();
  const gated = h.pod({ name: "p", spec: { schedulingGates: [{ name: "wait" }] } });
  await h.settle();
  assert.deepEqual([h.bound, h.events, h.scheduler.pending().gated], [[], [], 1]);
  h.api.put(pods, { ...gated, spec: { containers: [{ name: "c" }] } });
  await h.settle();
  assert.deepEqual(h.bound, ["default/p -> n1"]);
});

test("a pod of higher priority takes the place of the least important pods that make room", async () => {
  await using h = await startHarness();
  h.node("n1", { cpu: "2" });
  h.node("n2", { cpu: "2" });
  await h.settle();
  h.pod({ name: "low", cpu: "2", spec: { nodeName: "n1", priority: 1 } });
  h.pod({ name: "lower", cpu: "2", spec: { nodeName: "n2", priority: 0 } });
  await h.settle();
  h.pod({ name: "high", cpu: "2", spec: { priority: 10 } });
  await h.settle();
  assert.equal(h.get("lower"), undefined);
  assert.notEqual(h.get("low"), undefined);
  assert.deepEqual(h.bound, ["default/high -> n2"]);
  assert.deepEqual(
    h.events.filter((event) => !event.includes("Scheduled ")),
    [
      "Warning FailedScheduling 0/2 nodes are available: 2 Insufficient cpu.",
      `Normal Preempted Preempted by pod ${h.get("high")?.metadata.uid} on node n2`,
    ],
  );
});

test("preemption spares pods of the same priority and says that there is nobody to preempt", async () => {
  await using h = await startHarness();
  h.node("n1", { cpu: "2" });
  await h.settle();
  h.pod({ name: "a", cpu: "2" });
  await h.settle();
  h.pod({ name: "b", cpu: "1" });
  await h.settle();
  assert.equal(
    h.events.at(-1),
    "Warning FailedScheduling 0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, " +
      "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
  );
});

test("a pod whose policy forbids preemption removes nobody", async () => {
  await using h = await startHarness();
  h.node("n1", { cpu: "2" });
  await h.settle();
  h.pod({ name: "low", cpu: "2", spec: { nodeName: "n1", priority: 0 } });
  await h.settle();
  h.pod({ name: "meek", cpu: "2", spec: { priority: 10, preemptionPolicy: "Never" } });
  await h.settle();
  assert.notEqual(h.get("low"), undefined);
  assert.match(h.events.at(-1) ?? "", /preemption: not eligible due to preemptionPolicy=Never\.$/);
});

test("a missing claim is named, and the pod goes on when the claim is there and bound", async () => {
  await using h = await startHarness();
  h.node("n1");
  await h.settle();
  h.pod({ name: "p", spec: { volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }] } });
  await h.settle();
  assert.match(
    h.events[0] ?? "",
    /^Warning FailedScheduling 0\/1 nodes are available: persistentvolumeclaim "data" not found\. /,
  );
  h.api.put(persistentVolumeClaims, {
    metadata: { name: "data", namespace: "default" },
    spec: { volumeName: "v" },
    status: { phase: "Bound" },
  });
  await h.settle();
  assert.deepEqual(h.bound, ["default/p -> n1"]);
});

test("explain() tells each node's verdict and the scores of those that fit", async () => {
  await using h = await startHarness();
  h.node("n1", { cpu: "4" });
  h.node("n2", { cpu: "8" });
  h.node("n3", { unschedulable: true });
  await h.settle();
  h.pod({ name: "p", cpu: "1", memory: "1Gi" });
  await h.settle();
  const explanation = h.scheduler.explain("default/p");
  assert.equal(explanation?.node, "n2");
  const n3 = explanation?.nodes.find(({ node }) => node === "n3");
  assert.deepEqual([n3?.reasons, n3?.refusedBy], [["node(s) were unschedulable"], "NodeUnschedulable"]);
  const n2 = explanation?.nodes[0];
  assert.equal(n2?.scores["NodeResourcesFit"]?.score, 87); // (87.5 of cpu, 87.5 of memory), each rounded down
  assert.ok((n2?.total ?? 0) > (explanation?.nodes[1]?.total ?? 0));
});

test("two profiles in one process decide differently and report under their own names", async () => {
  await using h = await startHarness({
    configuration: {
      profiles: [
        {},
        {
          schedulerName: "packer",
          pluginConfig: [{ name: "NodeResourcesFit", args: { scoringStrategy: { type: "MostAllocated" } } }],
          plugins: { score: { disabled: [{ name: "NodeResourcesBalancedAllocation" }] } },
        },
      ],
    },
  });
  h.node("n1", { cpu: "4" });
  h.node("n2", { cpu: "4" });
  await h.settle();
  h.pod({ name: "there", cpu: "2", spec: { nodeName: "n1" } });
  await h.settle();
  h.pod({ name: "spread", cpu: "1" });
  await h.settle();
  h.pod({ name: "pack", cpu: "1", spec: { schedulerName: "packer" } });
  await h.settle();
  assert.deepEqual(h.bound, ["default/spread -> n2", "default/pack -> n1"]);
});

test("a wrong configuration is refused with a sentence", async () => {
  const start = (configuration: SchedulerConfiguration) => startHarness({ configuration });
  await assert.rejects(
    start({ profiles: [{ plugins: { filter: { enabled: [{ name: "Nope" }] } } }] }),
    /profile "default-scheduler": plugin "Nope" does not exist/,
  );
  await assert.rejects(start({ profiles: [{}, {}] }), /profile "default-scheduler" is there twice/);
  await assert.rejects(start({ profiles: [{ plugins: { bind: { disabled: [{ name: "*" }] } } }] }), /at least one bind plugin/);
  await assert.rejects(
    start({ profiles: [{ plugins: { queueSort: { disabled: [{ name: "*" }] } } }] }),
    /exactly one queueSort plugin is needed, found 0/,
  );
  await assert.rejects(start({ extenders: [{}] }), /extenders are not implemented yet/);
});

test("pods of one ReplicaSet are spread evenly without being asked to", async () => {
  await using h = await startHarness();
  h.api.put(replicaSets, {
    metadata: { name: "web", namespace: "default", uid: "rs" },
    spec: { selector: { matchLabels: { app: "web" } } },
  });
  for (const name of ["n1", "n2", "n3"]) h.node(name);
  await h.settle();
  const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: "rs", controller: true };
  for (let i = 0; i < 6; i++) h.pod({ name: `web-${i}`, labels: { app: "web" }, metadata: { ownerReferences: [owner] } });
  await h.settle();
  const counts = new Map<string, number>();
  for (const line of h.bound) counts.set(line.slice(-2), (counts.get(line.slice(-2)) ?? 0) + 1);
  assert.deepEqual([...counts.values()], [2, 2, 2]);
});

test("a bound pod stays where it is, whatever becomes of the nodes", async () => {
  await using h = await startHarness();
  h.node("n1", { labels: { disk: "ssd" } });
  await h.settle();
  h.pod({ name: "p", spec: { nodeSelector: { disk: "ssd" } } });
  await h.settle();
  h.node("n1", { unschedulable: true });
  h.node("n2", { labels: { disk: "ssd" } });
  await h.clock.advance(600_000);
  await h.settle();
  assert.deepEqual([h.bound, h.get("p")?.spec?.nodeName], [["default/p -> n1"], "n1"]);
});

test("labelling a node wakes the pod that waits for the label", async () => {
  await using h = await startHarness();
  h.node("n1");
  await h.settle();
  h.pod({ name: "p", spec: { nodeSelector: { disk: "ssd" } } });
  await h.settle();
  assert.match(h.events[0] ?? "", /1 node\(s\) didn't match Pod's node affinity\/selector/);
  h.node("n1", { labels: { disk: "ssd" } });
  await h.settle();
  assert.deepEqual(h.bound, ["default/p -> n1"]);
});

test("a node that only says that it lives wakes nobody", async () => {
  await using h = await startHarness();
  const node = h.node("n1", { cpu: "2" });
  await h.settle();
  h.pod({ name: "there", cpu: "2" });
  h.pod({ name: "p", cpu: "2" });
  await h.settle();
  const before = h.scheduler.attempts.unschedulable;
  h.api.put(nodes, {
    ...node,
    status: { ...node.status, conditions: [{ type: "Ready", status: "True", lastHeartbeatTime: "2026-01-01T00:01:00Z" }] },
  });
  await h.clock.advance(20_000);
  await h.settle();
  assert.equal(h.scheduler.attempts.unschedulable, before);
});

test("a DaemonSet's pod goes to its own node, and the message counts the others", async () => {
  await using h = await startHarness();
  h.node("n1", { cpu: "1" });
  h.node("n2");
  h.node("n3");
  await h.settle();
  const only = (name: string) => ({
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: [name] }] }],
      },
    },
  });
  h.pod({ name: "d2", spec: { affinity: only("n2") } });
  h.pod({ name: "d1", cpu: "2", spec: { affinity: only("n1") } });
  await h.settle();
  assert.deepEqual(h.bound, ["default/d2 -> n2"]);
  assert.match(
    h.events.find((event) => event.includes("Failed")) ?? "",
    /0\/3 nodes are available: 1 Insufficient cpu, 2 node\(s\) didn't satisfy plugin\(s\) \[NodeAffinity\]\. /,
  );
});

test("a pod that finishes gives its room back", async () => {
  await using h = await startHarness();
  h.node("n1", { cpu: "1" });
  await h.settle();
  h.pod({ name: "job", cpu: "1" });
  await h.settle();
  h.pod({ name: "next", cpu: "1" });
  await h.settle();
  const job = h.get("job");
  assert.ok(job !== undefined);
  h.api.put(pods, { ...job, status: { ...job.status, phase: "Succeeded" } });
  await h.settle();
  assert.deepEqual(h.bound, ["default/job -> n1", "default/next -> n1"]);
});
