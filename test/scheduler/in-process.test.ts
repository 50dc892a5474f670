// The scheduler against our own API server in the same process: authorization, admission, watch and binding are real.
import assert from "node:assert/strict";
import { test } from "node:test";
import { nodes, type Pod, pods, serviceAccounts } from "#api";
import { startApiServer } from "#apiserver";
import { seededRandom, silentLog, systemClock, systemFiles } from "#base";
import {
  type Client,
  createClient,
  createEvents,
  createInformerFactory,
  type InformerFactory,
  inProcessTransport,
} from "#client";
import { startScheduler } from "#scheduler";
import { openMemoryStore } from "#store";

interface World extends AsyncDisposable {
  readonly client: Client;
  readonly informers: InformerFactory;
}

/** The scheduler speaks as the user that upstream's certificates name, so that its RBAC role is tested too. */
async function startWorld(): Promise<World> {
  const clock = systemClock;
  const random = seededRandom(1);
  const store = openMemoryStore({ clock });
  const server = await startApiServer({ listen: false }, { store, clock, random, files: systemFiles, log: silentLog });
  const admin = createClient(
    inProcessTransport(server.handle, {
      user: { name: "admin", groups: ["system:masters", "system:authenticated"] },
      userAgent: "test",
    }),
  );
  const client = createClient(
    inProcessTransport(server.handle, {
      user: { name: "system:kube-scheduler", groups: ["system:authenticated"] },
      userAgent: "kube-scheduler",
    }),
  );
  const informers = createInformerFactory({ client, clock, random, log: silentLog });
  const events = createEvents({ client, clock, log: silentLog });
  const scheduler = await startScheduler({}, { client, informers, events, clock, random, log: silentLog });
  informers.start();
  await informers.synced();
  return {
    client: admin,
    informers,
    [Symbol.asyncDispose]: async () => {
      await scheduler[Symbol.asyncDispose]();
      await events[Symbol.asyncDispose]();
      await informers[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function addNodes(client: Client, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const node = await client.create(nodes, {
      metadata: { name: `n${i}`, labels: { "kubernetes.io/hostname": `n${i}` } },
      spec: {},
    });
    const allocatable = { cpu: "32", memory: "64Gi", pods: "110" };
    // The TaintNodesByCondition admission taints a new node; whoever makes it ready takes the taint off.
    const conditions = [
      {
        type: "Ready",
        status: "True",
        reason: "KubeletReady",
        lastHeartbeatTime: "2026-01-01T00:00:00Z",
        lastTransitionTime: "2026-01-01T00:00:00Z",
      },
    ];
    await client.patch(
      nodes,
      { name: node.metadata.name },
      { type: "merge", body: { status: { allocatable, capacity: allocatable, conditions } } },
      { subresource: "status" },
    );
    await client.patch(nodes, { name: node.metadata.name }, { type: "merge", body: { spec: { taints: null } } });
  }
}

const aPod = (name: string, cpu = "100m"): Pod => ({
  metadata: { name, namespace: "default", labels: { app: "a" } },
  spec: {
    containers: [{ name: "c", image: "i", resources: { requests: { cpu, memory: "50Mi" } } }],
    automountServiceAccountToken: false,
  },
});

/** Resolves when the pods' informer shows what is wanted. */
function until(informers: InformerFactory, holds: (list: readonly Pod[]) => boolean): Promise<void> {
  const informer = informers.informer(pods);
  return new Promise((resolve) => {
    const look = (): void => {
      if (!holds(informer.list())) return;
      handler?.[Symbol.dispose]();
      resolve();
    };
    const handler = informer.addHandler({ added: look, updated: look, deleted: look });
    look();
  });
}

test("pods are bound through pods/binding and their PodScheduled condition turns True", { timeout: 30_000 }, async () => {
  await using world = await startWorld();
  const { client } = world;
  await ensureDefault(client);
  await addNodes(client, 3);
  await Promise.all(Array.from({ length: 20 }, (_, i) => client.create(pods, aPod(`p${i}`))));
  await until(world.informers, (list) => list.length === 20 && list.every((pod) => pod.spec?.nodeName !== undefined));
  const pod = await client.get(pods, { namespace: "default", name: "p0" });
  assert.equal(pod.status?.conditions?.find(({ type }) => type === "PodScheduled")?.status, "True");
});

test("a pod that fits nowhere has its reason in the API, and is bound once there is room", { timeout: 30_000 }, async () => {
  await using world = await startWorld();
  const { client } = world;
  await ensureDefault(client);
  await addNodes(client, 1);
  await client.create(pods, aPod("big", "31"));
  await until(world.informers, (list) => list.some((pod) => pod.spec?.nodeName !== undefined));
  await client.create(pods, aPod("late", "2"));
  await until(world.informers, (list) =>
    list.some((pod) => pod.status?.conditions?.some(({ reason }) => reason === "Unschedulable") === true),
  );
  const late = await client.get(pods, { namespace: "default", name: "late" });
  assert.equal(
    late.status?.conditions?.find(({ type }) => type === "PodScheduled")?.message,
    "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
  );
  await client.delete(pods, { namespace: "default", name: "big" }, { gracePeriodSeconds: 0 });
  await until(world.informers, (list) => list.some((pod) => pod.metadata.name === "late" && pod.spec?.nodeName !== undefined));
});

/** What the service account controller would do. */
async function ensureDefault(client: Client): Promise<void> {
  await client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
}
