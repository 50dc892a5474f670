// Preemption as a user sees it: who goes, who stays, who gets the room.
import assert from "node:assert/strict";
import { test } from "node:test";
import { podDisruptionBudgets, pods } from "#api";
import { startHarness } from "../testing/harness.ts";

const on = (nodeName: string, priority: number) => ({ nodeName, priority });

test("while a victim says goodbye its place is kept, nobody else is sent away, and then the pod gets it", async () => {
  await using h = await startHarness({ gracefulPods: true });
  h.node("n1", { cpu: "2" });
  h.node("n2", { cpu: "2" });
  await h.settle();
  h.pod({ name: "v1", cpu: "2", spec: on("n1", 0) });
  h.pod({ name: "v2", cpu: "2", spec: on("n2", 1) });
  await h.settle();
  h.pod({ name: "high", cpu: "2", spec: { priority: 10 } });
  await h.settle();
  const victim = h.get("v1");
  assert.notEqual(victim?.metadata.deletionTimestamp, undefined);
  const condition = victim?.status?.conditions?.find(({ type }) => type === "DisruptionTarget");
  assert.deepEqual(
    [condition?.status, condition?.reason, condition?.message],
    ["True", "PreemptionByScheduler", "default-scheduler: preempting to accommodate a higher priority pod"],
  );
  assert.equal(h.get("high")?.status?.nominatedNodeName, "n1");
  // Whatever wakes the pod meanwhile, it waits for the place it was promised.
  h.node("n2", { cpu: "2", labels: { changed: "yes" } });
  await h.settle();
  await h.clock.advance(60_000);
  await h.settle();
  assert.equal(h.get("v2")?.metadata.deletionTimestamp, undefined);
  assert.deepEqual(h.bound, []);
  assert.equal(h.events.filter((event) => event.includes("Preempted")).length, 1);
  assert.match(h.events.at(-1) ?? "", /preemption: not eligible due to a terminating pod on the nominated node\.$/);
  h.api.remove(pods, { namespace: "default", name: "v1" });
  await h.settle();
  assert.deepEqual(h.bound, ["default/high -> n1"]);
});

test("a pod of lower priority does not slip into a place that is promised", async () => {
  await using h = await startHarness({ gracefulPods: true });
  h.node("n1", { cpu: "3" });
  await h.settle();
  h.pod({ name: "victim", cpu: "2", spec: on("n1", 0) });
  await h.settle();
  h.pod({ name: "high", cpu: "3", spec: { priority: 10 } });
  await h.settle();
  h.pod({ name: "small", cpu: "1", spec: { priority: 1 } }); // there is room for it now, but not beside the promised pod
  await h.settle();
  assert.deepEqual(h.bound, []);
  h.api.remove(pods, { namespace: "default", name: "victim" });
  await h.settle();
  assert.deepEqual(h.bound, ["default/high -> n1"]);
});

test("a pod is not tried again while its victims are being told", async () => {
  await using h = await startHarness();
  h.node("n1", { cpu: "1" });
  await h.settle();
  h.pod({ name: "low", cpu: "1", spec: on("n1", 0) });
  await h.settle();
  const told = Promise.withResolvers<undefined>();
  h.api.before = ({ method }) => (method === "DELETE" ? told.promise : undefined);
  h.pod({ name: "high", cpu: "1", spec: { priority: 10 } });
  await h.settle();
  const { attempts } = h.scheduler;
  assert.equal(attempts.unschedulable, 1);
  h.node("n1", { cpu: "1", labels: { changed: "yes" } });
  await h.settle();
  assert.equal(attempts.unschedulable, 1);
  told.resolve(undefined);
  await h.settle();
  assert.deepEqual(h.bound, ["default/high -> n1"]);
});

test("only as many pods go as must, the least important first", async () => {
  await using h = await startHarness();
  h.node("n1", { cpu: "4" });
  await h.settle();
  for (const [name, priority] of [
    ["a", 3],
    ["b", 2],
    ["c", 1],
    ["d", 0],
  ] as const)
    h.pod({ name, cpu: "1", spec: on("n1", priority) });
  await h.settle();
  h.pod({ name: "high", cpu: "2", spec: { priority: 10 } });
  await h.settle();
  assert.deepEqual(
    h.api
      .all(pods)
      .map(({ metadata }) => metadata.name)
      .sort(),
    ["a", "b", "high"],
  );
  assert.deepEqual(h.bound, ["default/high -> n1"]);
});

test("of two nodes the one whose pods no disruption budget protects gives them up", async () => {
  await using h = await startHarness();
  h.node("n1", { cpu: "1" });
  h.node("n2", { cpu: "1" });
  await h.settle();
  h.api.put(podDisruptionBudgets, {
    metadata: { name: "web", namespace: "default" },
    spec: { selector: { matchLabels: { app: "web" } } },
    status: { disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
  });
  h.pod({ name: "protected", cpu: "1", labels: { app: "web" }, spec: on("n1", 0) });
  h.pod({ name: "other", cpu: "1", spec: on("n2", 5) });
  await h.settle();
  h.pod({ name: "high", cpu: "1", spec: { priority: 10 } });
  await h.settle();
  assert.deepEqual(h.bound, ["default/high -> n2"]);
  assert.notEqual(h.get("protected"), undefined);
});

test("a taint cannot be preempted away: nobody goes", async () => {
  await using h = await startHarness();
  h.node("n1", { taints: [{ key: "k", effect: "NoSchedule" }] });
  await h.settle();
  h.pod({ name: "low", spec: on("n1", 0) });
  await h.settle();
  h.pod({ name: "high", spec: { priority: 10 } });
  await h.settle();
  assert.notEqual(h.get("low"), undefined);
  assert.match(h.events.at(-1) ?? "", /preemption: 0\/1 nodes are available: 1 Preemption is not helpful for scheduling\.$/);
});

test("a pod that another's anti-affinity keeps out makes room by removing it", async () => {
  await using h = await startHarness();
  h.node("n1");
  await h.settle();
  const term = { labelSelector: { matchLabels: { app: "web" } }, topologyKey: "kubernetes.io/hostname" };
  h.pod({
    name: "hermit",
    spec: { ...on("n1", 0), affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } },
  });
  await h.settle();
  h.pod({ name: "high", labels: { app: "web" }, spec: { priority: 10 } });
  await h.settle();
  assert.equal(h.get("hermit"), undefined);
  assert.deepEqual(h.bound, ["default/high -> n1"]);
});

test("when the API server refuses the eviction the pod tries again after its backoff, not at once", async () => {
  await using h = await startHarness();
  h.node("n1", { cpu: "1" });
  await h.settle();
  h.pod({ name: "low", cpu: "1", spec: on("n1", 0) });
  await h.settle();
  let refused = 0;
  h.api.before = ({ method, path }) => {
    if (method !== "DELETE" || !path.endsWith("/low")) return undefined;
    refused++;
    if (refused === 1) throw new Error("not now");
    return undefined;
  };
  h.pod({ name: "high", cpu: "1", spec: { priority: 10 } });
  await h.settle();
  assert.equal(refused, 1);
  await h.clock.advance(1000);
  await h.settle();
  assert.deepEqual([refused, h.bound], [2, ["default/high -> n1"]]);
});
