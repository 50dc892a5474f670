import assert from "node:assert/strict";
import { test } from "node:test";
import {
  controllerRevisions,
  type DaemonSet,
  type DaemonSetSpec,
  daemonSets,
  nodes,
  type Pod,
  pods,
  type Stored,
  type Taint,
} from "#api";
import { createWorld, type World } from "../testing/world.ts";
import { daemonSetController } from "./controller.ts";
import { targetNode } from "./target-node.ts";

const at = { namespace: "kube-system", name: "agent" };

const daemonSet = (spec: Partial<DaemonSetSpec> = {}, image = "v1", podSpec: object = {}): DaemonSet => ({
  metadata: at,
  spec: {
    selector: { matchLabels: { app: "agent" } },
    template: { metadata: { labels: { app: "agent" } }, spec: { containers: [{ name: "c", image }], ...podSpec } },
    ...spec,
  },
});

const node = (world: World, name: string, labels: Record<string, string> = {}, taints: readonly Taint[] = []): void =>
  void world.api.put(nodes, { metadata: { name, labels }, spec: taints.length === 0 ? {} : { taints } });

async function start(given: DaemonSet = daemonSet(), names: readonly string[] = ["a", "b", "c"]): Promise<World> {
  const world = createWorld({ gracefulPods: true });
  for (const name of names) node(world, name, { zone: name });
  world.api.put(daemonSets, given);
  world.run(daemonSetController(world.context));
  await world.settle();
  return world;
}

const alive = (world: World): readonly Stored<Pod>[] =>
  world.api.all(pods).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
const where = (world: World): string[] =>
  alive(world)
    .map(({ spec }) => targetNode(spec) ?? "")
    .sort();
const image = (pod: Pod): string | undefined => pod.spec.containers[0]?.image;

/** The scheduler and the kubelets do their part. */
async function live(world: World): Promise<void> {
  for (const pod of world.api.all(pods)) {
    if (pod.metadata.deletionTimestamp !== undefined)
      world.api.remove(pods, { namespace: "kube-system", name: pod.metadata.name });
    else if (pod.status?.phase === undefined) {
      const status = {
        phase: "Running",
        conditions: [{ type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" }],
      };
      world.api.put(pods, { ...pod, spec: { ...pod.spec, nodeName: targetNode(pod.spec) }, status });
    }
  }
  await world.settle();
}

test("every node has one pod, pinned to it, with the tolerations that keep daemons where they are", async () => {
  await using world = await start();
  assert.deepEqual(where(world), ["a", "b", "c"]);
  const [pod] = alive(world);
  assert.ok(
    pod?.spec.tolerations?.some(({ key, effect }) => key === "node.kubernetes.io/unschedulable" && effect === "NoSchedule"),
  );
  assert.ok(pod?.metadata.labels?.["controller-revision-hash"] !== undefined);
  await live(world);
  assert.deepEqual(world.api.peek(daemonSets, at)?.status, {
    currentNumberScheduled: 3,
    desiredNumberScheduled: 3,
    numberMisscheduled: 0,
    numberReady: 3,
    numberAvailable: 3,
    updatedNumberScheduled: 3,
    observedGeneration: 1,
  });
});

test("nodes that come get a pod; nodes that no longer match lose theirs", async () => {
  await using world = await start(daemonSet({}, "v1", { nodeSelector: { zone: "a" } }));
  assert.deepEqual(where(world), ["a"]);
  node(world, "d", { zone: "a" });
  await world.settle();
  assert.deepEqual(where(world), ["a", "d"]);
  node(world, "a", { zone: "other" });
  await world.settle();
  assert.deepEqual(where(world), ["d"]);
});

test("a NoSchedule taint keeps new pods away and leaves the old one, NoExecute removes it", async () => {
  await using world = await start(daemonSet(), ["a"]);
  await live(world);
  node(world, "a", {}, [{ key: "mine", effect: "NoSchedule" }]);
  await world.settle();
  assert.deepEqual([where(world), world.api.peek(daemonSets, at)?.status?.numberMisscheduled], [["a"], 1]);
  node(world, "a", {}, [{ key: "mine", effect: "NoExecute" }]);
  await world.settle();
  assert.deepEqual(where(world), []);
});

test("a failed pod is replaced on its node, the second time after a pause", async () => {
  await using world = await start(daemonSet(), ["a"]);
  const fail = async (): Promise<void> => {
    for (const pod of alive(world)) world.api.put(pods, { ...pod, status: { phase: "Failed" } });
    await world.settle();
    await live(world);
  };
  await fail();
  assert.deepEqual(where(world), ["a"]);
  assert.ok(
    world.events.some((event) =>
      /^Warning FailedDaemonPod Found failed daemon pod kube-system\/agent-\d+ on node a, will try to kill it$/.test(event),
    ),
  );
  await fail();
  await fail();
  assert.equal(alive(world)[0]?.status?.phase, "Failed");
  await world.pass(3_000);
  await live(world);
  assert.notEqual(alive(world)[0]?.status?.phase, "Failed");
});

test("a rolling update replaces one pod at a time, only when the others are available", async () => {
  await using world = await start();
  await live(world);
  const old = world.api.peek(daemonSets, at);
  world.api.put(daemonSets, { ...daemonSet({}, "v2"), metadata: { ...at, generation: 2 }, status: old?.status });
  await world.settle();
  for (let replaced = 1; replaced <= 3; replaced++) {
    assert.equal(alive(world).length, 2);
    await live(world);
    assert.equal(alive(world).filter((pod) => image(pod) === "v2").length, replaced);
    await world.pass(5_000);
    assert.equal(alive(world).length, 3);
    await live(world);
  }
  assert.equal(world.api.all(controllerRevisions).length, 2);
  assert.equal(world.api.peek(daemonSets, at)?.status?.updatedNumberScheduled, 3);
});

test("with maxSurge the new pod is ready before the old one goes", async () => {
  const surge = { updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } };
  await using world = await start(daemonSet(surge));
  await live(world);
  const old = world.api.peek(daemonSets, at);
  world.api.put(daemonSets, { ...daemonSet(surge, "v2"), metadata: { ...at, generation: 2 }, status: old?.status });
  await world.settle();
  assert.deepEqual([alive(world).length, world.api.all(pods).length], [4, 4]);
  for (let i = 0; i < 12; i++) {
    await live(world);
    assert.ok(new Set(where(world)).size === 3, "a node was left without a pod");
    assert.ok(alive(world).length <= 4);
  }
  assert.deepEqual(alive(world).map(image), ["v2", "v2", "v2"]);
});

test("OnDelete leaves old pods until they are deleted", async () => {
  const onDelete = { updateStrategy: { type: "OnDelete" } };
  await using world = await start(daemonSet(onDelete), ["a"]);
  await live(world);
  world.api.put(daemonSets, {
    ...daemonSet(onDelete, "v2"),
    metadata: { ...at, generation: 2 },
    status: world.api.peek(daemonSets, at)?.status,
  });
  await world.settle();
  assert.deepEqual(alive(world).map(image), ["v1"]);
  world.api.remove(pods, { namespace: "kube-system", name: alive(world)[0]?.metadata.name ?? "" });
  await world.settle();
  assert.deepEqual(alive(world).map(image), ["v2"]);
});
