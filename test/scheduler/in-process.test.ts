// The scheduler against our own API server in the same process: authorization, admission, watch and binding are real.
import assert from "node:assert/strict";
import { test } from "node:test";
import { nodes, type Pod, pods, priorityClasses, serviceAccounts } from "#api";
import { startApiServer } from "#apiserver";
import { seededRandom, silentLog, systemClock, systemFiles } from "#base";
import {
  type Client,
  createClient,
  createEvents,
  createInformerFactory,
  forceWire,
  freezeShared,
  type InformerFactory,
  inProcessTransport,
  type Transport,
} from "#client";
import { startScheduler } from "#scheduler";
import { openMemoryStore } from "#store";

interface World extends AsyncDisposable {
  readonly client: Client;
  readonly informers: InformerFactory;
  /** One more, beside the one that runs already. */
  startScheduler(): Promise<AsyncDisposable & { readonly informers: InformerFactory }>;
}

/** The scheduler speaks as the user that upstream's certificates name, so that its RBAC role is tested too. */
async function startWorld(wrap: (transport: Transport) => Transport = freezeShared): Promise<World> {
  const clock = systemClock;
  const random = seededRandom(1);
  const store = openMemoryStore({ clock });
  const server = await startApiServer({ listen: false }, { store, clock, random, files: systemFiles, log: silentLog });
  const as = (name: string, ...groups: readonly string[]): Client =>
    createClient(
      wrap(inProcessTransport(server.handle, { user: { name, groups: [...groups, "system:authenticated"] }, userAgent: "test" })),
    );
  const runScheduler = async () => {
    const client = as("system:kube-scheduler");
    const informers = createInformerFactory({ client, clock, random, log: silentLog });
    const events = createEvents({ client, clock, log: silentLog });
    const scheduler = await startScheduler({}, { client, informers, events, clock, random, log: silentLog });
    informers.start();
    await informers.synced();
    return {
      informers,
      [Symbol.asyncDispose]: async () => {
        await scheduler[Symbol.asyncDispose]();
        await events[Symbol.asyncDispose]();
        await informers[Symbol.asyncDispose]();
      },
    };
  };
  const scheduler = await runScheduler();
  return {
    client: as("admin", "system:masters"),
    informers: scheduler.informers,
    startScheduler: runScheduler,
    [Symbol.asyncDispose]: async () => {
      await scheduler[Symbol.asyncDispose]();
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

test("nothing depends on objects being shared: the same through JSON", { timeout: 30_000 }, async () => {
  await using world = await startWorld(forceWire);
  const { client } = world;
  await ensureDefault(client);
  await addNodes(client, 2);
  await Promise.all(Array.from({ length: 5 }, (_, i) => client.create(pods, aPod(`p${i}`))));
  await until(world.informers, (list) => list.length === 5 && list.every((pod) => pod.spec?.nodeName !== undefined));
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

test("a critical pod takes the place of a pod of lower priority, which says so in its condition", {
  timeout: 30_000,
}, async () => {
  await using world = await startWorld();
  const { client } = world;
  await ensureDefault(client);
  await addNodes(client, 1);
  await client.create(priorityClasses, { metadata: { name: "low" }, value: 1 });
  const seen: Pod[] = [];
  using _handler = world.informers.informer(pods).addHandler({ updated: (pod) => void seen.push(pod) });
  await client.create(pods, withSpec(aPod("low", "31"), { priorityClassName: "low", terminationGracePeriodSeconds: 0 }));
  await until(world.informers, (list) => list.some((pod) => pod.spec?.nodeName !== undefined));
  await client.create(pods, withSpec(aPod("critical", "31"), { priorityClassName: "system-cluster-critical" }));
  await until(
    world.informers,
    (list) => list.length === 1 && list[0]?.metadata.name === "critical" && list[0].spec?.nodeName === "n0",
  );
  const target = seen
    .flatMap((pod) => (pod.metadata.name === "low" ? (pod.status?.conditions ?? []) : []))
    .find(({ type }) => type === "DisruptionTarget");
  assert.equal(target?.reason, "PreemptionByScheduler");
});

test("a host port is taken once, and NodePorts says so", { timeout: 30_000 }, async () => {
  await using world = await startWorld();
  const { client } = world;
  await ensureDefault(client);
  await addNodes(client, 1);
  const containers = [{ name: "c", image: "i", ports: [{ containerPort: 80, hostPort: 8080 }] }];
  await client.create(pods, withSpec(aPod("first"), { containers }));
  await until(world.informers, (list) => list.some((pod) => pod.spec?.nodeName !== undefined));
  await client.create(pods, withSpec(aPod("second"), { containers }));
  const messageOf = (pod: Pod): string =>
    pod.status?.conditions?.find(({ type, status }) => type === "PodScheduled" && status === "False")?.message ?? "";
  await until(world.informers, (list) =>
    list.some((pod) => messageOf(pod).includes("1 node(s) didn't have free ports for the requested pod ports.")),
  );
});

test("two schedulers of the same name race for the same pods, and each pod is bound once", { timeout: 30_000 }, async () => {
  await using world = await startWorld();
  const { client } = world;
  const rival = await world.startScheduler();
  await ensureDefault(client);
  await addNodes(client, 3);
  const nodesOf = new Map<string, Set<string>>();
  using _handler = world.informers.informer(pods).addHandler({
    updated: (pod) => {
      const { nodeName } = pod.spec ?? {};
      if (nodeName !== undefined) nodesOf.set(pod.metadata.name, (nodesOf.get(pod.metadata.name) ?? new Set()).add(nodeName));
    },
  });
  await Promise.all(Array.from({ length: 60 }, (_, i) => client.create(pods, aPod(`p${i}`))));
  await until(world.informers, (list) => list.length === 60 && list.every((pod) => pod.spec?.nodeName !== undefined));
  await rival[Symbol.asyncDispose](); // whatever it still wanted to say is said
  assert.ok([...nodesOf.values()].every((names) => names.size === 1));
  const { items } = await client.list(pods);
  assert.ok(
    items.every((pod) => pod.status?.conditions?.find(({ type }) => type === "PodScheduled")?.status === "True"),
    "the loser does not deny what the winner did",
  );
});

test("a pod that somebody changes just then still has its reason in the API", { timeout: 30_000 }, async () => {
  let changes = 0;
  await using world = await startWorld((transport) => ({
    send: async (request) => {
      if (request.path.endsWith("/pods/late/status") && changes < 2) {
        const annotations = { changed: String(++changes) };
        await world.client.patch(
          pods,
          { namespace: "default", name: "late" },
          { type: "merge", body: { metadata: { annotations } } },
        );
      }
      return await transport.send(request);
    },
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  }));
  const { client } = world;
  await ensureDefault(client);
  await addNodes(client, 1);
  await client.create(pods, aPod("late", "33"));
  await until(world.informers, (list) =>
    list.some((pod) => pod.status?.conditions?.some(({ reason }) => reason === "Unschedulable") === true),
  );
  assert.equal(changes, 2);
});

const withSpec = (pod: Pod, spec: Partial<NonNullable<Pod["spec"]>>): Pod => ({
  ...pod,
  spec: { ...(pod.spec as NonNullable<Pod["spec"]>), ...spec },
}); // aPod sets it

/** What the service account controller would do. */
async function ensureDefault(client: Client): Promise<void> {
  await client.create(serviceAccounts, { metadata: { name: "default", namespace: "default" } });
}
