import assert from "node:assert/strict";
import { test } from "node:test";
import { leases, type Node, nodes, type Pod, pods, type Taint } from "#api";
import { taintEvictionController } from "../taint-eviction/controller.ts";
import { createWorld, namesOf, type World } from "../testing/world.ts";
import { nodeLifecycleController } from "./controller.ts";

const node = (name: string, ready = "True", more: Partial<Node["spec"]> = {}): Node => ({
  metadata: { name },
  spec: more,
  status: {
    conditions: [
      {
        type: "Ready",
        status: ready,
        reason: "KubeletReady",
        lastHeartbeatTime: "2026-01-01T00:00:00Z",
        lastTransitionTime: "2026-01-01T00:00:00Z",
      },
    ],
  },
});

const beat = (world: World, name: string): void => {
  const renewTime = `${new Date(world.clock.now()).toISOString().slice(0, 23)}000Z`;
  world.api.put(leases, { metadata: { namespace: "kube-node-lease", name }, spec: { holderIdentity: name, renewTime } });
};

/** Time passes; the named nodes renew their leases every 10 s. */
async function live(world: World, seconds: number, alive: readonly string[]): Promise<void> {
  for (let passed = 0; passed < seconds; passed += 10) {
    for (const name of alive) beat(world, name);
    await world.pass(Math.min(10, seconds - passed) * 1000);
  }
}

async function start(given: readonly Node[]): Promise<World> {
  const world = createWorld({ gracefulPods: true });
  for (const one of given) world.api.put(nodes, one);
  world.run(nodeLifecycleController(world.context));
  world.run(taintEvictionController(world.context));
  await world.settle();
  return world;
}

const taints = (world: World, name: string): string[] =>
  (world.api.peek(nodes, { name })?.spec?.taints ?? []).map(({ key, effect }: Taint) => `${key}:${effect}`).sort();
const ready = (world: World, name: string) =>
  world.api.peek(nodes, { name })?.status?.conditions?.find(({ type }) => type === "Ready");

test("a node that is silent for 50 s becomes Unknown, is tainted, and its pods are not ready", async () => {
  await using world = await start([node("a"), node("b")]);
  world.api.put(pods, {
    metadata: { namespace: "default", name: "p" },
    spec: { nodeName: "a", containers: [], tolerations: [{ operator: "Exists" }] },
    status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
  });
  await live(world, 40, ["a", "b"]);
  await live(world, 39, ["b"]);
  assert.equal(ready(world, "a")?.status, "True");
  await live(world, 12, ["b"]);
  const condition = ready(world, "a");
  assert.deepEqual(
    [condition?.status, condition?.reason, condition?.message],
    ["Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status."],
  );
  assert.deepEqual(
    world.api
      .peek(nodes, { name: "a" })
      ?.status?.conditions?.map(({ type, reason }) => `${type} ${reason}`)
      .slice(1),
    ["MemoryPressure NodeStatusNeverUpdated", "DiskPressure NodeStatusNeverUpdated", "PIDPressure NodeStatusNeverUpdated"],
  );
  assert.deepEqual(taints(world, "a"), ["node.kubernetes.io/unreachable:NoExecute", "node.kubernetes.io/unreachable:NoSchedule"]);
  assert.deepEqual(taints(world, "b"), []);
  assert.equal(world.api.peek(pods, { namespace: "default", name: "p" })?.status?.conditions?.[0]?.status, "False");
  assert.ok(world.events.includes("Normal NodeNotReady Node a status is now: NodeNotReady"));
  world.api.put(nodes, { ...node("a"), spec: world.api.peek(nodes, { name: "a" })?.spec });
  await world.settle();
  assert.deepEqual(taints(world, "a"), []);
});

test("pods leave an unreachable node when their tolerationSeconds are over, those that tolerate for ever stay", async () => {
  await using world = await start([node("a"), node("b")]);
  const pod = (name: string, tolerations: NonNullable<Pod["spec"]["tolerations"]>): Pod => ({
    metadata: { namespace: "default", name },
    spec: { nodeName: "a", containers: [], tolerations },
    status: { phase: "Running" },
  });
  const unreachable = { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute" };
  world.api.put(pods, pod("none", []));
  world.api.put(pods, pod("minutes", [{ ...unreachable, tolerationSeconds: 300 }]));
  world.api.put(pods, pod("ever", [unreachable]));
  beat(world, "a");
  await live(world, 70, ["b"]);
  const deleting = (): string[] =>
    namesOf(world.api.all(pods).filter(({ metadata }) => metadata.deletionTimestamp !== undefined));
  assert.deepEqual(deleting(), ["none"]);
  await live(world, 250, ["b"]);
  assert.deepEqual(deleting(), ["none"]);
  await live(world, 40, ["b"]);
  assert.deepEqual(deleting(), ["none", "minutes"]);
  const condition = world.api
    .peek(pods, { namespace: "default", name: "minutes" })
    ?.status?.conditions?.find(({ type }) => type === "DisruptionTarget");
  assert.deepEqual(
    [condition?.reason, condition?.message],
    ["DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"],
  );
});

test("when all nodes fall silent, none is emptied: more likely we are cut off", async () => {
  await using world = await start([node("a"), node("b")]);
  await live(world, 120, []);
  assert.deepEqual(
    [taints(world, "a"), taints(world, "b")],
    [["node.kubernetes.io/unreachable:NoSchedule"], ["node.kubernetes.io/unreachable:NoSchedule"]],
  );
  world.api.put(nodes, { ...node("b"), spec: world.api.peek(nodes, { name: "b" })?.spec });
  await live(world, 10, ["b"]);
  assert.deepEqual(taints(world, "b"), []);
  assert.deepEqual(taints(world, "a"), ["node.kubernetes.io/unreachable:NoExecute", "node.kubernetes.io/unreachable:NoSchedule"]);
});

test("nodes of one zone are emptied one in ten seconds", async () => {
  const names = Array.from({ length: 10 }, (_, i) => `n${i}`);
  await using world = await start(names.map((name) => node(name)));
  const dead = ["n0", "n1", "n2"];
  const rest = names.filter((name) => !dead.includes(name));
  await live(world, 55, rest);
  const emptied = (): number =>
    dead.filter((name) => taints(world, name).includes("node.kubernetes.io/unreachable:NoExecute")).length;
  assert.equal(emptied(), 1);
  await live(world, 10, rest);
  assert.equal(emptied(), 2);
  await live(world, 10, rest);
  assert.equal(emptied(), 3);
});

test("conditions and cordoning become NoSchedule taints, and other taints are left alone", async () => {
  const mine = { key: "example.com/mine", effect: "NoSchedule" };
  const given = node("a", "True", {
    unschedulable: true,
    taints: [mine, { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }],
  });
  await using world = await start([
    { ...given, status: { conditions: [...(given.status?.conditions ?? []), { type: "MemoryPressure", status: "True" }] } },
    node("b", "False"),
    node("c"),
  ]);
  assert.deepEqual(taints(world, "a"), [
    "example.com/mine:NoSchedule",
    "node.kubernetes.io/memory-pressure:NoSchedule",
    "node.kubernetes.io/unschedulable:NoSchedule",
  ]);
  assert.deepEqual(taints(world, "b"), ["node.kubernetes.io/not-ready:NoExecute", "node.kubernetes.io/not-ready:NoSchedule"]);
});
